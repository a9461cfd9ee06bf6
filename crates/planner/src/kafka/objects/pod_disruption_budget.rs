//! How many pods an eviction, for instance of `kubectl drain`, may take away at a time.

use api::common::template::PodDisruptionBudgetTemplate;
use api::{labels, names};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Object, Pairs};

use super::meta::{component_labels, kafka_labels};
use crate::kafka::cluster::{Cluster, EntityOperator, KafkaExporter, Listener};

/// `<c>-kafka`, over all pools. Pods of a pod set have no scale, so it is said how many must stay.
pub fn kafka(cluster: &Cluster) -> DesiredObject {
    let template = cluster.templates.pod_disruption_budget.as_ref();
    let nodes = i32::try_from(cluster.nodes().len()).unwrap_or(i32::MAX);
    let min_available = nodes.saturating_sub(max_unavailable(template)).max(0);
    let spec = PodDisruptionBudgetSpec {
        min_available: Some(IntOrString::Int(min_available)),
        ..PodDisruptionBudgetSpec::default()
    };
    budget(cluster, names::kafka(&cluster.name), kafka_labels(cluster), template, spec)
}

/// `<c>-entity-operator`.
pub fn entity_operator(cluster: &Cluster, entity_operator: &EntityOperator) -> DesiredObject {
    let template = entity_operator.templates.pod_disruption_budget.as_ref();
    let name = names::entity_operator::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    let spec = PodDisruptionBudgetSpec {
        max_unavailable: Some(IntOrString::Int(max_unavailable(template))),
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
        max_unavailable: Some(IntOrString::Int(max_unavailable(template))),
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
    let match_labels = Some(labels::selector(&labels));
    let selector = Some(LabelSelector { match_labels, ..LabelSelector::default() });
    let body = PodDisruptionBudget {
        spec: Some(PodDisruptionBudgetSpec { selector, ..spec }),
        ..PodDisruptionBudget::default()
    };
    Object::new(&cluster.owner(), name, labels, body)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

fn max_unavailable(template: Option<&PodDisruptionBudgetTemplate>) -> i32 {
    template.and_then(|template| template.max_unavailable).unwrap_or(1)
}
