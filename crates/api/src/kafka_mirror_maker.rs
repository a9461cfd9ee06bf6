//! KafkaMirrorMaker: records of one Kafka cluster, mirrored into another one under the same names of topics. It is a resource of
//! Strimzi before 0.46, for MirrorMaker 1, which Kafka has no more: MirrorMaker 2 does what it asks for.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::client_auth::{ClientAuthentication, ClientTls};
use crate::common::jvm::JvmOptions;
use crate::common::logging::Logging;
use crate::common::metrics::{MetricsConfig, Tracing};
use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::probe::Probe;
use crate::common::sections::sections;
use crate::common::template::{DeploymentTemplate, PodDisruptionBudgetTemplate, ResourceTemplate};
use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, Resources};

/// The only version in which the definition is served and stored.
pub const VERSION: &str = "v1beta2";

/// What is mirrored, and how.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1beta2",
    kind = "KafkaMirrorMaker",
    plural = "kafkamirrormakers",
    shortname = "kmm",
    category = "strimzi",
    namespaced,
    status = "KafkaMirrorMakerStatus",
    schema = "disabled",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.labelSelector"
    ),
    printcolumn(
        name = "Desired replicas",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Number of workers asked for"
    ),
    printcolumn(
        name = "Consumer Bootstrap Servers",
        type_ = "string",
        json_path = ".spec.consumer.bootstrapServers",
        description = "Addresses of the cluster to mirror from",
        priority = 1
    ),
    printcolumn(
        name = "Producer Bootstrap Servers",
        type_ = "string",
        json_path = ".spec.producer.bootstrapServers",
        description = "Addresses of the cluster to mirror to",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the mirroring is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaMirrorMakerSpec {
    /// Version of Kafka Connect, for example `4.3.1`. A version older than all supported versions is replaced by the newest.
    pub version: Option<String>,
    /// Number of workers.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Image of the workers, if `version` is supported or left out. The default is the operator's image for the version.
    pub image: Option<String>,
    /// The cluster to mirror from.
    pub consumer: MirrorMakerConsumer,
    /// The cluster to mirror to.
    pub producer: MirrorMakerProducer,
    /// Regular expression, or list of them, of the topics to mirror.
    pub include: Option<String>,
    /// Another name of `include`, which wins.
    pub whitelist: Option<String>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// When and how often it is looked whether a worker lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether a worker is ready.
    pub readiness_probe: Option<Probe>,
    /// Options of the Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Metrics for Prometheus. Without it there are none.
    pub metrics_config: Option<MetricsConfig>,
    /// Traces of records. Without it there are none.
    pub tracing: Option<Tracing>,
    /// Additions to the generated objects.
    pub template: Option<KafkaMirrorMakerTemplate>,
}

/// The cluster to mirror from.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorMakerConsumer {
    /// Addresses of the cluster: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// The group of MirrorMaker 1, whose committed offsets mirroring begins at.
    pub group_id: String,
    /// Consumers of each worker. The default is 1.
    #[schemars(range(min = 1))]
    pub num_streams: Option<i32>,
    /// Milliseconds between two commits of what was mirrored. The default is 60000.
    pub offset_commit_interval: Option<i64>,
    /// TLS towards the cluster. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the consumers prove to the cluster who they are. Without it they do not.
    pub authentication: Option<ClientAuthentication>,
    /// Options of the consumers. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// The cluster to mirror to; the workers also keep their own state there.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorMakerProducer {
    /// Addresses of the cluster: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// Without effect: what cannot be written always ends the mirroring of a topic, and no record is left out.
    pub abort_on_send_failure: Option<bool>,
    /// TLS towards the cluster. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the workers prove to the cluster who they are. Without it they do not.
    pub authentication: Option<ClientAuthentication>,
    /// Options of the producers. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// Additions to the objects generated for a mirror.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaMirrorMakerTemplate {
    /// The Deployment of MirrorMaker 1: without effect, there is none.
    pub deployment: Option<DeploymentTemplate>,
    /// The pods.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The container of a worker.
    pub mirror_maker_container: Option<ContainerTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
}

sections!(KafkaMirrorMakerTemplate {
    objects:
        deployment "deployment",
        pod_disruption_budget "podDisruptionBudget",
        service_account "serviceAccount";
    containers:
        mirror_maker_container "mirrorMakerContainer";
});

/// What was observed of the mirroring.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaMirrorMakerStatus {
    /// What can be said about the mirroring.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Selector of the workers' pods, for the scale sub-resource.
    pub label_selector: Option<String>,
    /// Number of workers.
    pub replicas: Option<i32>,
}
