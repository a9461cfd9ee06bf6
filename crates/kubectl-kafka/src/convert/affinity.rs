//! Where pods run.

use std::collections::BTreeMap;

use api::labels;
use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm,
    PodAntiAffinity, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

const HOST: &str = "kubernetes.io/hostname";

/// Brokers of a cluster on Kubernetes nodes of their own: as a must, or where it can be had.
pub(super) fn spread(cluster: &str, must: bool) -> Affinity {
    let selector = LabelSelector {
        match_labels: Some(BTreeMap::from([
            (labels::CLUSTER.to_owned(), cluster.to_owned()),
            (labels::BROKER_ROLE.to_owned(), "true".to_owned()),
        ])),
        ..LabelSelector::default()
    };
    let term = PodAffinityTerm {
        label_selector: Some(selector),
        topology_key: HOST.to_owned(),
        ..PodAffinityTerm::default()
    };
    let anti = if must {
        PodAntiAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![term]),
            ..PodAntiAffinity::default()
        }
    } else {
        let weighted = WeightedPodAffinityTerm { pod_affinity_term: term, weight: 50 };
        PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![weighted]),
            ..PodAntiAffinity::default()
        }
    };
    Affinity { pod_anti_affinity: Some(anti), ..Affinity::default() }
}

/// Only nodes with these labels: what `nodeSelector` says.
pub(super) fn add_nodes(affinity: &mut Option<Affinity>, labels: &BTreeMap<String, String>) {
    if labels.is_empty() {
        return;
    }
    let wanted: Vec<NodeSelectorRequirement> = labels
        .iter()
        .map(|(key, value)| NodeSelectorRequirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: Some(vec![value.clone()]),
        })
        .collect();
    let nodes = affinity.get_or_insert_default().node_affinity.get_or_insert_with(NodeAffinity::default);
    let selector = nodes
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(|| NodeSelector { node_selector_terms: Vec::new() });
    if selector.node_selector_terms.is_empty() {
        selector.node_selector_terms.push(NodeSelectorTerm::default());
    }
    // One of the terms has to hold, and all parts of it.
    for term in &mut selector.node_selector_terms {
        term.match_expressions.get_or_insert_with(Vec::new).extend(wanted.iter().cloned());
    }
}

/// Selectors of koperator's pods become selectors of ours.
pub(super) fn translate(affinity: &mut Affinity, cluster: &str) {
    let pods = affinity.pod_affinity.iter_mut().flat_map(|pods| {
        let required = pods.required_during_scheduling_ignored_during_execution.iter_mut().flatten();
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten();
        required.chain(preferred.map(|weighted| &mut weighted.pod_affinity_term)).collect::<Vec<_>>()
    });
    let against = affinity.pod_anti_affinity.iter_mut().flat_map(|pods| {
        let required = pods.required_during_scheduling_ignored_during_execution.iter_mut().flatten();
        let preferred = pods.preferred_during_scheduling_ignored_during_execution.iter_mut().flatten();
        required.chain(preferred.map(|weighted| &mut weighted.pod_affinity_term)).collect::<Vec<_>>()
    });
    for term in pods.chain(against) {
        let Some(selector) = &mut term.label_selector else { continue };
        if let Some(wanted) = selector.match_labels.take() {
            selector.match_labels =
                Some(wanted.into_iter().map(|(key, value)| label(key, value, cluster)).collect());
        }
        for expression in selector.match_expressions.iter_mut().flatten() {
            let values = expression.values.take().unwrap_or_default();
            let key = std::mem::take(&mut expression.key);
            let translated: Vec<(String, String)> =
                values.iter().map(|value| label(key.clone(), value.clone(), cluster)).collect();
            expression.key = translated
                .first()
                .map_or_else(|| label(key, String::new(), cluster).0, |(key, _)| key.clone());
            let values: Vec<String> = translated.into_iter().map(|(_, value)| value).collect();
            expression.values = Some(values).filter(|values| !values.is_empty());
        }
    }
}

/// A label of koperator's pods as ours have it.
fn label(key: String, value: String, cluster: &str) -> (String, String) {
    match key.as_str() {
        "kafka_cr" => (labels::CLUSTER.to_owned(), if value.is_empty() { cluster.to_owned() } else { value }),
        "app" if value == "kafka" => (labels::NAME.to_owned(), api::names::kafka(cluster)),
        _ => (key, value),
    }
}
