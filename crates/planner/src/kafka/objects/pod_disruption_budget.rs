//! How many pods an eviction, for instance of `kubectl drain`, may take away at a time.

use api::common::template::PodDisruptionBudgetTemplate;
use api::{labels, names};
use k8s_openapi::api::policy::v1::PodDisruptionBudgetSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Pairs};

use super::meta::{component_labels, kafka_labels};
use crate::kafka::cluster::{Cluster, EntityOperator, KafkaExporter, Listener};
use crate::workload::budget;

/// `<c>-kafka`, over all pools.
pub fn kafka(cluster: &Cluster) -> DesiredObject {
    let template = cluster.templates.pod_disruption_budget.as_ref();
    let spec = budget::of_pods(cluster.nodes().len(), template);
    budget(cluster, names::kafka(&cluster.name), kafka_labels(cluster), template, spec)
}

/// `<c>-entity-operator`.
pub fn entity_operator(cluster: &Cluster, entity_operator: &EntityOperator) -> DesiredObject {
    let template = entity_operator.templates.pod_disruption_budget.as_ref();
    let name = names::entity_operator::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(budget::max_unavailable(template))),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(cluster, name, labels, template, spec)
}

/// `<c>-kafka-exporter`.
pub fn kafka_exporter(cluster: &Cluster, exporter: &KafkaExporter) -> DesiredObject {
    let template = exporter.templates.pod_disruption_budget.as_ref();
    let name = names::kafka_exporter::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::KAFKA_EXPORTER);
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(budget::max_unavailable(template))),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(cluster, name, labels, template, spec)
}

/// `<c>-kafka-<listener>-proxy`.
pub fn proxy(cluster: &Cluster, listener: &Listener) -> DesiredObject {
    let name = names::proxy::deployment(&cluster.name, &listener.name);
    let labels = component_labels(cluster, &name, labels::component::KAFKA_PROXY);
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(1)),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(cluster, name, labels, None, spec)
}

fn budget(
    cluster: &Cluster,
    name: String,
    labels: Pairs,
    template: Option<&PodDisruptionBudgetTemplate>,
    spec: PodDisruptionBudgetSpec,
) -> DesiredObject {
    budget::budget(&cluster.owner(), name, labels, template, spec)
}
