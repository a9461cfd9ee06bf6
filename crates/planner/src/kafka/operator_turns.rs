//! Whose turn it is, where a new version of the operator restarts the pods of many clusters: canaries first, then one cluster after
//! another. What is known of the clusters comes out of their own passes, so that nobody looks through all of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::words::{first, quoted};

/// Longest time that one cluster keeps others waiting after it got its turn. A cluster that does not become ready holds up what its owner
/// may mend, and not the clusters of everybody else: canaries are there for what is wrong with the new version.
const LONGEST_TURN: SignedDuration = SignedDuration::from_hours(1);
/// Clusters that a status names.
const NAMED: usize = 3;

/// How far a cluster is with the pods that a new version of the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnState {
    /// Its pods wait for their turn, an approval or a window.
    Waits,
    /// Pods restart, or are to.
    Goes,
    /// All pods are as they are to be, and the cluster is not ready.
    NotReady,
    /// All pods are as they are to be, and the cluster is ready.
    Done,
}

/// Whether a cluster may restart its pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Now,
    /// Since the start of the operator, this number of clusters has not been looked at.
    Starting(usize),
    /// These canaries are not done.
    Canaries(Vec<String>),
    /// As many other clusters restart pods as may at a time. They are not named: they may be those of other teams.
    Others(usize),
}

impl Turn {
    /// What the cluster waits for; `None`: nothing.
    pub fn waits_for(&self) -> Option<String> {
        match self {
            Self::Now => None,
            Self::Starting(1) => Some("the operator has looked at one more cluster".to_owned()),
            Self::Starting(number) => Some(format!("the operator has looked at {number} more clusters")),
            Self::Canaries(names) => {
                let names = first(names.iter().map(|name| quoted(name)), NAMED, ", ");
                Some(format!("all pods of the canaries run with it and these are ready; not yet: {names}"))
            }
            Self::Others(1) => Some("another cluster has restarted its pods".to_owned()),
            Self::Others(number) => Some(format!("one of {number} other clusters has restarted its pods")),
        }
    }
}

/// What is known of one cluster.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// `None`: it cannot be planned.
    state: Option<TurnState>,
    /// Whether it has its turn.
    has_turn: bool,
    /// Since when others wait for it: it has its turn, or restarts pods for another reason.
    since: Option<Timestamp>,
}

impl Known {
    /// Whether others wait for it.
    fn keeps_others(&self, now: Timestamp) -> bool {
        self.since.is_some_and(|since| now.duration_since(since) < LONGEST_TURN)
    }

    fn report(&mut self, state: Option<TurnState>, now: Timestamp) {
        self.state = state;
        self.has_turn &= state != Some(TurnState::Done);
        let is_going = self.has_turn || state == Some(TurnState::Goes);
        self.since = is_going.then(|| self.since.unwrap_or(now));
    }
}

/// What the passes of this process said of all clusters, by `namespace/name`. Nothing in it outlives the process: a new process lets nobody
/// go before it has looked at every cluster.
#[derive(Debug, Default)]
pub struct OperatorTurns {
    /// Clusters that go before all others.
    canaries: BTreeSet<String>,
    /// Clusters that may restart pods at a time.
    at_once: usize,
    clusters: BTreeMap<String, Known>,
    /// Clusters that have to be looked at before anybody goes, as far as somebody asked.
    unseen: BTreeSet<String>,
}

impl OperatorTurns {
    /// For these canaries, with so many clusters at a time.
    pub fn new(canaries: BTreeSet<String>, at_once: usize) -> Self {
        Self { canaries, at_once, ..Self::default() }
    }

    /// Notes what a pass found; `None`: the cluster cannot be planned, or is not looked after for now. Returns clusters whose turn may
    /// have come.
    pub fn report(&mut self, cluster: &str, state: Option<TurnState>, now: Timestamp) -> Vec<String> {
        let known = self.clusters.entry(cluster.to_owned()).or_default();
        let (before, kept) = (known.state, known.keeps_others(now));
        known.report(state, now);
        let is_free = kept && !known.keeps_others(now);
        let is_canary = state == Some(TurnState::Done)
            && before != Some(TurnState::Done)
            && self.canaries.contains(cluster);
        let was_last = self.unseen.remove(cluster) && self.unseen.is_empty();
        if is_free || is_canary || was_last { self.next(now) } else { Vec::new() }
    }

