//! Whose turn it is, where a new version of the operator restarts the pods of many clusters: canaries first, then one cluster after
//! another. What is known of the clusters comes out of their own passes.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::words::{first, quoted};

/// Longest time that one cluster keeps others waiting after it got its turn. A cluster that does not become ready holds up what its owner
/// may mend, and not the clusters of everybody else: canaries are there for what is wrong with the new version.
const LONGEST_TURN: SignedDuration = SignedDuration::from_hours(1);
/// Longest time after the first question that clusters are waited for which were not looked at since the start. Some cannot be: those with
/// too much to read.
const LONGEST_START: SignedDuration = SignedDuration::from_mins(10);
/// Clusters that a status names.
const NAMED: usize = 3;

/// How far a cluster is with the pods that a new version of the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnState {
    /// Its pods wait for their turn, an approval or a window.
    Waits,
    /// Pods restart, or are to.
    Goes,
    /// All pods are as they are to be, and something is still waited for, such as the last of them to be ready.
    NotReady,
    /// All pods are as they are to be, and nothing is waited for.
    Done,
}

/// Whether a cluster may restart its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Since the start of the operator, this number of clusters has not been looked at.
    Starting(usize),
    /// These canaries are not done, as `namespace/name`.
    Canaries(Vec<String>),
    /// So many other clusters have their turn, and no more may at a time.
    Others(usize),
}

impl Turn {
    /// What a cluster of the namespace waits for; `None`: nothing. Clusters of other namespaces are counted and not named: they may be those
    /// of other teams.
    pub fn waits_for(&self, namespace: &str) -> Option<String> {
        let is_own = |name: &&String| name.strip_prefix(namespace).is_some_and(|rest| rest.starts_with('/'));
        match self {
            Self::Now => None,
            Self::Starting(1) => Some("the operator has looked at one more cluster".to_owned()),
            Self::Starting(number) => Some(format!("the operator has looked at {number} more clusters")),
            Self::Canaries(names) => {
                let own: Vec<&String> = names.iter().filter(is_own).collect();
                let mut missing: Vec<String> = (!own.is_empty())
                    .then(|| first(own.iter().map(|name| quoted(name)), NAMED, ", "))
                    .into_iter()
                    .collect();
                if names.len() > own.len() {
                    missing.push(format!("{} in other namespaces", names.len() - own.len()));
                }
                Some(format!("all canaries run with it and are ready; not yet: {}", missing.join(", ")))
            }
            Self::Others(1) => Some("another cluster has restarted its pods".to_owned()),
            Self::Others(number) => Some(format!("one of {number} other clusters has restarted its pods")),
        }
    }
}

/// How far the look at all clusters is with which a process begins.
#[derive(Debug, Default)]
enum Start {
    /// Nobody asked yet. These have been looked at.
    #[default]
    Unasked,
    /// These have to be looked at, until then.
    Waits(BTreeSet<String>, Timestamp),
    Over,
}

/// What the passes of this process said of all clusters, by `namespace/name`. Nothing in it outlives the process: a new process looks at
/// every cluster before it lets one go, and takes those whose pods restart then for clusters that have their turn.
#[derive(Debug, Default)]
pub struct OperatorTurns {
    /// Clusters that go before all others.
    canaries: BTreeSet<String>,
    /// Clusters that may have their turn at a time.
    at_once: usize,
    start: Start,
    /// Clusters that were looked at, as long as that matters.
    seen: BTreeSet<String>,
    /// Canaries that are done.
    done: BTreeSet<String>,
    /// Clusters that have their turn, and since when.
    turns: BTreeMap<String, Timestamp>,
    /// Clusters that asked in vain.
    waiting: BTreeSet<String>,
}

impl OperatorTurns {
    /// For these canaries, with so many clusters at a time.
    pub fn new(canaries: BTreeSet<String>, at_once: usize) -> Self {
        Self { canaries, at_once, ..Self::default() }
    }

