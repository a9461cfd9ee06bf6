//! Objects that cannot be read: the statuses and events that say so, and the passes that wait until they can be.
//!
//! Nothing is decided about a cluster while one of its objects cannot be read: what is missing in a plan would be taken
//! for gone.

use api::conditions::Condition;
use api::{
    Kafka, KafkaBridge, KafkaConnect, KafkaMirrorMaker, KafkaMirrorMaker2, KafkaNodePool, StrimziPodSet,
};
use operator_runtime::apply::Applier;
use operator_runtime::events::Events;
use operator_runtime::limits::Largest;
use operator_runtime::queue::Queue;
use operator_runtime::report;
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef};
use planner::kafka::observed::Observed;
use tokio_util::sync::CancellationToken;

use crate::caches::{self, Caches};
use crate::controller::Queues;

/// How many objects a message names.
const NAMED: usize = 3;

/// Writes into the statuses of resources that cannot be read, and into events, why they cannot be.
pub(crate) fn tell_resources(
    caches: &Caches,
    applier: &Applier,
    events: Option<&Events>,
    stop: &CancellationToken,
) {
    let events = || events.cloned();
    report::in_status::<Kafka, _>(&caches.kafkas, applier, events(), Condition::not_ready, stop);
    report::in_status::<KafkaConnect, _>(&caches.connects, applier, events(), Condition::not_ready, stop);
    report::in_status::<KafkaBridge, _>(&caches.bridges, applier, events(), Condition::not_ready, stop);
    report::in_status::<KafkaMirrorMaker2, _>(
        &caches.mirror_makers,
        applier,
        events(),
        Condition::not_ready,
        stop,
    );
    let first = &caches.first_mirror_makers;
    report::in_status::<KafkaMirrorMaker, _>(first, applier, events(), Condition::not_ready, stop);
    report::in_status::<KafkaNodePool, _>(&caches.pools, applier, events(), Condition::not_ready, stop);
    report::in_status::<StrimziPodSet, _>(&caches.pod_sets, applier, events(), Condition::not_ready, stop);
}

/// Has a pass made over the resource to which an object belongs that cannot be read, or can be read again.
pub(crate) fn feed(caches: &Caches, queues: &Queues) {
    lead(&caches.kafkas, &queues.kafkas);
    lead(&caches.connects, &queues.connects);
    lead(&caches.bridges, &queues.bridges);
    lead(&caches.mirror_makers, &queues.mirror_makers);
    lead(&caches.first_mirror_makers, &queues.first_mirror_makers);
    let add = queues.clone();
    caches.on_unreadable_part(move |owner| add.add(owner));
}

/// Has a pass made over each resource of a kind that cannot be read, or can be read again.
fn lead<K: Send + Sync + 'static>(resources: &Cache<K>, queue: &Queue<ObjectRef>) {
    let queue = queue.clone();
    resources.on_unreadable(move |key, _| {
        queue.add(key.clone());
    });
}

/// Notes which objects of a cluster cannot be read. The Secrets among them are taken out of `observed`: the caches have former
/// copies of them, and a certificate that is renewed in an old copy would never be written.
pub(crate) fn note_parts(caches: &Caches, cluster: &ObjectRef, observed: &mut Observed) {
    let owner = caches::kafka(cluster);
    let parts = caches.unreadable_of(&owner);
    for (_, key, _) in parts.iter().filter(|(kind, _, _)| *kind == "Secret") {
        observed.secrets.remove(&key.name);
    }
    observed.incomplete = parts_of(caches, &owner);
}

/// The objects of a resource that cannot be read, in words.
pub(crate) fn parts_of(caches: &Caches, owner: &OwnerRef) -> Option<String> {
    let parts = caches.unreadable_of(owner);
    let said = parts.iter().map(|(kind, key, found)| format!("{kind} {}: {}", key.name, found.why));
    words(said.collect())
}

/// Says that the objects with the labels of a cluster take too much memory to be read together; `None`: they do not. Every user with
/// the right to make Secrets can make such objects, also for a cluster that does not exist.
pub(crate) fn too_much_of(caches: &Caches, cluster: &ObjectRef) -> Option<String> {
    too_much(caches.bytes_of(&caches::kafka(cluster)), caches.largest_cluster)
}

/// Says that so many bytes of objects are too much; `None`: they are not. Caches keep objects packed; a pass unpacks all objects of a
/// cluster, in the memory that all tenants share.
pub(crate) fn too_much(bytes: usize, largest: Largest) -> Option<String> {
    let mib = |bytes: usize| bytes.div_ceil(1024 * 1024);
    (bytes > largest.bytes).then(|| {
        format!(
            "the objects with the labels of the cluster take {} MiB when they are read, more than {} MiB ({}), and what runs is \
             left as it is: delete those that are not the cluster's own, or raise the limit",
            mib(bytes),
            mib(largest.bytes),
            largest.variable
        )
    })
}

fn words(mut found: Vec<String>) -> Option<String> {
    if found.is_empty() {
        return None;
    }
    found.sort();
    let more = found.len().saturating_sub(NAMED);
    found.truncate(NAMED);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    Some(format!(
        "objects of the cluster cannot be read, and what runs is left as it is until they can: {}{rest}",
        found.join("; ")
    ))
}

#[cfg(test)]
mod tests {
    use operator_runtime::limits::Limits;

    use super::*;

    #[test]
    fn a_cluster_of_300_nodes_may_be_read_and_no_heap_of_large_objects() {
        // Pod, pod set, Secret, ConfigMap and claim of a node, as `memory::size_of` counts them.
        let node = 39_000 + 43_000 + 11_000 + 13_000 + 10_000;
        assert_eq!(too_much(300 * node, Limits::default().largest_cluster), None);
        let text = too_much(1000 * 512 * 1024, Limits::default().largest_cluster).unwrap();
        assert!(text.contains("take 500 MiB") && text.contains("KASTELLAN_MAX_CLUSTER_MIB"), "{text}");
    }

    #[test]
    fn a_message_names_some_and_counts_the_others() {
        assert_eq!(words(Vec::new()), None);
        let all = (0..5).map(|number| format!("Secret {number}: too large")).collect();
        let text = words(all).unwrap();
        assert!(text.contains("Secret 2: too large; and 2 more") && !text.contains("Secret 3"), "{text}");
    }
}