    /// The cluster is gone. Returns clusters whose turn may have come.
    pub fn forget(&mut self, cluster: &str, now: Timestamp) -> Vec<String> {
        let next = self.report(cluster, None, now);
        let kept = self.clusters.remove(cluster).is_some_and(|known| known.keeps_others(now));
        if kept { self.next(now) } else { next }
    }

    /// Whether a cluster may restart its pods for the new version. A cluster that may has its turn until its pass says that it is done.
    /// `all` are the clusters that there are.
    pub fn ask(&mut self, cluster: &str, all: impl IntoIterator<Item = String>, now: Timestamp) -> Turn {
        if self.clusters.get(cluster).is_some_and(|known| known.has_turn) {
            return Turn::Now;
        }
        let clusters = &self.clusters;
        self.unseen = all.into_iter().filter(|one| one != cluster && !clusters.contains_key(one)).collect();
        if !self.unseen.is_empty() {
            return Turn::Starting(self.unseen.len());
        }
        let others = |name: &&String| name.as_str() != cluster;
        if !self.canaries.contains(cluster) {
            let is_done = |name: &&String| self.state(name) == Some(TurnState::Done);
            let missing: Vec<String> = self.canaries.iter().filter(|name| !is_done(name)).cloned().collect();
            if !missing.is_empty() {
                return Turn::Canaries(missing);
            }
        }
        let going = self.clusters.iter().filter(|(name, known)| others(name) && known.keeps_others(now));
        let going = going.count();
        if going >= self.at_once {
            return Turn::Others(going);
        }
        let known = self.clusters.entry(cluster.to_owned()).or_default();
        (known.has_turn, known.since) = (true, Some(now));
        Turn::Now
    }

    fn state(&self, cluster: &str) -> Option<TurnState> {
        self.clusters.get(cluster).and_then(|known| known.state)
    }

