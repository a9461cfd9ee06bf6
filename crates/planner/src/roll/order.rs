//! Which pods may restart next, and what a restart has to wait for. Pure.
//!
//! A missing pod is made first, pods that serve nobody are replaced first, unready ones go before ready ones, and a pod that was made
//! anew is waited for before the next one goes. What else may keep a pod from going is said by [`Rules`].
//!
//! Pods go one by one, but for ready ones of which the rules of the kind say that they may be down together: such a batch goes at
//! once, and all of it is waited for before anything else goes. An operator that was killed in the middle of a batch finds some of it
//! on its way down or up, and waits for that, too: the rest is decided about when it is back.
//!
//! Nothing is kept between two decisions. What the last one did shows in the pods, so an operator that was killed in
//! the middle of a roll goes on where it was.

use std::collections::BTreeSet;

use serde::Serialize;

use super::pod_state::PodState;
use crate::restart_reason::RestartReason;

/// What is known of a pod, whatever runs in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    /// Name of the pod.
    pub pod: &'a str,
    /// How it is.
    pub state: PodState,
    /// It has been in a state other than ready for longer than anybody should have to wait.
    pub long: bool,
    /// This very pod was ready at some time.
    pub served: bool,
    /// It waits for a machine.
    pub unscheduled: bool,
    /// What it does while it is not ready, in words, if that is known.
    pub busy: Option<&'a str>,
    /// Why it has to restart; empty when it need not.
    pub reasons: &'a BTreeSet<RestartReason>,
}

impl Facts<'_> {
    fn is_not_ready(&self) -> String {
        let busy = self.busy.map(|words| format!(": {words}")).unwrap_or_default();
        format!("pod {} is not ready{busy}", self.pod)
    }
}

/// A pod that takes part in a roll.
pub(crate) trait Member {
    /// What tells it from the others; smaller ones go first.
    type Id: Copy + Ord;

    /// Its id.
    fn id(&self) -> Self::Id;

    /// What is known of its pod.
    fn facts(&self) -> Facts<'_>;

    /// Whether nothing is taken away when its pod is replaced.
    fn serves_nobody(&self) -> bool;

    /// Its group: the pods of one group go before those of the next one.
    fn group(&self) -> u8 {
        0
    }
}

/// What keeps the pods of a kind from being down together.
pub(crate) trait Rules<M: Member> {
    /// Why these may not be down together; `None`: they may.
    fn obstacle(&self, batch: &BTreeSet<M::Id>) -> Option<String>;

    /// Whether a ready pod goes after the other ready ones of its group.
    fn goes_last(&self, _member: &M) -> bool {
        false
    }

    /// Whether a ready pod may go at the same time as the pods of this batch, which may.
    fn joins(&self, _batch: &BTreeSet<M::Id>, _member: &M) -> bool {
        false
    }

    /// Why the batch waits although it may go: one of these ready pods that are due is soon to go with it.
    fn gathers(&self, _batch: &BTreeSet<M::Id>, _others: &[&M]) -> Option<String> {
        None
    }
}

/// What to do now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Decision<Id: Ord> {
    /// No pod has a reason to restart.
    Settled,
    /// Restart these now: one, or a batch that may be down together.
    Restart(BTreeSet<Id>),
    /// A pod is on its way up or down, as pods of a roll are; the sentence says which.
    Starting(String),
    /// A restart is due and may not be made now; the sentence says what is waited for.
    Held(String),
}

/// Decides the next step of a roll as far as the pods alone decide it; `None` when it depends on the rules.
pub(crate) fn by_pods<M: Member>(members: &[M]) -> Option<Decision<M::Id>> {
    let candidates: Vec<&M> = candidates(members).collect();
    let first = candidates.first()?;
    // The pod of a machine that is gone stays in deletion until the machine comes back.
    let mut missing = members.iter().map(Member::facts);
    if let Some(facts) = missing.find(|facts| facts.state == PodState::Missing && !facts.long) {
        return Some(Decision::Starting(format!("pod {} is being created", facts.pod)));
    }
    // A pod that serves nobody takes nothing away when it is replaced, and may be what another one waits for: a quorum
    // that was made from a wrong resource is back only when a majority was made anew.
    let stuck = candidates.iter().filter(|member| member.serves_nobody());
    if let Some(stuck) = stuck.min_by_key(|member| (member.group(), member.id())) {
        return Some(Decision::Restart(BTreeSet::from([stuck.id()])));
    }
    if candidates.iter().any(|member| gate(members, *member).is_none()) {
        return None;
    }
    let gate = gate(members, *first)?;
    let why = gate.is_not_ready();
    Some(if gate.long { Decision::Held(held(*first, &why)) } else { Decision::Starting(why) })
}

