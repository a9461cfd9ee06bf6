//! Images with plug-ins that are built for a KafkaConnect (`spec.build`).
//!
//! [`read`] makes an [`ImageBuild`] of the resource, with its [`dockerfile`]; [`objects`] makes the pod of that, or [`openshift`] the
//! BuildConfig; [`decide`] says which image the workers have now, and whether there is to be a build: one pod, or one Build of OpenShift,
//! whose end and last words are in its status ([`run`], [`outcome`]). Nothing waits for it.

pub(crate) mod decide;
pub(crate) mod dockerfile;
pub(crate) mod objects;
pub(crate) mod openshift;
pub(crate) mod options;
pub(crate) mod outcome;
pub(crate) mod read;
pub(crate) mod reference;
mod run;
mod start;

use ::objects::{Owner, Pairs};
use api::kafka_connect::KafkaConnectTemplate;
use api::{labels, names};
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::workload::labels::component_labels;

/// More options of Buildah, by its command.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    /// Of `buildah pull`.
    pub pull: Vec<String>,
    /// Of `buildah build`.
    pub build: Vec<String>,
    /// Of `buildah push`.
    pub push: Vec<String>,
}

/// By which means images are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A pod with Buildah.
    Buildah,
    /// The builds of OpenShift.
    OpenShift(Target),
}

/// Where an image goes that OpenShift builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// A registry.
    Registry,
    /// An ImageStream of the namespace.
    ImageStream,
}

/// An image that is to be built.
#[derive(Debug, Clone)]
pub(crate) struct ImageBuild {
    /// The resource.
    pub owner: Owner,
    /// By which means.
    pub way: Way,
    /// Where the image goes.
    pub output: String,
    /// The image that plug-ins are added to.
    pub base: String,
    /// The Secret with the credentials for pulling that.
    pub pull_secret: Option<String>,
    /// The Secret with the credentials for pushing.
    pub push_secret: Option<String>,
    /// Fingerprint of the credentials: a build that failed is tried again with others.
    pub credentials: String,
    /// More options of Buildah.
    pub options: Options,
    /// The Dockerfile.
    pub dockerfile: String,
    /// The list of what is brought into the image.
    pub plug_ins: String,
    /// Fingerprint of what the image is made of and where it goes.
    pub revision: String,
    /// Resources of the containers.
    pub resources: Option<ResourceRequirements>,
    /// The user's additions.
    pub templates: KafkaConnectTemplate,
}

impl ImageBuild {
    /// The name of the pod and of its ServiceAccount, or of the BuildConfig.
    pub(crate) fn name(&self) -> String {
        names::connect::build(&self.owner.name)
    }

    /// The labels of what it consists of.
    pub(crate) fn labels(&self) -> Pairs {
        component_labels(&self.owner, &self.name(), labels::component::KAFKA_CONNECT_BUILD)
    }
}
