//! What the passes over all resources of a kind remember from one to the next. Nothing that cannot be lost: a new process does without.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;
use std::time::Duration;

use operator_runtime::watch::ObjectRef;

use crate::lock::lock;

/// The watch brings what changed, and with it the next pass; this is the pause where the watch brought it already. Each time in a
/// row the pause is doubled: a watch that is broken must not have keys made in a loop.
const OUTDATED: Duration = Duration::from_millis(200);

/// How often that pause is doubled.
const OUTDATED_DOUBLINGS: u32 = 6;

/// Something that lasts and is announced once: its reason, and what tells it from another of that.
pub(super) type Episode = (String, String);

/// What is remembered of one resource.
#[derive(Debug, Default)]
struct Memory {
    /// Passes in a row that ended because the caches were behind.
    outdated: u32,
    /// What was announced and lasts.
    announced: BTreeSet<Episode>,
}

/// The memories of all resources of a kind.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<ObjectRef, Memory>>);

impl Memories {
    /// The pause before the next pass, after a pass that ended because the caches were behind.
    pub(super) fn is_outdated(&self, key: &ObjectRef) -> Duration {
        let mut all = lock(&self.0);
        let memory = all.entry(key.clone()).or_default();
        memory.outdated = memory.outdated.saturating_add(1);
        outdated_pause(memory.outdated)
    }

    /// A pass came to its end: the caches are not behind.
    pub(super) fn is_current(&self, key: &ObjectRef) {
        if let Some(memory) = lock(&self.0).get_mut(key) {
            memory.outdated = 0;
        }
    }

    /// Notes what lasts now, and says which of it was announced already.
    pub(super) fn announce(&self, key: &ObjectRef, lasting: BTreeSet<Episode>) -> BTreeSet<Episode> {
        let mut all = lock(&self.0);
        if lasting.is_empty() && !all.contains_key(key) {
            return BTreeSet::new();
        }
        std::mem::replace(&mut all.entry(key.clone()).or_default().announced, lasting)
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        lock(&self.0).remove(key);
    }
}

/// The pause after the caches were behind for so many passes in a row.
fn outdated_pause(times: u32) -> Duration {
    OUTDATED * 2_u32.pow(times.saturating_sub(1).min(OUTDATED_DOUBLINGS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_that_stay_behind_are_asked_less_and_less_often() {
        let pauses: Vec<Duration> = (1..=8).map(outdated_pause).collect();
        assert_eq!(pauses[0], OUTDATED, "the first time it is likely to be over within moments");
        assert!(pauses[..7].windows(2).all(|pair| pair[1] == pair[0] * 2), "{pauses:?}");
        assert!(pauses[6] >= Duration::from_secs(10), "keys are made in each such pass: {pauses:?}");
        assert_eq!((pauses[7], outdated_pause(u32::MAX)), (pauses[6], pauses[6]), "and it goes on trying");
        let (memories, key) = (Memories::default(), ObjectRef::new("ns", "a"));
        assert_eq!([memories.is_outdated(&key), memories.is_outdated(&key)], [OUTDATED, OUTDATED * 2]);
        memories.is_current(&key);
        assert_eq!(memories.is_outdated(&key), OUTDATED);
    }
}
