//! Finds resources whose workers have a name in Kafka that others have, too: of KafkaConnect and of KafkaMirrorMaker2 alike.

use std::collections::BTreeSet;

use api::{KafkaConnect, KafkaMirrorMaker2, names};
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Cache, Event, Index, ObjectRef};
use planner::pod_words::is_ready;
use planner::workers::sharing::{GroupKey, Sharing};
use planner::{kafka_connect, kafka_mirror_maker2};

use super::{Caches, KAFKA_CONNECT, KAFKA_MIRROR_MAKER2, Watched};

/// Others of the same namespace that are found for one resource.
const BESIDE: usize = 100;
/// Resources of other namespaces that one look goes over, and others at work that are found. Whoever writes many of them makes no look longer.
const LOOKED_AT: usize = 1000;
const ELSEWHERE: usize = 100;

/// Resources by the names that their workers have for themselves.
#[derive(Clone)]
pub(super) struct Groups {
    connects: Index<KafkaConnect, GroupKey>,
    mirror_makers: Index<KafkaMirrorMaker2, GroupKey>,
}

impl Groups {
    pub(super) fn of(watched: &Watched) -> Self {
        Self {
            connects: Index::of(&watched.connects, |_, connect| kafka_connect::group::keys(connect)),
            mirror_makers: Index::of(&watched.mirror_makers, |_, resource| {
                kafka_mirror_maker2::group::keys(resource)
            }),
        }
    }

    /// Others of the same namespace beside one resource of a kind with these names.
    fn beside(&self, of: (&str, &ObjectRef), names: &BTreeSet<GroupKey>) -> BTreeSet<Sharing> {
        let namespace = &of.1.namespace;
        let mut found = BTreeSet::new();
        for own in names {
            let all = [
                (KAFKA_CONNECT, self.connects.keys_within(own, namespace, BESIDE)),
                (KAFKA_MIRROR_MAKER2, self.mirror_makers.keys_within(own, namespace, BESIDE)),
            ];
            for (kind, others) in all {
                let others = others.into_iter().filter(|other| (kind, other) != of);
                found.extend(others.take(BESIDE.saturating_sub(found.len())).map(named(kind, own)));
            }
        }
        found
    }

    /// Those of other namespaces for which `counts` is true.
    fn elsewhere(
        &self,
        namespace: &str,
        names: &BTreeSet<GroupKey>,
        counts: impl Fn(&str, &ObjectRef) -> bool,
    ) -> BTreeSet<Sharing> {
        let (mut found, mut left) = (BTreeSet::new(), LOOKED_AT);
        for own in names {
            for kind in [KAFKA_CONNECT, KAFKA_MIRROR_MAKER2] {
                let others = if kind == KAFKA_CONNECT {
                    self.connects.keys_outside(own, namespace, left)
                } else {
                    self.mirror_makers.keys_outside(own, namespace, left)
                };
                left = left.saturating_sub(others.len());
                let others = others.into_iter().filter(|other| counts(kind, other));
                found.extend(others.take(ELSEWHERE.saturating_sub(found.len())).map(named(kind, own)));
            }
        }
        found
    }
}

fn named(kind: &'static str, own: &GroupKey) -> impl Fn(ObjectRef) -> Sharing {
    let field = own.field;
    move |ObjectRef { namespace, name }| Sharing { kind, namespace, name, field, is_apart: false }
}

impl Caches {
    /// Other resources whose workers have a name that those of this KafkaConnect have for themselves. Across namespaces only workers
    /// that are ready count, here and there: then both have joined. What the author of a resource merely writes does nothing to
    /// other namespaces, and tells him nothing of them.
    pub fn sharing(&self, key: &ObjectRef, connect: &KafkaConnect) -> Vec<Sharing> {
        self.at_work((KAFKA_CONNECT, key), &kafka_connect::group::keys(connect))
    }

    /// The same of a KafkaMirrorMaker2.
    pub fn sharing_of_mirror_maker(&self, key: &ObjectRef, resource: &KafkaMirrorMaker2) -> Vec<Sharing> {
        self.at_work((KAFKA_MIRROR_MAKER2, key), &kafka_mirror_maker2::group::keys(resource))
    }

    /// Those of one's own namespace, and those at work of others if one is at work oneself.
    fn at_work(&self, (kind, key): (&str, &ObjectRef), names: &BTreeSet<GroupKey>) -> Vec<Sharing> {
        let groups = &self.lookups.groups;
        let mut found = groups.beside((kind, key), names);
        if self.has_ready_worker(kind, &key.namespace, &key.name) {
            let is_at_work =
                |kind: &str, other: &ObjectRef| self.has_ready_worker(kind, &other.namespace, &other.name);
            found.extend(groups.elsewhere(&key.namespace, names, is_at_work));
        }
        found.into_iter().collect()
    }

    fn has_ready_worker(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let set = if kind == KAFKA_CONNECT {
            names::connect::component(name)
        } else {
            names::mirror_maker2::component(name)
        };
        self.pods_of_set(&ObjectRef::new(namespace, set)).iter().any(|pod| is_ready(pod))
    }

    /// Queues every resource of the same namespace that shared a name with the changed resource, or shares a name with it now. Those of other
    /// namespaces see it in their next pass: what is written here makes no work there, and the watch does not wait for any.
    pub fn on_change_of_sharing(&self, tell: impl Fn(&Sharing) + Clone + Send + Sync + 'static) {
        let tells = tell.clone();
        follow(&self.connects, self, KAFKA_CONNECT, kafka_connect::group::keys, tells);
        follow(&self.mirror_makers, self, KAFKA_MIRROR_MAKER2, kafka_mirror_maker2::group::keys, tell);
    }
}

fn follow<K>(
    cache: &Cache<K>,
    caches: &Caches,
    kind: &'static str,
    names: fn(&K) -> BTreeSet<GroupKey>,
    tell: impl Fn(&Sharing) + Send + Sync + 'static,
) where
    K: kube::Resource + Send + Sync + 'static,
{
    let groups = caches.lookups.groups.clone();
    cache.on_change(move |event| {
        if !more_than_status_changed(event) {
            return;
        }
        let old = if let Event::Applied { old, .. } = event { *old } else { None };
        let both = old.into_iter().chain([event.latest()]);
        let others: BTreeSet<Sharing> =
            both.flat_map(|resource| groups.beside((kind, event.key()), &names(resource))).collect();
        others.iter().for_each(&tell);
    });
}
