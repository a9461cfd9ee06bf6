//! Kafka: a Kafka cluster without its nodes, which are in KafkaNodePools.

pub mod ca;
pub mod cluster;
pub mod cruise_control;
pub mod entity_operator;
pub mod exporter;
pub mod listeners;
pub mod older;
pub mod status;
pub mod template;

use std::collections::BTreeMap;

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::present::Present;
use crate::schema::{Free, FreeMap, JsonSchema};
pub use ca::{
    CertManager, CertificateAuthority, CertificateAuthorityType, CertificateExpirationPolicy,
    IssuerCertificates, IssuerRef,
};
pub use cluster::{
    Authorization, AuthorizationType, KafkaClusterSpec, Quotas, QuotasType, RemoteStorageManager,
    TieredStorage, TieredStorageType,
};
pub use cruise_control::{CruiseControlSpec, CruiseControlTemplate};
pub use entity_operator::{
    EntityOperatorSpec, EntityOperatorTemplate, EntityTopicOperatorSpec, EntityUserOperatorSpec,
};
pub use exporter::{KafkaExporterSpec, KafkaExporterTemplate};
pub use listeners::{
    Listener, ListenerAuthentication, ListenerAuthenticationType, ListenerBootstrap, ListenerBroker,
    ListenerConfiguration, ListenerType,
};
pub use older::{Zookeeper, ZookeeperTemplate};
pub use status::{KafkaStatus, ListenerAddress, ListenerStatus, UsedNodePool};
pub use template::KafkaClusterTemplate;

/// Entries that `objectOverrides` may have.
pub const MOST_OBJECT_OVERRIDES: usize = 50;

/// What a Kafka cluster should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "Kafka",
    plural = "kafkas",
    shortname = "k",
    category = "strimzi",
    namespaced,
    status = "KafkaStatus",
    schema = "disabled",
    derive = "PartialEq",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the cluster is as asked for"
    ),
    printcolumn(
        name = "Warnings",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Warning")].status"#,
        description = "Whether there is something to look at"
    ),
    printcolumn(
        name = "Kafka version",
        type_ = "string",
        json_path = ".status.kafkaVersion",
        description = "Version of Kafka that runs"
    ),
    printcolumn(
        name = "Metadata version",
        type_ = "string",
        json_path = ".status.kafkaMetadataVersion",
        description = "Metadata version in use"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSpec {
    /// The Kafka nodes, as far as node pools do not say otherwise.
    pub kafka: KafkaClusterSpec,
    /// The operators of the cluster's KafkaTopics and KafkaUsers. Without it neither runs.
    pub entity_operator: Option<EntityOperatorSpec>,
    /// The authority that signs the certificates of Kafka and of the operators.
    pub cluster_ca: Option<CertificateAuthority>,
    /// The authority that signs the certificates of users.
    pub clients_ca: Option<CertificateAuthority>,
    /// Rebalancing. Without it KafkaRebalance resources of this cluster are not served.
    pub cruise_control: Option<CruiseControlSpec>,
    /// Export of consumer lag. Without it no exporter runs.
    pub kafka_exporter: Option<KafkaExporterSpec>,
    /// When certificates may be renewed: cron expressions in UTC of windows that last one minute per match. The
    /// default is always.
    pub maintenance_time_windows: Option<Vec<String>>,
    /// Patches over generated objects, applied last. A key is a kind (`Pod`), or a kind and a name, which may end in `*`
    /// (`Pod/my-cluster-broker-*`). The installation has to allow them.
    #[schemars(with = "Option<BTreeMap<String, Free>>")]
    #[schemars(extend("maxProperties" = MOST_OBJECT_OVERRIDES))]
    pub object_overrides: Option<BTreeMap<String, FreeMap>>,
    /// ZooKeeper, in a resource of an older version: its replicas, storage and resources become the KRaft controllers of
    /// the cluster.
    pub zookeeper: Option<Box<Zookeeper>>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub jmx_trans: Option<Present>,
}