    /// Notes what a pass found; `None`: the cluster cannot be planned, or is not looked after for now. Returns clusters that are to ask again:
    /// their turn has come, or all that wait do so for something else now.
    pub fn report(&mut self, cluster: &str, state: Option<TurnState>, now: Timestamp) -> Vec<String> {
        let is_first = match &mut self.start {
            Start::Unasked => self.seen.insert(cluster.to_owned()),
            Start::Waits(unseen, _) => unseen.remove(cluster),
            Start::Over => false,
        };
        match state {
            Some(TurnState::Goes) if is_first => drop(self.turns.insert(cluster.to_owned(), now)),
            // What has its turn goes in the same pass: a cluster that waits all the same was given something else to wait for.
            Some(TurnState::Done | TurnState::Waits) => drop(self.turns.remove(cluster)),
            _ => {}
        }
        let mut is_last_canary = false;
        if state != Some(TurnState::Done) {
            self.done.remove(cluster);
        } else if self.canaries.contains(cluster) && self.done.insert(cluster.to_owned()) {
            is_last_canary = self.done.len() == self.canaries.len();
        }
        if state != Some(TurnState::Waits) {
            self.waiting.remove(cluster);
        }
        let has_started = matches!(self.start, Start::Waits(..)) && self.unseen(None, now) == 0;
        if has_started {
            self.start = Start::Over;
        }
        if has_started || is_last_canary {
            return self.waiting.iter().cloned().collect();
        }
        self.next(now)
    }

    /// The cluster is gone. Returns clusters whose turn has come.
    pub fn forget(&mut self, cluster: &str, now: Timestamp) -> Vec<String> {
        self.turns.remove(cluster);
        let next = self.report(cluster, None, now);
        self.seen.remove(cluster);
        next
    }

    /// Whether a cluster may restart its pods for the new version. A cluster that may has its turn until its pass says that it is done.
    /// `all` are the clusters that there are; it is asked once.
    pub fn ask(&mut self, cluster: &str, all: impl FnOnce() -> BTreeSet<String>, now: Timestamp) -> Turn {
        if matches!(self.start, Start::Unasked) {
            let unseen = &all() - &std::mem::take(&mut self.seen);
            self.start =
                if unseen.is_empty() { Start::Over } else { Start::Waits(unseen, now + LONGEST_START) };
        }
        if self.turns.contains_key(cluster) {
            return Turn::Now;
        }
        let refused = self.refuses(cluster, now);
        if let Some(turn) = refused {
            self.waiting.insert(cluster.to_owned());
            return turn;
        }
        self.waiting.remove(cluster);
        self.turns.insert(cluster.to_owned(), now);
        Turn::Now
    }

    /// Why it is not the turn of a cluster.
    fn refuses(&self, cluster: &str, now: Timestamp) -> Option<Turn> {
        let unseen = self.unseen(Some(cluster), now);
        if unseen > 0 {
            return Some(Turn::Starting(unseen));
        }
        let missing = &self.canaries - &self.done;
        if !missing.is_empty() && !self.canaries.contains(cluster) {
            return Some(Turn::Canaries(missing.into_iter().collect()));
        }
        let going = self.going(now);
        (going >= self.at_once).then_some(Turn::Others(going))
    }

    /// How many clusters have to be looked at before any cluster goes. The cluster `but`, which asks, does not count.
    fn unseen(&self, but: Option<&str>, now: Timestamp) -> usize {
        match &self.start {
            Start::Waits(unseen, until) if now < *until => {
                unseen.iter().filter(|cluster| Some(cluster.as_str()) != but).count()
            }
            _ => 0,
        }
    }

    /// Clusters that keep others waiting.
    fn going(&self, now: Timestamp) -> usize {
        self.turns.values().filter(|since| now.duration_since(**since) < LONGEST_TURN).count()
    }

