//! How many Kafka pods an eviction, for instance of `kubectl drain`, may take away at a time.

use api::names;
use objects::DesiredObject;

use super::meta::kafka_labels;
use crate::kafka::cluster::Cluster;
use crate::workload::budget;

/// `<c>-kafka`, over all pools.
pub(crate) fn kafka(cluster: &Cluster) -> DesiredObject {
    let template = cluster.templates.pod_disruption_budget.as_ref();
    let spec = budget::of_pods(cluster.nodes().len(), template);
    budget::budget(&cluster.owner(), names::kafka(&cluster.name), kafka_labels(cluster), template, spec)
}
