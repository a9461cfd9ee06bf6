//! Which watch event leads to which pass.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use api::KafkaNodePool;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};
use operator_runtime::queue::Queue;
use operator_runtime::status::more_than_status_changed;
use operator_runtime::watch::{Cache, Event, ObjectRef, OwnerRef};

use crate::caches::owners::{self, cluster_id, pod_set_of, pool_of};
use crate::caches::{
    self, Caches, KAFKA, KAFKA_BRIDGE, KAFKA_CONNECT, KAFKA_MIRROR_MAKER, KAFKA_MIRROR_MAKER2,
};
use crate::node_pools;

/// The queues of the process.
#[derive(Clone)]
pub(crate) struct Queues {
    /// Kafka resources.
    pub kafkas: Queue<ObjectRef>,
    /// KafkaConnect resources.
    pub connects: Queue<ObjectRef>,
    /// KafkaBridge resources.
    pub bridges: Queue<ObjectRef>,
    /// KafkaMirrorMaker2 resources.
    pub mirror_makers: Queue<ObjectRef>,
    /// KafkaMirrorMaker resources.
    pub first_mirror_makers: Queue<ObjectRef>,
    /// Node pools.
    pub pools: Queue<ObjectRef>,
    /// Pod sets.
    pub pod_sets: Queue<ObjectRef>,
}

impl Queues {
    /// Empty queues.
    pub(crate) fn new() -> Self {
        Self {
            kafkas: Queue::new(),
            connects: Queue::new(),
            bridges: Queue::new(),
            mirror_makers: Queue::new(),
            first_mirror_makers: Queue::new(),
            pools: Queue::new(),
            pod_sets: Queue::new(),
        }
    }

    /// Leads what happened to an object to the resource that it belongs to. Those of a kind that has no driver are left to
    /// whoever looks after them.
    pub(crate) fn add(&self, owner: &OwnerRef) {
        match owner.kind.as_str() {
            KAFKA => {
                self.kafkas.add(owner.object.clone());
            }
            KAFKA_CONNECT => {
                self.connects.add(owner.object.clone());
            }
            KAFKA_BRIDGE => {
                self.bridges.add(owner.object.clone());
            }
            KAFKA_MIRROR_MAKER2 => {
                self.mirror_makers.add(owner.object.clone());
            }
            KAFKA_MIRROR_MAKER => {
                self.first_mirror_makers.add(owner.object.clone());
            }
            kind => tracing::trace!(kind, owner = %owner.object, "no driver for the kind"),
        }
    }
}

impl Default for Queues {
    fn default() -> Self {
        Self::new()
    }
}

/// Leads every change of what resources own into the queue of the owner's kind.
pub(crate) fn feed_owners(caches: &Caches, queues: &Queues) {
    let add = queues.clone();
    caches.pods.on_change(move |event| {
        let unchanged =
            matches!(event, Event::Applied { old: Some(old), new, .. } if situation(old) == situation(new));
        if !unchanged {
            add_owner(&add, &**event.latest());
        }
    });
    feed_by_labels(&caches.pod_sets, queues);
    feed_by_labels(&caches.claims, queues);
    feed_by_labels(&caches.secrets, queues);
    feed_by_labels(&caches.config_maps, queues);
    feed_by_labels(&caches.deployments, queues);
    feed_by_labels(&caches.builds, queues);
    for kind in caches.all_plain() {
        let (add, namespaces) = (queues.clone(), caches.namespaces.clone());
        kind.cache.on_change(move |event| {
            // A binding may be that of a cluster that another operator looks after.
            let owner = &event.latest().owner;
            if namespaces.contains(&owner.object.namespace) {
                add.add(owner);
            }
        });
    }
}

