//! Deployments.

use api::common::pod_template::PodTemplate;
use api::common::template::{DeploymentStrategy, MetadataTemplate};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{self as apps, Deployment, DeploymentSpec};
use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Difference, Object, Owner, Pairs, add_labels, compare, json, merge_metadata};

use super::labels::{component_labels, own_component_labels};

/// What a Deployment is made of.
#[derive(Debug)]
pub(crate) struct Parts<'a> {
    /// The resource that it is made for.
    pub owner: &'a Owner,
    /// Its name, which is that of the component too.
    pub name: &'a str,
    /// Kind of component, see [`api::labels::component`].
    pub component_type: &'a str,
    /// How many pods it has.
    pub replicas: i32,
    /// How it replaces its pods.
    pub strategy: DeploymentStrategy,
    /// What the user adds to its metadata.
    pub template: Option<&'a MetadataTemplate>,
    /// The user's template of the pod. Its metadata are taken here; the rest stands in `pod` already.
    pub pod_template: Option<&'a PodTemplate>,
    /// Labels that the operator's settings put on the pod.
    pub custom_labels: &'a Pairs,
    /// Annotations of the pod whose change restarts it.
    pub started_with: Pairs,
    /// The pod.
    pub pod: PodSpec,
    /// The Deployment that is there.
    pub live: Option<&'a Deployment>,
}

/// The Deployment.
pub(crate) fn deployment(parts: Parts<'_>) -> DesiredObject {
    let labels = component_labels(parts.owner, parts.name, parts.component_type);
    let selector = api::labels::selector(&labels);
    let mut own_labels = own_component_labels(parts.owner, parts.name, parts.component_type);
    let mut annotations = parts.started_with;
    let metadata = parts.pod_template.and_then(|template| template.metadata.as_ref());
    merge_metadata(metadata, &mut own_labels, &mut annotations);
    add_labels(&mut own_labels, parts.custom_labels);
    let mut pod_labels = labels.clone();
    pod_labels.extend(own_labels.clone());
    let body = Deployment {
        spec: Some(DeploymentSpec {
            replicas: Some(parts.replicas),
            strategy: Some(strategy(parts.strategy)),
            selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(pod_labels),
                    annotations: Some(annotations),
                    ..ObjectMeta::default()
                }),
                spec: Some(parts.pod),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    };
    let object = Object::new(parts.owner, parts.name, labels, body).template(parts.template);
    keep_inherited_labels(object, own_labels, parts.live)
}

/// No pod goes before its successor is there. The bounds are written where they mean something: left to the API server's defaults
/// they would stay when another strategy is chosen, which it refuses.
fn strategy(strategy: DeploymentStrategy) -> apps::DeploymentStrategy {
    let rolling = apps::RollingUpdateDeployment {
        max_surge: Some(IntOrString::Int(1)),
        max_unavailable: Some(IntOrString::Int(0)),
    };
    apps::DeploymentStrategy {
        type_: Some(strategy.to_string()),
        rolling_update: (strategy == DeploymentStrategy::RollingUpdate).then_some(rolling),
    }
}

/// The Deployment with those inherited labels on its pods that the running pods have, if nothing else of them changes: a
/// label of the custom resource is worth no restart, and reaches the pods with the next one. `own` are the labels of the
/// pods that are not inherited.
fn keep_inherited_labels(
    desired: Object<Deployment>,
    own: Pairs,
    live: Option<&Deployment>,
) -> DesiredObject {
    const LABELS: &[&str] = &["spec", "template", "metadata", "labels"];
    let running = live.and_then(pod_labels).filter(|running| pod_labels(&desired.body) != Some(*running));
    let (Some(running), Some(live)) = (running, live) else { return desired.build() };
    let live = json(live);
    let owned = compare::owned_keys(&live, LABELS);
    let wanted = pod_labels(&desired.body);
    let is_ours = |key: &String| {
        wanted.is_some_and(|wanted| wanted.contains_key(key))
            || owned.as_ref().is_none_or(|all| all.contains(key))
    };
    let mut labels = own;
    for (key, value) in running.iter().filter(|(key, _)| is_ours(key)) {
        labels.entry(key.clone()).or_insert_with(|| value.clone());
    }
    let mut kept = desired.clone();
    if let Some(spec) = &mut kept.body.spec {
        spec.template.metadata.get_or_insert_default().labels = Some(labels);
    }
    let kept = kept.build();
    let restarts = |difference: &Difference| difference.path.starts_with("spec.template");
    if compare::differences(&live, &kept.object).iter().any(restarts) { desired.build() } else { kept }
}

fn pod_labels(deployment: &Deployment) -> Option<&Pairs> {
    deployment.spec.as_ref()?.template.metadata.as_ref()?.labels.as_ref()
}

/// Whether the present generation of a Deployment runs, with all its pods.
pub(crate) fn is_available(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or(0) >= wanted
        && status.available_replicas.unwrap_or(0) >= wanted
        && status.unavailable_replicas.unwrap_or(0) == 0
}

/// Since when too few of its pods are available, or none of its new ones come; `None`: that is not so, or not known.
pub(crate) fn unavailable_since(deployment: &Deployment) -> Option<Timestamp> {
    let status = deployment.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let failed = |type_: &str| {
        let mut all = conditions.into_iter().flatten();
        let found = all.find(|condition| condition.type_ == type_ && condition.status == "False")?;
        found.last_transition_time.as_ref()
    };
    let told = failed("Available").or_else(|| failed("Progressing"));
    // Where not even a condition is written, no controller looks after Deployments, or nothing has begun.
    let made = deployment.metadata.creation_timestamp.as_ref().filter(|_| conditions.is_none());
    told.or(made).map(|time| time.0)
}
