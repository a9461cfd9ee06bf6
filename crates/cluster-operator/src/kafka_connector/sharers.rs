//! Whether workers of another namespace really have the connectors of a resource. What its author writes proves nothing; what its workers show
//! does, because they cannot know what connectors are to do elsewhere.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

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
    unknown: Mutex<HashMap<OwnerRef, BTreeMap<OwnerRef, Instant>>>,
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
                since.entry(other.clone()).or_insert_with(Instant::now).elapsed() < sharing::PATIENCE
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