    /// The clusters that wait and come next: canaries, then by name.
    fn next(&self, now: Timestamp) -> Vec<String> {
        let going = self.clusters.values().filter(|known| known.keeps_others(now)).count();
        let waits = |name: &&String| self.state(name) == Some(TurnState::Waits);
        let canaries = self.canaries.iter().filter(waits);
        let others = self.clusters.keys().filter(|name| !self.canaries.contains(*name)).filter(waits);
        canaries.chain(others).take(self.at_once.saturating_sub(going)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(canaries: &[&str], at_once: usize) -> OperatorTurns {
        OperatorTurns::new(canaries.iter().map(|name| (*name).to_owned()).collect(), at_once)
    }

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// Clusters that wait, of which each has been looked at.
    fn waiting(turns: &mut OperatorTurns, names: &[&str]) {
        for name in names {
            assert!(turns.report(name, Some(TurnState::Waits), now()).is_empty(), "nobody asked yet");
        }
    }

    fn ask(turns: &mut OperatorTurns, name: &str) -> Turn {
        turns.ask(name, ["a/1", "a/2", "b/3"].map(str::to_owned), now())
    }

    #[test]
    fn one_cluster_goes_after_another() {
        let mut turns = turns(&[], 1);
        waiting(&mut turns, &["a/1", "a/2", "b/3"]);
        assert_eq!(ask(&mut turns, "b/3"), Turn::Now);
        assert_eq!(ask(&mut turns, "b/3"), Turn::Now, "its turn lasts");
        assert_eq!(ask(&mut turns, "a/1"), Turn::Others(1));
        for state in [TurnState::Goes, TurnState::NotReady] {
            assert!(turns.report("b/3", Some(state), now()).is_empty());
            assert_eq!(ask(&mut turns, "a/1"), Turn::Others(1));
        }
        assert_eq!(turns.report("b/3", Some(TurnState::Done), now()), ["a/1"], "it is woken");
        assert_eq!(ask(&mut turns, "a/1"), Turn::Now);
    }

    #[test]
    fn two_clusters_go_at_a_time_where_two_may() {
        let mut turns = turns(&[], 2);
        waiting(&mut turns, &["a/1", "a/2", "b/3"]);
        assert_eq!([ask(&mut turns, "a/1"), ask(&mut turns, "a/2")], [Turn::Now, Turn::Now]);
        assert_eq!(ask(&mut turns, "b/3"), Turn::Others(2));
    }

    #[test]
    fn canaries_go_first_and_all_others_wait_until_they_are_ready() {
        let mut turns = turns(&["b/3", "c/missing"], 1);
        waiting(&mut turns, &["a/1", "a/2", "b/3"]);
        let missing = |names: &[&str]| Turn::Canaries(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(ask(&mut turns, "a/1"), missing(&["b/3", "c/missing"]));
        assert_eq!(ask(&mut turns, "b/3"), Turn::Now);
        turns.report("b/3", Some(TurnState::NotReady), now());
        assert_eq!(ask(&mut turns, "a/1"), missing(&["b/3", "c/missing"]));
        turns.report("b/3", Some(TurnState::Done), now());
        let held = ask(&mut turns, "a/1");
        assert_eq!(held, missing(&["c/missing"]), "a name that is wrong is seen");
        assert!(held.waits_for().unwrap().contains("not yet: \"c/missing\""), "{held:?}");
    }

    #[test]
    fn after_a_start_nobody_goes_before_every_cluster_was_looked_at() {
        let mut turns = turns(&[], 1);
        waiting(&mut turns, &["a/1"]);
        assert_eq!(ask(&mut turns, "a/1"), Turn::Starting(2));
        // The former process had let it go, and its roll goes on.
        assert!(turns.report("a/2", Some(TurnState::Goes), now()).is_empty());
        assert!(turns.report("b/3", None, now()).is_empty(), "a cluster goes");
        assert_eq!(ask(&mut turns, "a/1"), Turn::Others(1));
        assert_eq!(turns.report("a/2", Some(TurnState::Done), now()), ["a/1"]);
        // Where nobody goes, the last one to be looked at brings the next.
        let mut turns = self::turns(&[], 1);
        waiting(&mut turns, &["a/1"]);
        ask(&mut turns, "a/1");
        assert!(turns.report("a/2", Some(TurnState::Done), now()).is_empty());
        assert_eq!(turns.forget("b/3", now()), ["a/1"]);
    }

    #[test]
    fn a_cluster_that_is_broken_or_gone_does_not_keep_the_others_for_ever() {
        let mut turns = turns(&[], 1);
        waiting(&mut turns, &["a/1", "a/2", "b/3"]);
        ask(&mut turns, "a/1");
        turns.report("a/1", Some(TurnState::NotReady), now());
        assert_eq!(ask(&mut turns, "a/2"), Turn::Others(1));
        let later = now() + LONGEST_TURN;
        assert_eq!(turns.ask("a/2", [], later), Turn::Now);
        assert_eq!(turns.forget("a/2", later), ["b/3"]);
        // Nor one whose restarts never come to an end.
        let mut turns = self::turns(&[], 1);
        turns.report("a/1", Some(TurnState::Goes), now());
        turns.report("a/1", Some(TurnState::Goes), later);
        assert_eq!(turns.ask("a/2", [], now()), Turn::Others(1));
        assert_eq!(turns.ask("a/2", [], later), Turn::Now);
        // A cluster that was broken before, and of which nothing restarts, keeps nobody.
        let mut turns = self::turns(&[], 1);
        turns.report("a/1", Some(TurnState::NotReady), now());
        turns.report("a/2", None, now());
        waiting(&mut turns, &["b/3"]);
        assert_eq!(ask(&mut turns, "b/3"), Turn::Now);
    }
}
