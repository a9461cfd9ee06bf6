//! Whether workers of another namespace really have the connectors of a resource. What its author writes proves nothing; what its workers show
//! does, because they cannot know what connectors are to do elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use connect_client::Listing;
use futures::future::join_all;
use operator_runtime::watch::{ObjectRef, OwnerRef};
use planner::workers::sharing::{self, Connectors, Sharing};
use tokio::time::Instant;

use super::apis::{Apis, Look};
use crate::caches::{Caches, KAFKA_CONNECT};
use crate::lock::lock;

/// Asks workers of other namespaces. One for the whole process.
pub(crate) struct Sharers {
    caches: Caches,
    connects: Arc<Apis>,
    mirror_makers: Arc<Apis>,
    /// What was found before, by whom it matters to.
    before: Mutex<HashMap<OwnerRef, Before>>,
}

/// Time without a question after which a silence is another one.
const GAP: Duration = Duration::from_mins(2);
/// Time between two comparisons that find nothing in common: a list that was out of date for a moment removes nothing.
const BETWEEN: Duration = Duration::from_secs(5);
/// How old a list of others may be.
const RECENT: Duration = Duration::from_secs(10);

/// What was found before.
#[derive(Debug, Default)]
struct Before {
    /// Namespaces with workers that do not say what they have.
    silent: BTreeMap<String, Silent>,
    /// Since when others have other connectors.
    apart: BTreeMap<OwnerRef, Instant>,
}

/// Workers that do not say what they have.
#[derive(Debug, Clone, Copy)]
struct Silent {
    since: Instant,
    asked: Instant,
}

impl Silent {
    /// For how long, now that they were asked once more.
    fn lasts(before: Option<Self>, now: Instant) -> Self {
        let goes_on = before.filter(|before| now.duration_since(before.asked) < GAP);
        Self { since: goes_on.map_or(now, |before| before.since), asked: now }
    }
}

impl Before {
    /// Whether another resource holds removals. `verdict`: whether its workers show the same connectors; `None`: they say nothing.
    fn holds(&mut self, other: &OwnerRef, verdict: Option<bool>, now: Instant) -> bool {
        match verdict {
            Some(true) => {
                self.apart.remove(other);
                true
            }
            Some(false) => {
                let since = *self.apart.entry(other.clone()).or_insert(now);
                now.duration_since(since) < BETWEEN
            }
            None => {
                self.apart.remove(other);
                // Of a namespace, because whoever has two resources there could have them be silent in turn.
                let namespace = &other.object.namespace;
                let silent = Silent::lasts(self.silent.get(namespace).copied(), now);
                self.silent.insert(namespace.clone(), silent);
                silent.asked.duration_since(silent.since) < sharing::PATIENCE
            }
        }
    }
}

impl Sharers {
    pub(crate) fn new(caches: Caches, connects: Arc<Apis>, mirror_makers: Arc<Apis>) -> Self {
        Self { caches, connects, mirror_makers, before: Mutex::default() }
    }

    /// Notes which of the others have other connectors than a resource whose workers have these. Those of its own namespace are
    /// believed. To be called only when there is something to remove, and without a list in hand: it takes as long as they take to answer.
    pub(crate) async fn judge(&self, of: &OwnerRef, own: &Connectors, all: &mut [Sharing], now: Instant) {
        let is_elsewhere =
            |one: &Sharing| one.field.shares_connectors() && one.namespace != of.object.namespace;
        let others: BTreeSet<OwnerRef> = all.iter().filter(|one| is_elsewhere(one)).map(owner).collect();
        if others.is_empty() {
            return;
        }
        let ask = |other| async move { (other, self.ask(other, own, now).await) };
        let asked = join_all(others.iter().map(ask)).await;
        let mut apart = BTreeSet::new();
        let mut all_before = lock(&self.before);
        let before = all_before.entry(of.clone()).or_default();
        before.apart.retain(|other, _| others.contains(other));
        before.silent.retain(|_, silent| now.duration_since(silent.asked) < GAP);
        for (other, verdict) in asked {
            if !before.holds(other, verdict, now) {
                apart.insert(other.clone());
            }
        }
        for one in all.iter_mut().filter(|one| is_elsewhere(one)) {
            one.is_apart = apart.contains(&owner(one));
        }
    }

    /// Whether the workers of another resource show the same connectors; `None`: that is not known. Nothing of their list is kept.
    async fn ask(&self, other: &OwnerRef, own: &Connectors, now: Instant) -> Option<bool> {
        let key = &other.object;
        let (apis, uid) = if other.kind == KAFKA_CONNECT {
            (&self.connects, self.caches.connects.get(key)?.metadata.uid.clone())
        } else {
            (&self.mirror_makers, self.caches.mirror_makers.get(key)?.metadata.uid.clone())
        };
        let not_before = now.checked_sub(RECENT).unwrap_or(now);
        match apis.of(key, uid.as_deref()).ok()?.look(not_before).await {
            Look::Here(listed) => {
                sharing::compare(own, |name| listed.get(name).map(|one| fingerprint(&one.info.config)))
            }
            Look::Away { .. } | Look::Unusable(_) => None,
        }
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, of: &OwnerRef) {
        lock(&self.before).remove(of);
    }
}

fn owner(one: &Sharing) -> OwnerRef {
    OwnerRef::new(one.kind, ObjectRef::new(&one.namespace, &one.name))
}

/// What connectors are to do, each in short.
pub(crate) fn connectors(listed: &Listing) -> Connectors {
    listed.iter().map(|(name, one)| (name.clone(), fingerprint(&one.info.config))).collect()
}

fn fingerprint(options: &BTreeMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    options.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_counts_as_long_as_somebody_asks_again_and_again() {
        let begun = Instant::now();
        let mut silent = None;
        for minute in 0..12 {
            silent = Some(Silent::lasts(silent, begun + Duration::from_secs(60 * minute)));
        }
        let lasted = |silent: Silent| silent.asked.duration_since(silent.since);
        assert_eq!(lasted(silent.unwrap()), Duration::from_mins(11));
        let later = Silent::lasts(silent, begun + Duration::from_hours(1));
        assert_eq!(lasted(later), Duration::ZERO, "what was long ago says nothing of now");
    }

    #[test]
    fn removals_are_held_until_two_comparisons_say_otherwise_and_not_by_a_namespace_that_is_silent_for_long()
    {
        let other = |name: &str| OwnerRef::new(KAFKA_CONNECT, ObjectRef::new("b", name));
        let (begun, mut before) = (Instant::now(), Before::default());
        assert!(before.holds(&other("x"), Some(false), begun), "once is not enough");
        assert!(!before.holds(&other("x"), Some(false), begun + BETWEEN));
        assert!(before.holds(&other("x"), Some(true), begun + BETWEEN));
        assert!(before.holds(&other("x"), Some(false), begun + 2 * BETWEEN), "it begins anew");
        for minute in 0..=10 {
            let name = if minute % 2 == 0 { "x" } else { "y" };
            let holds = before.holds(&other(name), None, begun + Duration::from_mins(minute));
            assert_eq!(holds, minute < 10, "minute {minute}");
        }
    }
}
