//! The topic operator is taken out of a cluster that lives on.
//!
//! It leaves its finalizer on the topics, and nobody would take that off: a KafkaTopic could not be deleted any more. So
//! the finalizers go with the operator, and the topics stay in Kafka. The ConfigMap and the RoleBindings of the operator go
//! last: as long as they are there, topics may still have the finalizer. An operator that is put back puts it on again.
//! Without these objects nothing is released: a topic operator that runs alone, beside the cluster, has its own finalizers.

use std::collections::BTreeSet;

use api::names::entity_operator as names;

use crate::kafka::cluster::Cluster;
use crate::kafka::held_topic;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;
use crate::kafka::planned::Plan;

/// Seconds until it is seen that no topic has the finalizer any more, or topics that could not be listed are asked for again.
const AGAIN_SECONDS: u64 = 5;

/// Plans the release of the topics, when the topic operator leaves. The deletions of what nothing wants are planned already.
pub(crate) fn release_topics(cluster: &Cluster, observed: &Observed, plan: &mut Plan) {
    let wanted = cluster.entity_operator.as_ref().is_some_and(|entity| entity.topic.is_some());
    let binding = names::topic_operator_role_binding(&cluster.name);
    let last = BTreeSet::from([
        names::topic_operator_config_map(&cluster.name),
        names::elsewhere(&cluster.namespace, &binding),
        binding,
    ]);
    let goes = plan.delete.iter().any(|deletion| last.contains(&deletion.object.name));
    if wanted || !goes {
        return;
    }
    match &observed.held_topics {
        Some(topics) if topics.is_empty() => return,
        Some(topics) => plan.finalizers.extend(topics.iter().filter_map(held_topic::removal)),
        None => plan.needs.push(Need::HeldTopics),
    }
    plan.delete.retain(|deletion| !last.contains(&deletion.object.name));
    plan.look_again_in(AGAIN_SECONDS);
}
