//! KafkaNodePool: Kafka nodes with the same roles, storage and resources.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::jvm::JvmOptions;
use crate::common::pod_template::{ContainerTemplate, PodTemplate};
use crate::common::sections::sections;
use crate::common::storage::Storage;
use crate::common::template::ResourceTemplate;
use crate::conditions::Condition;
use crate::schema::{JsonSchema, Resources, string_enum};

/// What the nodes of a pool should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaNodePool",
    plural = "kafkanodepools",
    shortname = "knp",
    category = "strimzi",
    namespaced,
    status = "KafkaNodePoolStatus",
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
        description = "Number of nodes asked for"
    ),
    printcolumn(
        name = "Roles",
        type_ = "string",
        json_path = ".status.roles",
        description = "Roles of the nodes"
    ),
    printcolumn(
        name = "NodeIds",
        type_ = "string",
        json_path = ".status.nodeIds",
        description = "Ids of the nodes"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaNodePoolSpec {
    /// Number of nodes.
    #[schemars(range(min = 0))]
    pub replicas: i32,
    /// Where the nodes keep their data.
    pub storage: Storage,
    /// What the nodes do: `controller`, `broker` or both.
    pub roles: Vec<ProcessRole>,
    /// CPU and memory of the Kafka container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// Options of the Java virtual machine. They replace those of the Kafka resource as a whole.
    pub jvm_options: Option<JvmOptions>,
    /// Additions to the generated objects. Each section replaces the same section of the Kafka resource as a whole.
    pub template: Option<KafkaNodePoolTemplate>,
}

string_enum! {
    /// What a Kafka node does.
    ProcessRole {
        /// It takes part in the KRaft quorum.
        Controller = "controller",
        /// It holds partitions and serves clients.
        Broker = "broker",
    }
}

/// Additions to the objects generated for a pool.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaNodePoolTemplate {
    /// The StrimziPodSet.
    pub pod_set: Option<ResourceTemplate>,
    /// The pods.
    pub pod: Option<PodTemplate>,
    /// The Services of single brokers, made for listeners that are not `internal`.
    pub per_pod_service: Option<ResourceTemplate>,
    /// The Routes of single brokers, and their TLSRoutes.
    pub per_pod_route: Option<ResourceTemplate>,
    /// The Ingresses of single brokers.
    pub per_pod_ingress: Option<ResourceTemplate>,
    /// The PersistentVolumeClaims.
    pub persistent_volume_claim: Option<ResourceTemplate>,
    /// The container that runs Kafka.
    pub kafka_container: Option<ContainerTemplate>,
    /// The init container.
    pub init_container: Option<ContainerTemplate>,
}

sections!(KafkaNodePoolTemplate {
    objects:
        pod_set "podSet",
        per_pod_service "perPodService",
        per_pod_route "perPodRoute",
        per_pod_ingress "perPodIngress",
        persistent_volume_claim "persistentVolumeClaim";
    containers:
        kafka_container "kafkaContainer",
        init_container "initContainer";
});

/// What was observed of a pool.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaNodePoolStatus {
    /// Warnings about the pool.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Ids of the pool's nodes. They are unique in the cluster and stay with the nodes.
    pub node_ids: Option<Vec<i32>>,
    /// Kafka's id of the cluster.
    pub cluster_id: Option<String>,
    /// Roles the nodes have now.
    pub roles: Option<Vec<ProcessRole>>,
    /// Number of nodes.
    pub replicas: Option<i32>,
    /// Selector of the pool's pods, for the scale sub-resource.
    pub label_selector: Option<String>,
}
