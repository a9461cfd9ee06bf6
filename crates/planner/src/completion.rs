//! From what was observed to a complete plan: the plan says what it needs, each need is answered, and the resource is planned
//! again, in memory, until nothing is asked any more. One loop for every kind of resource.
//!
//! This is as pure as the plan: who answers, and from where, is up to the caller. The operator asks Kubernetes and Kafka and
//! makes keys; tests and command lines answer out of what they have.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::plan::Plan;

/// Rounds of answers after which a plan has to be complete.
pub const ROUNDS: usize = 12;

/// The plan asks again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeverComplete;

impl fmt::Display for NeverComplete {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the plan is not complete after {ROUNDS} rounds of answers")
    }
}

impl std::error::Error for NeverComplete {}

/// A plan, of which each kind may have more than [`Plan`] says. Any of them can be printed as a value, without what Secrets hold.
pub trait Planned: Serialize {
    /// What it asks for.
    type Need;
    /// What it does beside writing objects.
    type Call;
    /// The statuses that it writes.
    type Statuses;

    /// What it has in common with the plans of other kinds.
    fn common(&self) -> &Plan<Self::Need, Self::Call, Self::Statuses>;

    /// The same, to be changed.
    fn common_mut(&mut self) -> &mut Plan<Self::Need, Self::Call, Self::Statuses>;

    /// Takes what it asks for out of it. A plan that asks for nothing is complete.
    fn take_needs(&mut self) -> Vec<Self::Need> {
        std::mem::take(&mut self.common_mut().needs)
    }
}

impl<Need: Serialize, Call: Serialize, Statuses: Serialize> Planned for Plan<Need, Call, Statuses> {
    type Need = Need;
    type Call = Call;
    type Statuses = Statuses;

    fn common(&self) -> &Self {
        self
    }

    fn common_mut(&mut self) -> &mut Self {
        self
    }
}

/// Has a plan stand for what it has in common with those of other kinds: its field `common`, of the second type.
macro_rules! plan_with_common {
    ($plan:ty, $common:ty) => {
        impl std::ops::Deref for $plan {
            type Target = $common;

            fn deref(&self) -> &$common {
                &self.common
            }
        }

        impl std::ops::DerefMut for $plan {
            fn deref_mut(&mut self) -> &mut $common {
                &mut self.common
            }
        }

        impl From<$common> for $plan {
            fn from(common: $common) -> Self {
                Self { common, ..Self::default() }
            }
        }

        impl $crate::completion::Planned for $plan {
            type Need = <$common as $crate::completion::Planned>::Need;
            type Call = <$common as $crate::completion::Planned>::Call;
            type Statuses = <$common as $crate::completion::Planned>::Statuses;

            fn common(&self) -> &$common {
                &self.common
            }

            fn common_mut(&mut self) -> &mut $common {
                &mut self.common
            }
        }
    };
}
pub(crate) use plan_with_common;

/// What the plan of a resource depends on, apart from the time.
pub trait Observation {
    /// What comes of it.
    type Plan: Planned;
    /// The answer to what a plan asks for.
    type Answer;

    /// Adds what follows from what was observed, before the first plan.
    fn prepare(&mut self, _now: Timestamp) {}

    /// Plans, as far as the answers so far allow. Pure.
    fn plan(&self, now: Timestamp) -> Self::Plan;

    /// Takes an answer in, also "it is not known". A need that was answered is not asked for again.
    fn answer(&mut self, need: NeedOf<Self>, answer: Self::Answer);
}

/// What the plans of an observation ask for.
pub type NeedOf<O> = <<O as Observation>::Plan as Planned>::Need;

/// What the plans of an observation do beside writing objects.
pub type CallOf<O> = <<O as Observation>::Plan as Planned>::Call;

/// A plan on its way to being complete.
#[derive(Debug)]
pub struct Completion {
    now: Timestamp,
    rounds: usize,
}

/// How far a plan is.
#[derive(Debug)]
pub enum Step<Plan, Need> {
    /// It asks for nothing any more.
    Complete(Plan),
    /// Each of these is to be answered into what was observed before the next step.
    Asks(Vec<Need>),
}

impl Completion {
    /// Begins with what was observed. All rounds plan for the same time.
    pub fn new<O: Observation>(observed: &mut O, now: Timestamp) -> Self {
        observed.prepare(now);
        Self { now, rounds: 0 }
    }

    /// Plans with the answers so far.
    ///
    /// # Errors
    /// When it has asked too often.
    pub fn step<O: Observation>(&mut self, observed: &O) -> Result<Step<O::Plan, NeedOf<O>>, NeverComplete> {
        if self.rounds == ROUNDS {
            return Err(NeverComplete);
        }
        self.rounds += 1;
        let mut plan = observed.plan(self.now);
        let needs = plan.take_needs();
        Ok(if needs.is_empty() { Step::Complete(plan) } else { Step::Asks(needs) })
    }
}

/// Plans until nothing is asked any more, with answers that are at hand. Returns what was observed, answers included, and
/// the complete plan.
///
/// # Errors
/// When the plan asks again and again.
pub fn complete<O: Observation>(
    mut observed: O,
    now: Timestamp,
    mut answer: impl FnMut(&NeedOf<O>) -> O::Answer,
) -> Result<(O, O::Plan), NeverComplete> {
    let mut completion = Completion::new(&mut observed, now);
    loop {
        match completion.step(&observed)? {
            Step::Complete(plan) => return Ok((observed, plan)),
            Step::Asks(needs) => {
                for need in needs {
                    let answer = answer(&need);
                    observed.answer(need, answer);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks until it has counted to a number.
    struct Counting {
        to: usize,
        answered: Vec<usize>,
    }

    impl Observation for Counting {
        type Plan = Plan<usize, (), Vec<usize>>;
        type Answer = usize;

        fn plan(&self, _: Timestamp) -> Self::Plan {
            let next = self.answered.len();
            if next < self.to {
                return Plan::asking(vec![next]);
            }
            Plan { status: self.answered.clone(), ..Plan::default() }
        }

        fn answer(&mut self, need: usize, answer: usize) {
            assert_eq!(need, self.answered.len());
            self.answered.push(answer);
        }
    }

    fn counting(to: usize) -> Result<Vec<usize>, NeverComplete> {
        let observed = Counting { to, answered: Vec::new() };
        complete(observed, Timestamp::UNIX_EPOCH, |need| need * 10).map(|(_, plan)| plan.status)
    }

    #[test]
    fn a_plan_is_made_again_with_each_answer_until_it_asks_for_nothing() {
        assert_eq!(counting(0), Ok(Vec::new()));
        assert_eq!(counting(3), Ok(vec![0, 10, 20]));
        assert_eq!(counting(ROUNDS - 1).map(|all| all.len()), Ok(ROUNDS - 1));
    }

    #[test]
    fn a_plan_that_asks_for_ever_is_given_up() {
        assert_eq!(counting(usize::MAX), Err(NeverComplete));
    }
}
