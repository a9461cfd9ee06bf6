//! What only resources of older versions say: a cluster with ZooKeeper.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::jvm::JvmOptions;
use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::storage::Volume;
use crate::common::template::ResourceTemplate;
use crate::present::Present;
use crate::schema::{JsonSchema, Resources};

/// ZooKeeper of a cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Zookeeper {
    /// Number of controllers.
    #[schemars(range(min = 1))]
    pub replicas: i32,
    /// Where the controllers keep the metadata log.
    pub storage: Volume,
    /// CPU and memory of the controllers.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// Options of the controllers' Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// Additions to the objects generated for the controllers.
    pub template: Option<ZookeeperTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub config: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub image: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub jmx_options: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub liveness_probe: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub logging: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub metrics_config: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub readiness_probe: Option<Present>,
}

/// Additions to the objects of ZooKeeper, as far as controllers have such objects.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZookeeperTemplate {
    /// The StrimziPodSet.
    pub pod_set: Option<ResourceTemplate>,
    /// The pods.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The PersistentVolumeClaims.
    pub persistent_volume_claim: Option<ResourceTemplate>,
    /// The container.
    pub zookeeper_container: Option<ContainerTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub client_service: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub jmx_secret: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub nodes_service: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub pod_disruption_budget: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub service_account: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub statefulset: Option<Present>,
}
