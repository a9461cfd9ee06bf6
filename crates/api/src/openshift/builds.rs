//! The part of OpenShift's builds (`build.openshift.io/v1`) that the cluster operator writes and reads. The definitions are OpenShift's.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// The API group of builds.
pub const GROUP: &str = "build.openshift.io";
/// The API group of ImageStreams.
pub const IMAGE_GROUP: &str = "image.openshift.io";
/// The version of both groups.
pub const VERSION: &str = "v1";
/// On a Build: which one of its BuildConfig it is, from 1.
pub const BUILD_NUMBER: &str = "openshift.io/build.number";
/// What is asked of a BuildConfig so that a Build is started.
pub const INSTANTIATE: &str = "instantiate";

/// How an image is built, whenever a Build is started.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "build.openshift.io",
    version = "v1",
    kind = "BuildConfig",
    namespaced,
    status = "BuildConfigStatus",
    schema = "disabled",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildConfigSpec {
    /// What is built.
    pub source: BuildSource,
    /// By which means.
    pub strategy: BuildStrategy,
    /// Where the image goes.
    pub output: BuildOutput,
    /// CPU and memory of a Build.
    pub resources: Option<ResourceRequirements>,
    /// `Serial`: one Build after the other.
    pub run_policy: String,
    /// Seconds that a Build may take.
    pub completion_deadline_seconds: Option<i64>,
    /// How many Builds are kept that ended well.
    pub successful_builds_history_limit: Option<i32>,
    /// How many Builds are kept that failed.
    pub failed_builds_history_limit: Option<i32>,
}

/// What OpenShift says of a BuildConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildConfigStatus {
    /// The number of the last Build that was started.
    pub last_version: i64,
}

/// What is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildSource {
    /// `Dockerfile`.
    #[serde(rename = "type")]
    pub type_: String,
    /// The Dockerfile.
    pub dockerfile: String,
}

/// By which means an image is built.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildStrategy {
    /// `Docker`.
    #[serde(rename = "type")]
    pub type_: String,
    /// What goes with it.
    pub docker_strategy: DockerStrategy,
}

/// A build by a Dockerfile.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DockerStrategy {
    /// The Secret with the credentials for pulling images.
    pub pull_secret: Option<LocalObjectReference>,
}

/// Where a built image goes.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildOutput {
    /// The image.
    pub to: BuildTarget,
    /// The Secret with the credentials for pushing it.
    pub push_secret: Option<LocalObjectReference>,
}

/// An image that is built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuildTarget {
    /// `DockerImage` or `ImageStreamTag`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// One build of an image. What it was started with is of no interest.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[kube(
    group = "build.openshift.io",
    version = "v1",
    kind = "Build",
    namespaced,
    status = "BuildStatus",
    schema = "disabled",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
pub struct BuildSpec {}

/// How far a Build is.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BuildStatus {
    /// `New`, `Pending`, `Running`, `Complete`, `Failed`, `Error` or `Cancelled`.
    pub phase: String,
    /// One word about why.
    pub reason: Option<String>,
    /// The same in a sentence.
    pub message: Option<String>,
    /// The last lines of the log of a Build that failed.
    pub log_snippet: Option<String>,
    /// When it began to run.
    pub start_timestamp: Option<Time>,
    /// When it ended.
    pub completion_timestamp: Option<Time>,
    /// The name under which the image was pushed.
    pub output_docker_image_reference: Option<String>,
    /// What came of it.
    pub output: Option<BuildStatusOutput>,
}

/// What came of a Build.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStatusOutput {
    /// The image.
    pub to: Option<BuiltImage>,
}

/// An image that was built.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BuiltImage {
    /// Its digest.
    pub image_digest: Option<String>,
}

/// Asks a BuildConfig for a Build.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BuildRequest {
    api_version: String,
    kind: String,
    metadata: ObjectMeta,
    last_version: i64,
}

impl BuildRequest {
    /// Of a BuildConfig whose last Build has this number: where it has started another one meanwhile, nothing is started. The Build gets
    /// the annotations.
    pub fn new(
        namespace: &str,
        build_config: &str,
        last_version: i64,
        annotations: BTreeMap<String, String>,
    ) -> Self {
        let metadata = ObjectMeta {
            name: Some(build_config.to_owned()),
            namespace: Some(namespace.to_owned()),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        };
        Self {
            api_version: format!("{GROUP}/{VERSION}"),
            kind: "BuildRequest".to_owned(),
            metadata,
            last_version,
        }
    }
}
