//! KafkaMirrorMaker2: topics and consumer offsets of other Kafka clusters, mirrored into one.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::client_auth::{ClientAuthentication, ClientTls};
use crate::common::connector::{
    AlterOffsets, AutoRestart, AutoRestartStatus, ConnectorPlugin, ConnectorState, ListOffsets,
};
use crate::common::jvm::{JmxOptions, JvmOptions};
use crate::common::logging::Logging;
use crate::common::metrics::{MetricsConfig, Tracing};
use crate::common::probe::Probe;
use crate::common::rack::Rack;
use crate::conditions::Condition;
use crate::kafka_connect::KafkaConnectTemplate;
use crate::schema::{Free, FreeMap, JsonSchema, Resources};

/// What is mirrored, and by what.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaMirrorMaker2",
    plural = "kafkamirrormaker2s",
    shortname = "kmm2",
    category = "strimzi",
    namespaced,
    status = "KafkaMirrorMaker2Status",
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
        description = "Whether the mirroring is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaMirrorMaker2Spec {
    /// Version of Kafka Connect, for example `4.3.1`. The default is the newest version the operator knows.
    pub version: Option<String>,
    /// Number of workers.
    pub replicas: Option<i32>,
    /// Image of the workers. The default is the operator's image for the version.
    pub image: Option<String>,
    /// The cluster to mirror to.
    pub target: Option<MirrorMaker2Target>,
    /// What to mirror.
    pub mirrors: Option<Vec<Mirror>>,
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
    /// Of older versions: all clusters. `target` and `mirrors[].source` win.
    #[schemars(skip)]
    pub clusters: Option<Vec<MirrorMaker2Source>>,
    /// Of older versions: the alias of the cluster to mirror to.
    #[schemars(skip)]
    pub connect_cluster: Option<String>,
    /// Of older versions: variables and volumes of the workers.
    #[schemars(skip)]
    pub external_configuration: Option<crate::present::Present>,
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
}

/// The cluster to mirror to; the workers also keep their own state there.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorMaker2Target {
    /// Short name of the cluster, unique in the resource.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9\._\-]{1,100}$"))]
    pub alias: String,
    /// Addresses of the cluster: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// Name of the workers' group, unique in the cluster.
    pub group_id: String,
    /// Topic in which the workers keep the connectors' options.
    pub config_storage_topic: String,
    /// Topic in which the workers keep the connectors' states.
    pub status_storage_topic: String,
    /// Topic in which the workers keep the offsets of source connectors.
    pub offset_storage_topic: String,
    /// TLS towards the cluster. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the workers prove to the cluster who they are. Without it they do not.
    pub authentication: Option<ClientAuthentication>,
    /// Options of the workers. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// What to mirror from one cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// The cluster to mirror from.
    pub source: Option<MirrorMaker2Source>,
    /// Of older versions: the alias of the cluster to mirror from.
    #[schemars(skip)]
    pub source_cluster: Option<String>,
    /// Of older versions: the alias of the cluster to mirror to.
    #[schemars(skip)]
    pub target_cluster: Option<String>,
    /// Of older versions: the connector that writes heartbeats.
    #[schemars(skip)]
    pub heartbeat_connector: Option<MirrorConnector>,
    /// Of older versions: another name of `topicsExcludePattern`.
    #[schemars(skip)]
    pub topics_blacklist_pattern: Option<String>,
    /// Of older versions: another name of `groupsExcludePattern`.
    #[schemars(skip)]
    pub groups_blacklist_pattern: Option<String>,
    /// The connector that mirrors records.
    pub source_connector: Option<MirrorConnector>,
    /// The connector that mirrors offsets of consumer groups. Without it they are not mirrored.
    pub checkpoint_connector: Option<MirrorConnector>,
    /// Regular expression, or list of them, of the topics to mirror. The default is `.*`.
    pub topics_pattern: Option<String>,
    /// Regular expression, or list of them, of topics to leave out.
    pub topics_exclude_pattern: Option<String>,
    /// Regular expression, or list of them, of the groups to mirror. The default is `.*`.
    pub groups_pattern: Option<String>,
    /// Regular expression, or list of them, of groups to leave out.
    pub groups_exclude_pattern: Option<String>,
}

/// A cluster to mirror from.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorMaker2Source {
    /// Short name of the cluster, unique in the resource. It is the default prefix of mirrored topics.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9\._\-]{1,100}$"))]
    pub alias: String,
    /// Addresses of the cluster: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// TLS towards the cluster. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the connectors prove to the cluster who they are. Without it they do not.
    pub authentication: Option<ClientAuthentication>,
    /// Options of the connectors' clients for this cluster.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// A connector of a mirror.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorConnector {
    /// Largest number of tasks. The default is Kafka Connect's own: 1.
    #[schemars(range(min = 1))]
    pub tasks_max: Option<i32>,
    /// Version, or range of versions, of the connector's plug-in. The default is the newest one there is.
    pub version: Option<String>,
    /// Options of the connector. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
    /// What the connector should be doing. The default is `running`.
    pub state: Option<ConnectorState>,
    /// Of older versions: `true` is what `state: paused` says. `state` wins.
    #[schemars(skip)]
    pub pause: Option<bool>,
    /// Restarts of the connector and tasks that failed. Without it they stay failed.
    pub auto_restart: Option<AutoRestart>,
    /// Where offsets go when the annotation `strimzi.io/connector-offsets` says `list`.
    pub list_offsets: Option<ListOffsets>,
    /// Where offsets come from when the annotation `strimzi.io/connector-offsets` says `alter`. The connector must be
    /// stopped.
    pub alter_offsets: Option<AlterOffsets>,
}

/// What was observed of the mirroring.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaMirrorMaker2Status {
    /// What can be said about the mirroring.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Address of the REST API.
    pub url: Option<String>,
    /// The connectors' states as Kafka Connect's REST API shows them.
    #[schemars(with = "Option<Vec<Free>>")]
    pub connectors: Option<Vec<FreeMap>>,
    /// Restarts of the connectors so far.
    pub auto_restart_statuses: Option<Vec<AutoRestartStatus>>,
    /// The connector classes that the workers offer.
    pub connector_plugins: Option<Vec<ConnectorPlugin>>,
    /// How far each mirror is. Only where the installation has the operator ask for it.
    pub mirrors: Option<Vec<MirrorStatus>>,
    /// Selector of the workers' pods, for the scale sub-resource.
    pub label_selector: Option<String>,
    /// Number of workers.
    pub replicas: Option<i32>,
}

/// How far a mirror is.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorStatus {
    /// Alias of the source.
    pub source_alias: Option<String>,
    /// Records of the source that are not mirrored yet, about. Missing while that is not known.
    pub lag: Option<i64>,
    /// When the offsets of a group were mirrored last, in UTC as `2026-01-31T12:00:00Z`.
    pub last_checkpoint: Option<String>,
}