/// Leads every other change that can matter to a Kafka resource into its queue.
pub(crate) fn feed_kafkas(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.kafkas.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.pools.on_change(move |event| {
        if more_than_status_changed(event) {
            add_pool(&add, &known, event);
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.pod_sets.on_change(move |event| {
        // A pool may follow its label once it has nodes nowhere else.
        if comes_or_goes(event)
            && let Some(pool) = pool_of(event.latest()).and_then(|pool| known.pools.get(&pool))
        {
            add_cluster(&add, &*pool);
        }
    });
    for referenced in [&caches.referenced_secrets, &caches.referenced_config_maps] {
        let (add, known) = (queue.clone(), caches.clone());
        referenced.on_change(move |event| add_referring(&add, &known, event.key()));
    }
}

/// Leads every other change that can matter to a KafkaConnect resource into its queue.
pub(crate) fn feed_connects(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.connects.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    for foreign in [&caches.referenced_secrets, &caches.referenced_config_maps] {
        let (add, known) = (queue.clone(), caches.clone());
        foreign.on_change(move |event| add_all(&add, known.connects_referring_to(event.key())));
    }
    // The certificates of a cluster that the workers connect to.
    let (add, known) = (queue.clone(), caches.clone());
    caches.secrets.on_change(move |event| add_all(&add, known.connects_referring_to(event.key())));
}

/// Leads every other change that can matter to a KafkaMirrorMaker2 resource into its queue.
pub(crate) fn feed_mirror_makers(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.mirror_makers.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    for foreign in [&caches.referenced_secrets, &caches.referenced_config_maps] {
        let (add, known) = (queue.clone(), caches.clone());
        foreign.on_change(move |event| add_all(&add, known.mirror_makers_referring_to(event.key())));
    }
    let (add, known) = (queue.clone(), caches.clone());
    caches.secrets.on_change(move |event| add_all(&add, known.mirror_makers_referring_to(event.key())));
}

/// Leads every other change that can matter to a KafkaMirrorMaker resource into its queue: its own, and those of the KafkaMirrorMaker2 of
/// its name, whose status is handed back.
pub(crate) fn feed_first_mirror_makers(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.first_mirror_makers.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.mirror_makers.on_change(move |event| {
        if known.first_mirror_makers.contains(event.key()) {
            add.add(event.key().clone());
        }
    });
}

/// Leads a change of workers into the queues of the others that have a name together with them: they are told so, or no more.
pub(crate) fn feed_sharing(caches: &Caches, connects: &Queue<ObjectRef>, mirror_makers: &Queue<ObjectRef>) {
    let (connects, mirror_makers) = (connects.clone(), mirror_makers.clone());
    caches.on_change_of_sharing(move |other| {
        let queue = if other.kind == KAFKA_CONNECT { &connects } else { &mirror_makers };
        queue.add(ObjectRef::new(&other.namespace, &other.name));
    });
}

/// Leads every other change that can matter to a KafkaBridge resource into its queue.
pub(crate) fn feed_bridges(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.bridges.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    for foreign in [&caches.referenced_secrets, &caches.referenced_config_maps] {
        let (add, known) = (queue.clone(), caches.clone());
        foreign.on_change(move |event| add_all(&add, known.bridges_referring_to(event.key())));
    }
    // The certificates of a cluster that the bridge connects to.
    let (add, known) = (queue.clone(), caches.clone());
    caches.secrets.on_change(move |event| add_all(&add, known.bridges_referring_to(event.key())));
}

fn add_all(queue: &Queue<ObjectRef>, keys: Vec<ObjectRef>) {
    for key in keys {
        queue.add(key);
    }
}

/// Leads every change into the queue of pools that can matter to the question whether a Kafka resource looks after one.
pub(crate) fn feed_pools(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.pools.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.kafkas.on_change(move |event| {
        if comes_or_goes(event) {
            for pool in known.pools_near(event.key(), cluster_id(event.latest())).into_values() {
                add.add(ObjectRef::of(&*pool));
            }
        }
    });
    let add = queue.clone();
    caches.pod_sets.on_change(move |event| {
        if let Some(pool) = pool_of(event.latest()).filter(|_| comes_or_goes(event)) {
            add.add(pool);
        }
    });
}

/// Leads every change of pod sets, of their pods and of what they were made for into the queue of pod sets.
pub(crate) fn feed_pod_sets(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.pod_sets.on_change(move |event| {
        if more_than_status_changed(event) {
            add.add(event.key().clone());
        }
    });
    let add = queue.clone();
    caches.pods.on_change(move |event| {
        // A pod whose label was changed is missing in the set that it left.
        let old = if let Event::Applied { old, .. } = event { *old } else { None };
        for pod in old.into_iter().chain([event.latest()]) {
            if let Some(set) = pod_set_of(pod) {
                add.add(set);
            }
        }
    });
    // Without a resource that this operator looks after, pod sets are left alone.
    let (add, known) = (queue.clone(), caches.clone());
    caches.kafkas.on_change(move |event| {
        if comes_or_goes(event) {
            add_pod_sets(&add, &known, &caches::kafka(event.key()));
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.connects.on_change(move |event| {
        if comes_or_goes(event) {
            add_pod_sets(&add, &known, &caches::connect(event.key()));
        }
    });
    let (add, known) = (queue.clone(), caches.clone());
    caches.mirror_makers.on_change(move |event| {
        if comes_or_goes(event) {
            add_pod_sets(&add, &known, &caches::mirror_maker(event.key()));
        }
    });
}

fn add_pod_sets(queue: &Queue<ObjectRef>, caches: &Caches, owner: &OwnerRef) {
    for name in caches.pod_sets_of(owner).into_keys() {
        queue.add(ObjectRef::new(&owner.object.namespace, name));
    }
}

fn feed_by_labels<K>(cache: &Cache<K>, queues: &Queues)
where
    K: Resource + Send + Sync + 'static,
{
    let queues = queues.clone();
    cache.on_change(move |event| {
        // An object that is given to another owner is missing where it was.
        if let Event::Applied { old: Some(old), .. } = event {
            add_owner(&queues, &***old);
        }
        add_owner(&queues, &**event.latest());
    });
}

/// What lost the label of its kind may be a Kafka's, which puts it back.
fn add_owner<K: Resource>(queues: &Queues, object: &K) {
    if let Some(owner) = OwnerRef::of_labels(object.meta()) {
        queues.add(&owner);
    } else if object.meta().labels.as_ref().is_some_and(|labels| !labels.contains_key(api::labels::KIND)) {
        add_cluster(&queues.kafkas, object);
    }
}

/// Leads to the Kafka resource that the label `strimzi.io/cluster` names.
fn add_cluster<K: Resource>(queue: &Queue<ObjectRef>, object: &K) {
    if let (Some(namespace), Some(cluster)) = (object.meta().namespace.as_ref(), owners::cluster_of(object)) {
        queue.add(ObjectRef::new(namespace, cluster));
    }
}

/// A pool concerns the clusters that its label names and named, and those that its nodes run in.
fn add_pool(queue: &Queue<ObjectRef>, caches: &Caches, event: &Event<'_, KafkaNodePool>) {
    if let Event::Applied { old: Some(old), .. } = event {
        add_cluster(queue, &***old);
    }
    for cluster in node_pools::concerned(caches, event.latest()) {
        queue.add(cluster);
    }
}

/// A Secret or ConfigMap that this operator did not make concerns the clusters of its namespace that name it. The grant of a
/// namespace concerns those whose entity operator is to work there.
fn add_referring(queue: &Queue<ObjectRef>, caches: &Caches, changed: &ObjectRef) {
    let mut concerned = caches.kafkas_referring_to(changed);
    if changed.name == api::watch_grant::NAME {
        concerned.extend(caches.kafkas_watching(&changed.namespace));
    }
    for cluster in concerned {
        queue.add(cluster);
    }
}

/// Whether an object is new, another one of its name, or gone.
fn comes_or_goes<K: Resource>(event: &Event<'_, K>) -> bool {
    !matches!(event, Event::Applied { old: Some(old), new, .. } if old.meta().uid == new.meta().uid)
}

/// What of a pod a cluster depends on. A kubelet writes much more than that.
fn situation(pod: &Arc<Pod>) -> u64 {
    let mut hasher = DefaultHasher::new();
    pod.uid().hash(&mut hasher);
    pod.metadata.annotations.hash(&mut hasher);
    pod.metadata.labels.hash(&mut hasher);
    pod.metadata.deletion_timestamp.is_some().hash(&mut hasher);
    if let Some(status) = &pod.status {
        status.phase.hash(&mut hasher);
        for condition in status.conditions.iter().flatten() {
            (&condition.type_, &condition.status, &condition.reason).hash(&mut hasher);
        }
        for container in status.container_statuses.iter().chain(&status.init_container_statuses).flatten() {
            let state = container.state.as_ref();
            let waiting = state.and_then(|state| state.waiting.as_ref());
            let running = state.is_some_and(|state| state.running.is_some());
            (&container.name, container.ready, running).hash(&mut hasher);
            waiting.map(|waiting| (&waiting.reason, &waiting.message)).hash(&mut hasher);
            // What it left behind when it ended; not how often it did.
            let last = container.last_state.as_ref().and_then(|last| last.terminated.as_ref());
            let ended = state.and_then(|state| state.terminated.as_ref()).or(last);
            ended.map(|ended| (ended.exit_code, &ended.message)).hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(change: &serde_json::Value) -> Arc<Pod> {
        let mut pod = json!({
            "metadata": {"name": "c-p-0", "namespace": "ns", "uid": "1", "resourceVersion": "1", "labels": {
                "strimzi.io/controller": "strimzipodset", "strimzi.io/controller-name": "c-p"}},
            "status": {"phase": "Running", "conditions": [
                {"type": "Ready", "status": "False", "lastProbeTime": null}]},
        });
        for (pointer, value) in change.as_object().unwrap() {
            *pod.pointer_mut(pointer).unwrap() = value.clone();
        }
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn readiness_brings_a_pass_and_bookkeeping_does_not() {
        let before = situation(&pod(&json!({})));
        assert_eq!(before, situation(&pod(&json!({"/metadata/resourceVersion": "2"}))));
        assert_ne!(before, situation(&pod(&json!({"/status/conditions/0/status": "True"}))));
        assert_ne!(before, situation(&pod(&json!({"/metadata/uid": "2"}))));
    }
}
