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
    /// Since when it is not known of others what they have, by whom it matters to.
    unknown: Mutex<HashMap<OwnerRef, BTreeMap<OwnerRef, Silent>>>,
}

/// Time without a question after which a silence is another one.
const GAP: Duration = Duration::from_mins(2);

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

impl Sharers {
    pub(crate) fn new(caches: Caches, connects: Arc<Apis>, mirror_makers: Arc<Apis>) -> Self {
        Self { caches, connects, mirror_makers, unknown: Mutex::default() }
    }

    /// Notes which of the others have other connectors than a resource whose workers list these. Those of its own namespace are
    /// believed. To be called only when there is something to remove: it takes as long as they take to answer.
    pub(crate) async fn judge(&self, of: &OwnerRef, listed: &Listing, all: &mut [Sharing]) {
        let is_elsewhere =
            |one: &Sharing| one.field.shares_connectors() && one.namespace != of.object.namespace;
        let others: BTreeSet<OwnerRef> = all.iter().filter(|one| is_elsewhere(one)).map(owner).collect();
        if others.is_empty() {
            return self.forget(of);
        }
        let own = connectors(listed);
        let asked = join_all(others.iter().map(|other| async move { (other, self.ask(other).await) })).await;
        let mut apart = BTreeSet::new();
        let mut unknown = lock(&self.unknown);
        let since = unknown.entry(of.clone()).or_default();
        since.retain(|other, _| others.contains(other));
        for (other, theirs) in asked {
            let verdict = sharing::compare(&own, theirs.as_ref());
            if verdict.is_some() {
                since.remove(other);
            }
            let holds = verdict.unwrap_or_else(|| {
                let silent = Silent::lasts(since.get(other).copied(), Instant::now());
                since.insert(other.clone(), silent);
                silent.asked.duration_since(silent.since) < sharing::PATIENCE
            });
            if !holds {
                apart.insert(other.clone());
            }
        }
        for one in all.iter_mut().filter(|one| is_elsewhere(one)) {
            one.is_apart = apart.contains(&owner(one));
        }
    }

    /// What connectors another resource has; `None`: that is not known.
    async fn ask(&self, other: &OwnerRef) -> Option<Connectors> {
        let key = &other.object;
        let (apis, uid) = if other.kind == KAFKA_CONNECT {
            (&self.connects, self.caches.connects.get(key)?.metadata.uid.clone())
        } else {
            (&self.mirror_makers, self.caches.mirror_makers.get(key)?.metadata.uid.clone())
        };
        match apis.of(key, uid.as_deref()).ok()?.look(Instant::now()).await {
            Look::Here(listed) => Some(connectors(&listed)),
            Look::Away { .. } | Look::Unusable(_) => None,
        }
    }

    /// Forgets a resource that is gone.
    pub(crate) fn forget(&self, of: &OwnerRef) {
        lock(&self.unknown).remove(of);
    }
}

fn owner(one: &Sharing) -> OwnerRef {
    OwnerRef::new(one.kind, ObjectRef::new(&one.namespace, &one.name))
}

/// What connectors are to do, each in short.
fn connectors(listed: &Listing) -> Connectors {
    let what = |options: &BTreeMap<String, String>| {
        let mut hasher = DefaultHasher::new();
        options.hash(&mut hasher);
        hasher.finish()
    };
    listed.iter().map(|(name, one)| (name.clone(), what(&one.info.config))).collect()
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
        let later = Silent::lasts(silent, begun + Duration::from_mins(60));
        assert_eq!(lasted(later), Duration::ZERO, "what was long ago says nothing of now");
    }
}
