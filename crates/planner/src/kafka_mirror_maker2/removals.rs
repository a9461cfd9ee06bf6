//! Connectors that Kafka Connect has, or may have, and that the resource does not ask for. They go, a number of them at a time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::kafka_connector::past::{FailureKind, pause_after};

/// Connectors that one pass removes at most.
pub const AT_A_TIME: usize = 200;

/// A connector that could not be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedRemoval {
    /// Why, in words.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    again_at: Timestamp,
    times: u32,
}

/// What is known of connectors that are to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removals {
    /// Connectors that the resource asked for before: the list of Connect leaves out those without a state, such as one whose start
    /// hangs.
    left: BTreeSet<String>,
    failed: BTreeMap<String, FailedRemoval>,
}

impl Removals {
    /// Notes what the resource asks for now. What it asked for before and does not any more has to go.
    pub fn see(&mut self, before: &BTreeSet<String>, wanted: &BTreeSet<String>) {
        let room = AT_A_TIME.saturating_sub(self.left.len());
        self.left.extend(before.difference(wanted).take(room).cloned());
        self.left.retain(|name| !wanted.contains(name));
        self.failed.retain(|name, _| !wanted.contains(name));
    }

    /// Notes connectors that Connect has by name, whether it lists them or not.
    pub fn add(&mut self, names: impl IntoIterator<Item = String>) {
        let room = AT_A_TIME.saturating_sub(self.left.len());
        self.left.extend(names.into_iter().take(room));
    }

    /// Notes that a connector is gone.
    pub fn note_gone(&mut self, name: &str) {
        self.left.remove(name);
        self.failed.remove(name);
    }

    /// Notes that a connector could not be removed.
    pub fn note_failed(&mut self, name: &str, kind: FailureKind, message: String, now: Timestamp) {
        let before = self.failed.get(name);
        let times = before.map_or(1, |before| before.times.saturating_add(1));
        let since = before.map_or(now, |before| before.since);
        let failed = FailedRemoval { message, since, again_at: now + pause_after(kind, times), times };
        self.add([name.to_owned()]);
        self.failed.insert(name.to_owned(), failed);
    }

    /// Those that could not be removed, by name.
    pub fn failed(&self) -> &BTreeMap<String, FailedRemoval> {
        &self.failed
    }

    /// The connectors to remove now.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &String> {
        let waits = move |name: &&String| self.failed.get(*name).is_none_or(|failed| failed.again_at <= now);
        self.left.iter().filter(waits).take(AT_A_TIME)
    }

    /// When to try again what failed.
    pub fn next_try(&self) -> Option<Timestamp> {
        self.failed.values().map(|failed| failed.again_at).min()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn due(removals: &Removals, now: Timestamp) -> Vec<&str> {
        removals.due(now).map(String::as_str).collect()
    }

    #[test]
    fn what_was_asked_for_goes_until_it_is_gone_and_what_is_asked_for_again_stays() {
        let now = Timestamp::UNIX_EPOCH;
        let mut removals = Removals::default();
        removals.see(&set(&["a", "b"]), &set(&["b"]));
        assert_eq!(due(&removals, now), ["a"]);
        removals.see(&set(&["b"]), &set(&["b"]));
        assert_eq!(due(&removals, now), ["a"], "it is not known to be gone");
        removals.note_failed("a", FailureKind::Rebalancing, "no".to_owned(), now);
        assert!(due(&removals, now).is_empty(), "not at once");
        let next = removals.next_try().unwrap();
        assert_eq!(due(&removals, next), ["a"]);
        removals.note_failed("a", FailureKind::Failed, "no".to_owned(), next);
        assert_eq!(removals.failed()["a"].since, now);
        assert!(removals.next_try().unwrap().duration_since(next) > SignedDuration::from_secs(5));
        removals.see(&set(&["b"]), &set(&["a", "b"]));
        assert_eq!((due(&removals, next), removals.failed().len()), (Vec::new(), 0));
        removals.add(["c".to_owned()]);
        removals.note_gone("c");
        assert_eq!(removals, Removals::default());
    }

    #[test]
    fn a_connect_with_very_many_connectors_takes_no_more_memory_than_one_pass_removes() {
        let mut removals = Removals::default();
        for round in 0..3 {
            removals.add((0..50_000).map(|number| format!("other-{round}-{number}")));
        }
        assert_eq!(removals.due(Timestamp::UNIX_EPOCH).count(), AT_A_TIME);
        assert_eq!(removals.left.len(), AT_A_TIME);
    }
}
