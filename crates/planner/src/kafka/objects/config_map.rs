//! The ConfigMap of a node, and those with the logging of the entity operator.

use std::collections::BTreeSet;

use api::{annotations, labels, names};
use k8s_openapi::api::core::v1::ConfigMap;
use objects::{DesiredObject, Object, Pairs};

use super::meta::{component_labels, pool_labels};
use crate::kafka::cluster::{Cluster, EntityContainer, Metrics, Node, Quorum};
use crate::kafka::config::live::taken_out;
use crate::kafka::config::logging;
use crate::kafka::config::node_files::Files;

/// The ConfigMap of a node, named like its pod. `taken_out` are options that have not left Kafka yet.
pub(crate) fn node(
    cluster: &Cluster,
    node: Node<'_>,
    files: Files,
    taken_out: &BTreeSet<String>,
) -> DesiredObject {
    let pod = cluster.pod_name(node);
    let data = [
        (names::keys::SERVER_CONFIG, files.server),
        (names::keys::AGENT_CONFIG, files.agent),
        (names::keys::LOG4J2_PROPERTIES, files.logging),
        (names::keys::CLUSTER_ID, cluster.cluster_id.clone().unwrap_or_default()),
        (names::keys::METADATA_VERSION, cluster.metadata_version.clone()),
    ];
    let rules = match &cluster.metrics {
        Some(Metrics::JmxExporter { rules }) => Some((names::keys::METRICS_CONFIG, rules.clone())),
        _ => None,
    };
    let data = data.into_iter().chain(rules);
    let directory_ids = match &cluster.quorum {
        Quorum::Dynamic { directory_ids, .. } => Some(objects::json(directory_ids).to_string()),
        Quorum::Static => None,
    };
    let owner = cluster.owner_of_pool(node.pool);
    Object::new(&owner, &pod, pool_labels(cluster, node.pool), config_map(data))
        .label(labels::POD_NAME, &pod)
        .annotation(annotations::KAFKA_VERSION, &cluster.version.version)
        .maybe_annotation(annotations::CONTROLLER_DIRECTORY_IDS, directory_ids)
        .maybe_annotation(annotations::OPTIONS_TAKEN_OUT, taken_out::annotation(taken_out))
        .build()
}

/// Logging of the topic operator.
pub(crate) fn topic_operator(cluster: &Cluster, container: &EntityContainer) -> DesiredObject {
    let component = names::entity_operator::topic_operator(&cluster.name);
    let labels = component_labels(cluster, &component, labels::component::ENTITY_TOPIC_OPERATOR);
    entity(cluster, names::entity_operator::topic_operator_config_map(&cluster.name), labels, container)
}

/// Logging of the user operator.
pub(crate) fn user_operator(cluster: &Cluster, container: &EntityContainer) -> DesiredObject {
    let component = names::entity_operator::user_operator(&cluster.name);
    let labels = component_labels(cluster, &component, labels::component::ENTITY_USER_OPERATOR);
    entity(cluster, names::entity_operator::user_operator_config_map(&cluster.name), labels, container)
}

fn entity(cluster: &Cluster, name: String, labels: Pairs, container: &EntityContainer) -> DesiredObject {
    let text = logging::entity_operator(&container.logging);
    Object::new(&cluster.owner(), name, labels, config_map([(names::keys::LOG4J2_PROPERTIES, text)])).build()
}

fn config_map<'a>(data: impl IntoIterator<Item = (&'a str, String)>) -> ConfigMap {
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ConfigMap { data: Some(data), ..ConfigMap::default() }
}
