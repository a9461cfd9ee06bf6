//! KafkaConnect: a Kafka Connect cluster.

pub mod build;
pub mod template;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub use build::{Build, MountedPlugin};
pub use template::KafkaConnectTemplate;

use crate::common::client_auth::{ClientAuthentication, ClientTls};
use crate::common::connector::ConnectorPlugin;
use crate::common::jvm::{JmxOptions, JvmOptions};
use crate::common::logging::Logging;
use crate::common::metrics::{MetricsConfig, Tracing};
use crate::common::probe::Probe;
use crate::common::rack::Rack;
use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, Resources};

/// What a Kafka Connect cluster should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaConnect",
    plural = "kafkaconnects",
    shortname = "kc",
    category = "strimzi",
    namespaced,
    status = "KafkaConnectStatus",
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
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the cluster is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectSpec {
    /// Version of Kafka Connect, for example `4.3.1`. The default is the newest version the operator knows.
    pub version: Option<String>,
    /// Of older versions: variables and volumes of the workers.
    #[schemars(skip)]
    pub external_configuration: Option<crate::common::external_configuration::ExternalConfiguration>,
    /// Number of workers.
    pub replicas: Option<i32>,
    /// Image of the workers. The default is the operator's image for the version, or the one that was built.
    pub image: Option<String>,
    /// Addresses of Kafka: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// Name of the workers' group, unique in the Kafka cluster.
    pub group_id: Option<String>,
    /// Topic in which the workers keep the connectors' options.
    pub config_storage_topic: Option<String>,
    /// Topic in which the workers keep the connectors' states.
    pub status_storage_topic: Option<String>,
    /// Topic in which the workers keep the offsets of source connectors.
    pub offset_storage_topic: Option<String>,
    /// TLS towards Kafka. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the workers prove to Kafka who they are. Without it they do not.
    pub authentication: Option<ClientAuthentication>,
    /// Options of the workers. Options that the operator sets itself, such as `bootstrap.servers` or `group.id`, are
    /// refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// When and how often it is looked whether a worker lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether a worker is ready.
    pub readiness_probe: Option<Probe>,
    /// Options of the Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// Remote JMX. Without it there is none.
    pub jmx_options: Option<JmxOptions>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Image of the init container that finds the rack. The default is what the operator was installed with.
    pub client_rack_init_image: Option<String>,
    /// How workers learn their rack, so that consumers read from the nearest replica.
    pub rack: Option<Rack>,
    /// Metrics for Prometheus. Without it there are none.
    pub metrics_config: Option<MetricsConfig>,
    /// Traces of records. Without it there are none.
    pub tracing: Option<Tracing>,
    /// Additions to the generated objects.
    pub template: Option<KafkaConnectTemplate>,
    /// How an image with connectors is built. Without it none is built.
    pub build: Option<Build>,
    /// Connectors to mount from images. Not together with `build`.
    pub plugins: Option<Vec<MountedPlugin>>,
}

/// What was observed of a Kafka Connect cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectStatus {
    /// What can be said about the cluster.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Address of the REST API.
    pub url: Option<String>,
    /// The connector classes that the workers offer.
    pub connector_plugins: Option<Vec<ConnectorPlugin>>,
    /// Number of workers.
    pub replicas: Option<i32>,
    /// Selector of the workers' pods, for the scale sub-resource.
    pub label_selector: Option<String>,
}