/// Decides the next step of a roll where [`by_pods`] does not.
pub(crate) fn by_rules<M: Member>(members: &[M], rules: &impl Rules<M>) -> Decision<M::Id> {
    let mut candidates: Vec<&M> = candidates(members).collect();
    if candidates.is_empty() {
        return Decision::Settled;
    }
    candidates.sort_by_key(|member| {
        let ready = member.facts().state == PodState::Ready;
        (member.group(), ready, rules.goes_last(member), member.id())
    });
    let mut first_obstacle = None;
    // A ready pod is not taken down while another one that is down waits; another unready one may be what brings it back.
    let mut one_is_down = false;
    for member in &candidates {
        let member = *member;
        let facts = member.facts();
        if facts.state == PodState::Ready && one_is_down {
            continue;
        }
        let obstacle = match gate(members, member) {
            Some(gate) => Some(gate.is_not_ready()),
            None => rules.obstacle(&BTreeSet::from([member.id()])),
        };
        match obstacle {
            None => match together(members, member, &candidates, rules) {
                // A batch of others may be full.
                Decision::Held(why) => {
                    first_obstacle.get_or_insert(why);
                }
                goes => return goes,
            },
            Some(why) => {
                first_obstacle.get_or_insert(held(member, &why));
                one_is_down |= facts.state != PodState::Ready && !facts.long;
            }
        }
    }
    Decision::Held(first_obstacle.unwrap_or_default())
}

/// The restart of a pod that may go, with those of the candidates that go with it.
fn together<M: Member>(
    members: &[M],
    first: &M,
    candidates: &[&M],
    rules: &impl Rules<M>,
) -> Decision<M::Id> {
    let mut batch = BTreeSet::from([first.id()]);
    if first.facts().state != PodState::Ready {
        return Decision::Restart(batch);
    }
    let may_join = |other: &M| {
        other.id() != first.id() && other.facts().state == PodState::Ready && gate(members, other).is_none()
    };
    let mut others = Vec::new();
    for other in candidates.iter().copied().filter(|other| may_join(other)) {
        if rules.joins(&batch, other) {
            batch.insert(other.id());
        } else {
            others.push(other);
        }
    }
    match rules.gathers(&batch, &others) {
        Some(why) => Decision::Held(held(first, &why)),
        None => Decision::Restart(batch),
    }
}

fn held(member: &impl Member, why: &str) -> String {
    format!("restart of pod {} waits: {why}", member.facts().pod)
}

/// Those that are to restart and have a pod.
fn candidates<M: Member>(members: &[M]) -> impl Iterator<Item = &M> {
    members.iter().filter(|member| {
        let facts = member.facts();
        !facts.reasons.is_empty() && facts.state != PodState::Missing
    })
}

/// The gate after a restart: a pod that is to stay as it is and is not ready yet, for which a restart of `candidate` waits.
///
/// - A pod that became unready a short time ago is waited for.
/// - A pod that was ready before and has been down for long is left to the rules of the kind: a machine that
///   died must not keep the others from their new certificates.
/// - A pod that has not been ready since it was made may have been broken by the change. It alone is risked: every pod that
///   would be made in the same way waits until it is ready or the resource is corrected, which gives it a reason of its own.
fn gate<'a, M: Member>(members: &'a [M], candidate: &M) -> Option<Facts<'a>> {
    let reasons = candidate.facts().reasons;
    let only = |may: fn(RestartReason) -> bool| reasons.iter().all(|reason| may(*reason));
    let others = members.iter().filter(|member| member.id() != candidate.id());
    others.map(Member::facts).find(|facts| {
        let down = matches!(facts.state, PodState::Stuck | PodState::Unready);
        if !down || !facts.reasons.is_empty() {
            return false;
        }
        let left_to_the_rules = facts.served
            || only(RestartReason::is_about_certificates)
            || (facts.unscheduled && only(|reason| !reason.is_about_the_pod()));
        !facts.long || !left_to_the_rules
    })
}
