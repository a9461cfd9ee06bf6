//! Images with plug-ins that are built for a KafkaConnect (`spec.build`).
//!
//! [`read`] makes an [`ImageBuild`] of the resource, with its [`dockerfile`]; [`objects`] makes the pod of that; [`decide`] says
//! which image the workers have now, and whether there is to be a build: one pod, whose end and last words Kubernetes keeps in
//! its status. Nothing waits for it.

pub(crate) mod decide;
pub(crate) mod dockerfile;
pub(crate) mod objects;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod read;
pub(crate) mod reference;

use ::objects::{Owner, Pairs};
use api::kafka_connect::KafkaConnectTemplate;
use api::{labels, names};
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::workload::labels::component_labels;

/// An image that is to be built.
#[derive(Debug, Clone)]
pub(crate) struct ImageBuild {
    /// The resource.
    pub owner: Owner,
    /// Where the image goes.
    pub output: String,
    /// The Secret with the credentials for registries.
    pub push_secret: Option<String>,
    /// Fingerprint of the credentials: a build that failed is tried again with others.
    pub credentials: String,
    /// More options of `buildah build`.
    pub build_options: Vec<String>,
    /// More options of `buildah push`.
    pub push_options: Vec<String>,
    /// The Dockerfile.
    pub dockerfile: String,
    /// Fingerprint of what the image is made of and where it goes.
    pub revision: String,
    /// Resources of the containers.
    pub resources: Option<ResourceRequirements>,
    /// The user's additions.
    pub templates: KafkaConnectTemplate,
}

impl ImageBuild {
    /// The name of the pod and of its ServiceAccount.
    pub(crate) fn name(&self) -> String {
        names::connect::build(&self.owner.name)
    }

    /// The labels of what it consists of.
    pub(crate) fn labels(&self) -> Pairs {
        component_labels(&self.owner, &self.name(), labels::component::KAFKA_CONNECT_BUILD)
    }
}
