//! What is there and cannot be read: who is told, and which clusters wait for it.
//!
//! Nothing is decided about a cluster while one of its objects cannot be read: what is missing in a plan would be taken
//! for gone.

use api::conditions::Condition;
use api::{Kafka, KafkaNodePool, StrimziPodSet};
use operator_runtime::apply::Applier;
use operator_runtime::events::Events;
use operator_runtime::queue::Queue;
use operator_runtime::report;
use operator_runtime::watch::{Cache, ObjectRef, Unreadable};
use tokio_util::sync::CancellationToken;

use crate::caches::Caches;

/// Objects that a message names.
const NAMED: usize = 3;

/// Has resources that cannot be read say so in their statuses, and as events.
pub fn tell(caches: &Caches, applier: &Applier, events: Option<&Events>, stop: &CancellationToken) {
    let events = || events.cloned();
    report::in_status::<Kafka, _>(&caches.kafkas, applier, events(), Condition::not_ready, stop);
    report::in_status::<KafkaNodePool, _>(&caches.pools, applier, events(), Condition::not_ready, stop);
    report::in_status::<StrimziPodSet, _>(&caches.pod_sets, applier, events(), Condition::not_ready, stop);
}

/// Leads every object that cannot be read, or can be again, to its cluster.
pub fn feed(caches: &Caches, queue: &Queue<ObjectRef>) {
    let add = queue.clone();
    caches.kafkas.on_unreadable(move |key, _| {
        add.add(key.clone());
    });
    feed_parts(&caches.pools, caches, queue);
    feed_parts(&caches.pod_sets, caches, queue);
    feed_parts(&caches.pods, caches, queue);
    feed_parts(&caches.claims, caches, queue);
    feed_parts(&caches.secrets, caches, queue);
    feed_parts(&caches.config_maps, caches, queue);
    feed_parts(&caches.deployments, caches, queue);
    for kind in &caches.plain {
        feed_parts(&kind.cache, caches, queue);
    }
}

fn feed_parts<T: Send + Sync + 'static>(cache: &Cache<T>, caches: &Caches, queue: &Queue<ObjectRef>) {
    let (add, kafkas) = (queue.clone(), caches.kafkas.clone());
    cache.on_unreadable(move |key, unreadable| match unreadable {
        Some(unreadable) => {
            if let Some(cluster) = cluster_of(unreadable) {
                add.add(ObjectRef::new(&key.namespace, cluster));
            }
        }
        // Of which cluster it was is not known any more.
        None => {
            for cluster in kafkas.keys().into_iter().filter(|cluster| cluster.namespace == key.namespace) {
                add.add(cluster);
            }
        }
    });
}

/// What of a cluster cannot be read, in words; `None`: everything can.
pub fn parts_of(caches: &Caches, cluster: &ObjectRef) -> Option<String> {
    let mut found = Vec::new();
    collect(&mut found, "KafkaNodePool", &caches.pools, cluster);
    collect(&mut found, "StrimziPodSet", &caches.pod_sets, cluster);
    collect(&mut found, "Pod", &caches.pods, cluster);
    collect(&mut found, "PersistentVolumeClaim", &caches.claims, cluster);
    collect(&mut found, "Secret", &caches.secrets, cluster);
    collect(&mut found, "ConfigMap", &caches.config_maps, cluster);
    collect(&mut found, "Deployment", &caches.deployments, cluster);
    for kind in &caches.plain {
        collect(&mut found, &kind.kind, &kind.cache, cluster);
    }
    words(found)
}

fn collect<T: Send + Sync + 'static>(
    found: &mut Vec<String>,
    kind: &str,
    cache: &Cache<T>,
    cluster: &ObjectRef,
) {
    cache.each_unreadable(|key, unreadable| {
        if key.namespace == cluster.namespace && cluster_of(unreadable) == Some(&cluster.name) {
            found.push(format!("{kind} {}: {}", key.name, unreadable.why));
        }
    });
}

/// The cluster that an object belongs to. Pods and claims of Connect carry the name of another kind of cluster.
fn cluster_of(unreadable: &Unreadable) -> Option<&str> {
    let kind = unreadable.metadata.labels.as_ref()?.get(api::labels::KIND);
    kind.is_none_or(|kind| kind == "Kafka").then(|| unreadable.cluster()).flatten()
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
    use super::*;

    #[test]
    fn a_message_names_some_and_counts_the_others() {
        assert_eq!(words(Vec::new()), None);
        let all = (0..5).map(|number| format!("Secret {number}: too large")).collect();
        let text = words(all).unwrap();
        assert!(text.contains("Secret 2: too large; and 2 more") && !text.contains("Secret 3"), "{text}");
    }
}
