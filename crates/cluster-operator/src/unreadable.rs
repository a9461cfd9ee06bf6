//! What is there and cannot be read: who is told, and which clusters wait for it.
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
use operator_runtime::report;
use operator_runtime::watch::{ObjectRef, OwnerRef};
use planner::kafka::observed::Observed;
use tokio_util::sync::CancellationToken;

use crate::caches::{self, Caches};
use crate::controller::Queues;

/// Objects that a message names.
const NAMED: usize = 3;

/// Has resources that cannot be read say so in their statuses, and as events.
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

/// Leads every object that cannot be read, or can be again, to its cluster.
pub(crate) fn feed(caches: &Caches, queues: &Queues) {
    let add = queues.kafkas.clone();
    caches.kafkas.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    let add = queues.connects.clone();
    caches.connects.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    let add = queues.bridges.clone();
    caches.bridges.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    let add = queues.mirror_makers.clone();
    caches.mirror_makers.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    let add = queues.first_mirror_makers.clone();
    caches.first_mirror_makers.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    let add = queues.clone();
    caches.on_unreadable_part(move |owner| add.add(owner));
}

/// Notes what of a cluster cannot be read. The Secrets among it are taken out of what was seen: the caches know them as they
/// were, and a certificate that is renewed in an old copy would never be written.
pub(crate) fn note_parts(caches: &Caches, cluster: &ObjectRef, observed: &mut Observed) {
    let owner = caches::kafka(cluster);
    let parts = caches.unreadable_of(&owner);
    for (_, key, _) in parts.iter().filter(|(kind, _, _)| *kind == "Secret") {
        observed.secrets.remove(&key.name);
    }
    observed.incomplete = parts_of(caches, &owner);
}

/// What of a resource cannot be read, in words.
pub(crate) fn parts_of(caches: &Caches, owner: &OwnerRef) -> Option<String> {
    let parts = caches.unreadable_of(owner);
    let said = parts.iter().map(|(kind, key, found)| format!("{kind} {}: {}", key.name, found.why));
    words(said.collect())
}

/// That the objects with the labels of a cluster take too much memory to be read together, in words. Anybody who may make
/// Secrets can make them, also for a cluster that does not exist.
pub(crate) fn too_much_of(caches: &Caches, cluster: &ObjectRef) -> Option<String> {
    too_much(caches.bytes_of(&caches::kafka(cluster)), caches.largest_cluster)
}

/// Caches keep objects packed; a pass unpacks all of a cluster, in a memory that all tenants share.
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
