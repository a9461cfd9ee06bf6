//! StrimziPodSet: a list of pods that are to run, each with a specification of its own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::conditions::Condition;
use crate::schema::{Embedded, Free, JsonSchema};

/// The pods that are to run.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "core.strimzi.io",
    version = "v1",
    kind = "StrimziPodSet",
    plural = "strimzipodsets",
    shortname = "sps",
    category = "strimzi",
    namespaced,
    status = "StrimziPodSetStatus",
    schema = "disabled",
    derive = "PartialEq",
    printcolumn(
        name = "Pods",
        type_ = "integer",
        json_path = ".status.pods",
        description = "Pods that should run"
    ),
    printcolumn(
        name = "Ready Pods",
        type_ = "integer",
        json_path = ".status.readyPods",
        description = "Pods that are ready"
    ),
    printcolumn(
        name = "Current Pods",
        type_ = "integer",
        json_path = ".status.currentPods",
        description = "Pods that have the current revision"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Age of the set"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct StrimziPodSetSpec {
    /// Which pods belong to the set. Pods that match and are not in `pods` are deleted.
    #[schemars(with = "Embedded<LabelSelector>")]
    pub selector: LabelSelector,
    /// The pods, each a complete Kubernetes `Pod` object.
    #[schemars(with = "Vec<Free>")]
    pub pods: Vec<serde_json::Value>,
}

/// What was observed of the pods.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StrimziPodSetStatus {
    /// What can be said about the set.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Number of pods that should run.
    pub pods: Option<i32>,
    /// Number of pods that are ready.
    pub ready_pods: Option<i32>,
    /// Number of pods that have the current revision.
    pub current_pods: Option<i32>,
}
