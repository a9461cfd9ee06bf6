//! How many pods an eviction, for instance of `kubectl drain`, may take away at a time.

use api::common::template::PodDisruptionBudgetTemplate;
use api::labels;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Object, Owner, Pairs};

/// What a budget says of so many pods of pod sets. These have no scale, so it is said how many must stay.
pub(crate) fn of_pods(
    pods: usize,
    template: Option<&PodDisruptionBudgetTemplate>,
) -> PodDisruptionBudgetSpec {
    let pods = i32::try_from(pods).unwrap_or(i32::MAX);
    let min_available = pods.saturating_sub(max_unavailable(template)).max(0);
    PodDisruptionBudgetSpec {
        min_available: Some(IntOrString::Int(min_available)),
        ..PodDisruptionBudgetSpec::default()
    }
}

/// The budget of the pods that the labels select.
pub(crate) fn budget(
    owner: &Owner,
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
    Object::new(owner, name, labels, body)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// Pods that may be away at a time.
pub(crate) fn max_unavailable(template: Option<&PodDisruptionBudgetTemplate>) -> i32 {
    template.and_then(|template| template.max_unavailable).unwrap_or(1)
}