    /// The clusters that wait and whose turn it is: canaries, then by name.
    fn next(&self, now: Timestamp) -> Vec<String> {
        if self.waiting.is_empty() || self.unseen(None, now) > 0 {
            return Vec::new();
        }
        let free = self.at_once.saturating_sub(self.going(now));
        let (canaries, others): (Vec<&String>, Vec<&String>) =
            self.waiting.iter().partition(|name| self.canaries.contains(*name));
        let others = others.into_iter().filter(|_| self.done.len() == self.canaries.len());
        canaries.into_iter().chain(others).take(free).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|name| (*name).to_owned()).collect()
    }

    fn turns(canaries: &[&str], at_once: usize) -> OperatorTurns {
        OperatorTurns::new(names(canaries), at_once)
    }

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn ask(turns: &mut OperatorTurns, name: &str) -> Turn {
        turns.ask(name, || names(&["a/1", "a/2", "b/3"]), now())
    }

    /// A pass over a cluster that waits.
    fn waits(turns: &mut OperatorTurns, name: &str) -> Turn {
        let turn = ask(turns, name);
        let state = if turn == Turn::Now { TurnState::Goes } else { TurnState::Waits };
        assert!(turns.report(name, Some(state), now()).is_empty(), "nobody's turn comes by that");
        turn
    }

    /// Three clusters that wait, of which each has been looked at.
    fn waiting(canaries: &[&str], at_once: usize) -> OperatorTurns {
        let mut turns = turns(canaries, at_once);
        for name in ["a/1", "a/2", "b/3"] {
            assert!(turns.report(name, Some(TurnState::Waits), now()).is_empty(), "nobody asked yet");
        }
        turns
    }

    #[test]
    fn one_cluster_goes_after_another() {
        let mut turns = waiting(&[], 1);
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now);
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now, "its turn lasts");
        assert_eq!(waits(&mut turns, "a/2"), Turn::Others(1));
        assert!(turns.report("b/3", Some(TurnState::NotReady), now()).is_empty());
        assert_eq!(waits(&mut turns, "a/1"), Turn::Others(1));
        assert_eq!(turns.report("b/3", Some(TurnState::Done), now()), ["a/1"], "it is woken");
        assert_eq!(waits(&mut turns, "a/1"), Turn::Now);
        assert_eq!(turns.report("a/1", Some(TurnState::Done), now()), ["a/2"]);
    }

    #[test]
    fn whoever_waits_for_something_else_takes_no_turn_away() {
        let mut turns = waiting(&[], 1);
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now);
        assert_eq!(waits(&mut turns, "a/2"), Turn::Others(1));
        // The first by name waits for an approval, and never asks.
        assert_eq!(turns.report("b/3", Some(TurnState::Done), now()), ["a/2"]);
        // The cluster whose turn it is waits for an approval by now: others need not wait for that.
        assert_eq!(waits(&mut turns, "a/2"), Turn::Now);
        assert_eq!(waits(&mut turns, "a/1"), Turn::Others(1));
        assert_eq!(turns.report("a/2", Some(TurnState::Waits), now()), ["a/1"]);
        assert_eq!(turns.report("a/1", None, now()), [""; 0], "what cannot be planned waits for no turn");
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now);
        assert_eq!(waits(&mut turns, "a/2"), Turn::Others(1));
        assert_eq!(turns.report("a/2", None, now()), [""; 0]);
        assert_eq!(
            turns.report("b/3", Some(TurnState::Done), now()),
            [""; 0],
            "nobody waits for a turn any more"
        );
    }

    #[test]
    fn a_turn_that_becomes_free_between_a_question_and_the_end_of_its_pass_is_not_lost() {
        let mut turns = waiting(&[], 1);
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now);
        assert_eq!(ask(&mut turns, "a/1"), Turn::Others(1));
        assert_eq!(turns.report("b/3", Some(TurnState::Done), now()), ["a/1"]);
    }

    #[test]
    fn two_clusters_go_at_a_time_where_two_may() {
        let mut turns = waiting(&[], 2);
        assert_eq!([waits(&mut turns, "a/1"), waits(&mut turns, "a/2")], [Turn::Now, Turn::Now]);
        assert_eq!(waits(&mut turns, "b/3"), Turn::Others(2));
    }

    #[test]
    fn canaries_go_first_and_all_others_wait_until_they_are_ready() {
        let mut turns = waiting(&["b/3", "c/missing"], 1);
        let missing = |all: &[&str]| Turn::Canaries(names(all).into_iter().collect());
        assert_eq!(waits(&mut turns, "a/1"), missing(&["b/3", "c/missing"]));
        assert_eq!(waits(&mut turns, "b/3"), Turn::Now);
        turns.report("b/3", Some(TurnState::NotReady), now());
        assert_eq!(waits(&mut turns, "a/1"), missing(&["b/3", "c/missing"]));
        assert!(turns.report("b/3", Some(TurnState::Done), now()).is_empty());
        let held = waits(&mut turns, "a/1");
        assert_eq!(held, missing(&["c/missing"]), "a name that is wrong is seen");
        assert!(held.waits_for("c").unwrap().ends_with("not yet: \"c/missing\""), "{held:?}");
        assert!(held.waits_for("a").unwrap().ends_with("not yet: 1 in other namespaces"), "{held:?}");
        assert_eq!(turns.report("c/missing", Some(TurnState::Done), now()), ["a/1"]);
        // A canary that falls ill stops the fleet again.
        turns.report("b/3", Some(TurnState::NotReady), now());
        assert_eq!(waits(&mut turns, "a/2"), missing(&["b/3"]));
    }

    #[test]
    fn after_a_start_nobody_goes_before_every_cluster_was_looked_at() {
        let mut turns = turns(&[], 1);
        assert_eq!(waits(&mut turns, "a/1"), Turn::Starting(2));
        // The former process had let it go, and its roll goes on until it is ready.
        assert!(turns.report("a/2", Some(TurnState::Goes), now()).is_empty());
        assert_eq!(turns.report("b/3", None, now()), ["a/1"], "it waits for something else now, and says so");
        assert_eq!(waits(&mut turns, "a/1"), Turn::Others(1));
        assert!(turns.report("a/2", Some(TurnState::NotReady), now()).is_empty());
        assert_eq!(waits(&mut turns, "a/1"), Turn::Others(1));
        assert_eq!(turns.report("a/2", Some(TurnState::Done), now()), ["a/1"]);
        // Where nobody goes, the last one to be looked at brings the next.
        let mut turns = self::turns(&[], 1);
        assert_eq!(waits(&mut turns, "a/1"), Turn::Starting(2));
        assert!(turns.report("a/2", Some(TurnState::Done), now()).is_empty());
        assert_eq!(turns.forget("b/3", now()), ["a/1"]);
        // A cluster that is made later is no reason to begin anew.
        assert_eq!(waits(&mut turns, "a/1"), Turn::Now);
        assert_eq!(turns.ask("a/2", || names(&["d/4"]), now()), Turn::Others(1));
    }

    #[test]
    fn what_a_cluster_waits_for_is_said_anew_when_the_first_look_is_over() {
        let mut turns = OperatorTurns::new(BTreeSet::new(), 1);
        let ask = |turns: &mut OperatorTurns, name| turns.ask(name, || names(&["a/1", "a/2"]), now());
        // Both passes run at the same time.
        assert_eq!(ask(&mut turns, "a/2"), Turn::Starting(1));
        assert_eq!(ask(&mut turns, "a/1"), Turn::Starting(1));
        assert!(turns.report("a/2", Some(TurnState::Waits), now()).is_empty());
        assert_eq!(turns.report("a/1", Some(TurnState::Waits), now()), ["a/1", "a/2"]);
        assert_eq!(ask(&mut turns, "a/2"), Turn::Now);
        assert_eq!(ask(&mut turns, "a/1"), Turn::Others(1));
    }

    #[test]
    fn a_cluster_that_cannot_be_looked_at_keeps_nobody_for_long() {
        let mut turns = turns(&[], 1);
        assert_eq!(waits(&mut turns, "a/1"), Turn::Starting(2));
        let later = now() + LONGEST_START;
        assert_eq!(turns.report("a/2", Some(TurnState::Done), later), ["a/1"]);
        assert_eq!(turns.ask("a/1", BTreeSet::new, later), Turn::Now);
    }

    #[test]
    fn a_cluster_that_is_broken_or_gone_does_not_keep_the_others_for_ever() {
        let mut turns = waiting(&[], 1);
        assert_eq!(waits(&mut turns, "a/1"), Turn::Now);
        turns.report("a/1", Some(TurnState::NotReady), now());
        assert_eq!(waits(&mut turns, "a/2"), Turn::Others(1));
        let later = now() + LONGEST_TURN;
        // To be paused and to go on gives no new hour.
        turns.report("a/1", None, later);
        assert_eq!(turns.report("a/1", Some(TurnState::Goes), later), ["a/2"]);
        assert_eq!(turns.ask("a/2", BTreeSet::new, later), Turn::Now);
        assert_eq!(turns.ask("b/3", BTreeSet::new, later), Turn::Others(1));
        assert_eq!(turns.forget("a/2", later), ["b/3"]);
        // Nor do new clusters whose pods never come, or clusters that restart pods for something else.
        turns.report("t/new", Some(TurnState::Goes), later);
        assert_eq!(turns.ask("b/3", BTreeSet::new, later), Turn::Now);
    }

    #[test]
    fn nothing_is_kept_of_clusters_that_are_gone() {
        let mut turns = turns(&["a/1"], 1);
        for name in ["a/1", "a/2"] {
            turns.report(name, Some(TurnState::Goes), now());
            turns.forget(name, now());
        }
        let OperatorTurns { seen, done, turns, waiting, .. } = turns;
        assert!(seen.is_empty() && done.is_empty() && turns.is_empty() && waiting.is_empty());
    }
}
