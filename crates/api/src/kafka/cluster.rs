//! The Kafka nodes of a cluster: version, listeners, configuration, security.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::listeners::Listener;
use super::template::KafkaClusterTemplate;
use crate::common::jvm::{JmxOptions, JvmOptions};
use crate::common::logging::Logging;
use crate::common::metrics::MetricsConfig;
use crate::common::probe::Probe;
use crate::common::rack::Rack;
use crate::common::storage::Storage;
use crate::schema::{Free, FreeMap, JsonSchema, Resources, string_enum};

/// Entries that `nodeConfig` may have: as many as a cluster may have nodes.
pub const MOST_NODE_CONFIGS: usize = 300;

/// The Kafka nodes of a cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaClusterSpec {
    /// Version of Kafka, for example `4.3.1`. The default is the newest version the operator knows.
    pub version: Option<String>,
    /// Version of the metadata format, for example `4.3` or `4.3-IV0`. The default is that of the Kafka version.
    pub metadata_version: Option<String>,
    /// Image of the Kafka container. The default is the operator's image for the version.
    pub image: Option<String>,
    /// How clients reach the cluster. Names and ports must be unique.
    #[schemars(length(min = 1))]
    pub listeners: Vec<Listener>,
    /// Options of Kafka, as in `server.properties`. Options that the operator sets itself, such as `listeners` or
    /// `log.dirs`, are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
    /// Options of single nodes, over those of `config`. A key is a node id (`3`), a range (`3-5`) or several of them
    /// (`0, 3-5`).
    #[schemars(with = "Option<BTreeMap<String, Free>>")]
    #[schemars(extend("maxProperties" = MOST_NODE_CONFIGS))]
    pub node_config: Option<BTreeMap<String, FreeMap>>,
    /// How many brokers of one rack may restart at the same time. The default is 1. Controllers always restart one by one.
    #[schemars(range(min = 1))]
    pub max_parallel_restarts: Option<i32>,
    /// Who may do what. Without it everybody may do everything.
    pub authorization: Option<Authorization>,
    /// How brokers learn their rack. Without it they have none.
    pub rack: Option<Rack>,
    /// Image of the init container. The default is what the operator was installed with.
    pub broker_rack_init_image: Option<String>,
    /// When and how often it is looked whether Kafka lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether Kafka is ready.
    pub readiness_probe: Option<Probe>,
    /// Options of the Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// Remote JMX. Without it there is none.
    pub jmx_options: Option<JmxOptions>,
    /// Metrics for Prometheus. Without it there are none.
    pub metrics_config: Option<MetricsConfig>,
    /// What is logged. The default is level INFO.
    pub logging: Option<Logging>,
    /// Additions to the generated objects.
    pub template: Option<KafkaClusterTemplate>,
    /// Tiered storage. Without it all data stays on the brokers.
    pub tiered_storage: Option<TieredStorage>,
    /// Limits for clients and disks. Without it no limits are set.
    pub quotas: Option<Quotas>,
    /// Number of brokers, in a resource of an older version, without node pools.
    #[schemars(range(min = 1))]
    pub replicas: Option<i32>,
    /// Where the brokers keep their data, in a resource of an older version, without node pools.
    pub storage: Option<Box<Storage>>,
    /// CPU and memory of the brokers, in a resource of an older version, without node pools.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
}

/// Who may do what.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// `simple` uses Kafka's own ACLs, `custom` a class of the image.
    #[serde(rename = "type")]
    pub type_: AuthorizationType,
    /// Class of the authorizer (`custom`, where it is required).
    pub authorizer_class: Option<String>,
    /// Principals that may do everything, for example `CN=admin` or `admin`. The operators' own are always added.
    pub super_users: Option<Vec<String>>,
    /// Whether the authorizer takes ACLs from the user operator (`custom`). The default is false.
    pub supports_admin_api: Option<bool>,
}

string_enum! {
    /// Kinds of authorization.
    AuthorizationType {
        /// Kafka's own ACLs.
        Simple = "simple",
        /// Open Policy Agent, in a resource of an older version.
        Opa = "opa",
        /// Keycloak, in a resource of an older version.
        Keycloak = "keycloak",
        /// A class of the image.
        Custom = "custom",
    }
}

/// Tiered storage.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TieredStorage {
    /// `custom`: a class of the image.
    #[serde(rename = "type")]
    pub type_: TieredStorageType,
    /// The class that moves segments to and from remote storage.
    pub remote_storage_manager: Option<RemoteStorageManager>,
}

string_enum! {
    /// Kinds of tiered storage.
    TieredStorageType {
        /// A class of the image.
        Custom = "custom",
    }
}

/// The class that moves segments to and from remote storage.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStorageManager {
    /// Name of the class.
    pub class_name: Option<String>,
    /// Class path of the class in the image.
    pub class_path: Option<String>,
    /// Options of the class. Kafka gets them with the prefix `rsm.config.`.
    pub config: Option<BTreeMap<String, String>>,
}

/// Limits for clients and disks.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quotas {
    /// `kafka` sets Kafka's default user quotas, `strimzi` uses a plug-in that also watches free disk space.
    #[serde(rename = "type")]
    pub type_: QuotasType,
    /// Bytes per second: for each user (`kafka`) or for all clients of a broker together (`strimzi`). The default is
    /// no limit.
    #[schemars(range(min = 0))]
    pub producer_byte_rate: Option<i64>,
    /// Bytes per second: for each user (`kafka`) or for all clients of a broker together (`strimzi`). The default is
    /// no limit.
    #[schemars(range(min = 0))]
    pub consumer_byte_rate: Option<i64>,
    /// Share of a broker's network and I/O threads' time for each user, in percent (`kafka`).
    #[schemars(range(min = 0))]
    pub request_percentage: Option<i32>,
    /// Partitions per second that each user may create or delete (`kafka`).
    #[schemars(range(min = 0))]
    pub controller_mutation_rate: Option<f64>,
    /// Bytes that must stay free on each volume; producers wait when they are not (`strimzi`). Not together with
    /// `minAvailableRatioPerVolume`.
    #[schemars(range(min = 0))]
    pub min_available_bytes_per_volume: Option<i64>,
    /// Share of each volume that must stay free, from 0 to 1 (`strimzi`).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_available_ratio_per_volume: Option<f64>,
    /// Principals the limits do not hold for (`strimzi`).
    pub excluded_principals: Option<Vec<String>>,
}

string_enum! {
    /// Kinds of quotas.
    QuotasType {
        /// Kafka's own.
        Kafka = "kafka",
        /// A plug-in that also watches free disk space.
        Strimzi = "strimzi",
    }
}
