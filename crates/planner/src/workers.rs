//! Workers of Kafka Connect, whichever resource they are for: a KafkaConnect or a KafkaMirrorMaker2.
//!
//! A kind reads its resource into [`Workers`]; [`plan::draft`] makes of that and of what was observed the objects, the pods that
//! restart now and what is waited for. The status is the kind's own.

pub(crate) mod external;
pub mod names;
pub mod need;
pub(crate) mod objects;
pub mod observed;
pub(crate) mod options;
pub mod plan;
pub mod plan_size;
pub mod plug_ins;
pub(crate) mod pod;
pub(crate) mod properties;
pub(crate) mod read;
pub mod roll;
pub mod sharing;
pub(crate) mod without_effect;

use std::collections::BTreeMap;

use ::objects::{Owner, Pairs};
use api::agent::WorkerConfig;
use api::kafka_connect::KafkaConnectTemplate;
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::clients::Access;
use crate::clients::files::ClientFiles;
use crate::ownership::Claimant;
use crate::process::{Jmx, Logging, Metrics};
use crate::rack::Rack;
use crate::workload::labels::component_labels;
use crate::workload::probe::Probe;
use crate::workload::resizing::Resizing;

pub use names::WorkerNames;

/// The workers of one resource, as they are to be.
#[derive(Debug, Clone)]
pub struct Workers {
    /// The resource.
    pub owner: Owner,
    /// The names of their objects.
    pub names: WorkerNames,
    /// Kind of component, see [`api::labels::component`].
    pub component_type: &'static str,
    /// How many there are.
    pub replicas: usize,
    /// Their image.
    pub image: String,
    /// `kafka-connect.properties`, with placeholders that the agent resolves.
    pub properties: String,
    /// What their agents are told.
    pub agent: WorkerConfig,
    /// Loggers and levels.
    pub logging: Logging,
    /// Which metrics are offered to Prometheus.
    pub metrics: Option<Metrics>,
    /// Whether their clients are traced.
    pub is_traced: bool,
    /// Remote JMX.
    pub jmx: Option<Jmx>,
    /// Where their rack comes from.
    pub rack: Option<Rack>,
    /// The Kafka clusters that they connect to.
    pub clients: Vec<Client>,
    /// The Secret with trusted certificates, by key; empty: there is none.
    pub trusted: BTreeMap<String, String>,
    /// Hash of what they trust and prove themselves by.
    pub auth_hash: String,
    /// Liveness probe.
    pub liveness: Probe,
    /// Readiness probe.
    pub readiness: Probe,
    /// Whether other resources are given to running pods.
    pub(crate) resizing: Option<Resizing>,
    /// Resources of the container.
    pub resources: Option<ResourceRequirements>,
    /// The user's additions.
    pub templates: KafkaConnectTemplate,
    /// Labels that the operator's settings put on the pods.
    pub custom_labels: Pairs,
    /// Whether the REST API is for the operator and the workers alone.
    pub closed: bool,
    /// Plug-ins out of images.
    pub plug_ins: Vec<ImagePlugIn>,
    /// Variables and volumes of an older resource.
    pub(crate) external: external::External,
    /// Annotations of the pod set and of its pods that tell which image build the pods are from.
    pub build_annotations: BuildAnnotations,
}

/// What the pod set and its pods tell of the image build that the pods are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildAnnotations {
    /// On the pod set.
    pub set: Pairs,
    /// On each pod.
    pub pod: Pairs,
}

/// How workers connect to one Kafka cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Client {
    /// Where it is, and by what.
    pub access: Access,
    /// Where the files are for that.
    pub files: ClientFiles,
}

/// A plug-in out of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePlugIn {
    /// Name of its folder.
    pub name: String,
    /// The image.
    pub image: String,
    /// When the image is pulled.
    pub pull_policy: Option<String>,
}

impl Workers {
    /// The resource of the workers as the claimant of its objects' names.
    pub fn claimant(&self) -> Claimant<'_> {
        Claimant {
            kind: &self.owner.kind,
            namespace: &self.owner.namespace,
            name: &self.owner.name,
            parts: Vec::new(),
        }
    }

    /// The labels of their objects.
    pub fn labels(&self) -> Pairs {
        component_labels(&self.owner, &self.names.component, self.component_type)
    }

    /// The labels by which their pods are selected.
    pub fn selector(&self) -> Pairs {
        api::labels::selector(&self.labels())
    }

    /// The host name of a worker within the Kubernetes cluster.
    pub fn host(&self, pod: &str) -> String {
        format!("{pod}.{}", api::names::service_dns(&self.names.component, &self.owner.namespace))
    }
}
