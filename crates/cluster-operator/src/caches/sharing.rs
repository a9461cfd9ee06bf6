//! Finds resources whose workers have a name in Kafka that others have, too: of KafkaConnect and of KafkaMirrorMaker2 alike.

use std::collections::BTreeSet;

use api::{KafkaConnect, KafkaMirrorMaker2, names};
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Cache, Event, Index, ObjectRef};
use planner::pod_words::is_ready;
use planner::workers::sharing::{GroupKey, Sharing};
use planner::{kafka_connect, kafka_mirror_maker2};

use super::{Caches, KAFKA_CONNECT, KAFKA_MIRROR_MAKER2, Watched};

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

    /// The others beside one resource of a kind with these names.
    fn sharing(&self, of: (&str, &ObjectRef), names: BTreeSet<GroupKey>) -> Vec<Sharing> {
        let mut found = BTreeSet::new();
        for own in names {
            let all = [
                (KAFKA_CONNECT, self.connects.keys_of(&own)),
                (KAFKA_MIRROR_MAKER2, self.mirror_makers.keys_of(&own)),
            ];
            for (kind, others) in all {
                for other in others.into_iter().filter(|other| (kind, other) != of) {
                    let ObjectRef { namespace, name } = other;
                    found.insert(Sharing { kind, namespace, name, field: own.field });
                }
            }
        }
        found.into_iter().collect()
    }
}

impl Caches {
    /// Other resources whose workers have a name that those of this KafkaConnect have for themselves. Across namespaces only workers
    /// that are ready count, here and there: then both have joined. What the author of a resource merely writes does nothing to
    /// other namespaces, and tells him nothing of them.
    pub fn sharing(&self, key: &ObjectRef, connect: &KafkaConnect) -> Vec<Sharing> {
        self.at_work((KAFKA_CONNECT, key), self.naming_with(key, connect))
    }

    /// The same of a KafkaMirrorMaker2.
    pub fn sharing_of_mirror_maker(&self, key: &ObjectRef, resource: &KafkaMirrorMaker2) -> Vec<Sharing> {
        self.at_work((KAFKA_MIRROR_MAKER2, key), self.naming_with_mirror_maker(key, resource))
    }

    /// Other resources that write a name that this KafkaConnect writes.
    fn naming_with(&self, key: &ObjectRef, connect: &KafkaConnect) -> Vec<Sharing> {
        self.lookups.groups.sharing((KAFKA_CONNECT, key), kafka_connect::group::keys(connect))
    }

    fn naming_with_mirror_maker(&self, key: &ObjectRef, resource: &KafkaMirrorMaker2) -> Vec<Sharing> {
        let names = kafka_mirror_maker2::group::keys(resource);
        self.lookups.groups.sharing((KAFKA_MIRROR_MAKER2, key), names)
    }

    /// Those of one's own namespace, and those at work of others if one is at work oneself.
    fn at_work(&self, (kind, key): (&str, &ObjectRef), mut found: Vec<Sharing>) -> Vec<Sharing> {
        if found.iter().any(|other| other.namespace != key.namespace) {
            let works = self.has_ready_worker(kind, &key.namespace, &key.name);
            found.retain(|other| {
                other.namespace == key.namespace
                    || works && self.has_ready_worker(other.kind, &other.namespace, &other.name)
            });
        }
        found
    }

    fn has_ready_worker(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let set = if kind == KAFKA_CONNECT {
            names::connect::component(name)
        } else {
            names::mirror_maker2::component(name)
        };
        self.pods_of_set(&ObjectRef::new(namespace, set)).iter().any(|pod| is_ready(pod))
    }

    /// Queues every resource that shared a name with the changed resource, or shares a name with it now.
    pub fn on_change_of_sharing(&self, tell: impl Fn(&Sharing) + Clone + Send + Sync + 'static) {
        let tells = tell.clone();
        follow(&self.connects, self, Self::naming_with, tells);
        follow(&self.mirror_makers, self, Self::naming_with_mirror_maker, tell);
    }
}

fn follow<K>(
    cache: &Cache<K>,
    caches: &Caches,
    sharing: fn(&Caches, &ObjectRef, &K) -> Vec<Sharing>,
    tell: impl Fn(&Sharing) + Send + Sync + 'static,
) where
    K: kube::Resource + Send + Sync + 'static,
{
    let known = caches.clone();
    cache.on_change(move |event| {
        if !more_than_status_changed(event) {
            return;
        }
        let old = if let Event::Applied { old, .. } = event { *old } else { None };
        let both = old.into_iter().chain([event.latest()]);
        let others: BTreeSet<Sharing> =
            both.flat_map(|resource| sharing(&known, event.key(), resource)).collect();
        others.iter().for_each(&tell);
    });
}
