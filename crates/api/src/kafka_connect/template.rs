//! Additions to the objects generated for Kafka Connect and MirrorMaker 2.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::sections::sections;
use crate::common::template::{
    InternalServiceTemplate, MetadataTemplate, PodDisruptionBudgetTemplate, ResourceTemplate,
};
use crate::schema::JsonSchema;

/// Additions to the objects generated for Kafka Connect and MirrorMaker 2.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectTemplate {
    /// The StrimziPodSet.
    pub pod_set: Option<ResourceTemplate>,
    /// The workers' pods.
    pub pod: Option<PodTemplate>,
    /// The Service of the REST API.
    pub api_service: Option<InternalServiceTemplate>,
    /// The headless Service of the workers.
    pub headless_service: Option<InternalServiceTemplate>,
    /// The workers' container.
    pub connect_container: Option<ContainerTemplate>,
    /// The init container that finds the rack.
    pub init_container: Option<ContainerTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// The ClusterRoleBinding.
    pub cluster_role_binding: Option<ResourceTemplate>,
    /// The pod that builds an image. MirrorMaker 2 never builds one.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub build_pod: Option<PodTemplate>,
    /// The container that builds an image.
    pub build_container: Option<ContainerTemplate>,
    /// The BuildConfig (OpenShift).
    pub build_config: Option<BuildConfigTemplate>,
    /// The ServiceAccount that builds an image.
    pub build_service_account: Option<ResourceTemplate>,
    /// The Secret with the JMX user and password.
    pub jmx_secret: Option<ResourceTemplate>,
}

sections!(KafkaConnectTemplate {
    objects:
        pod_set "podSet",
        api_service "apiService",
        headless_service "headlessService",
        pod_disruption_budget "podDisruptionBudget",
        service_account "serviceAccount",
        cluster_role_binding "clusterRoleBinding",
        build_config "buildConfig",
        build_service_account "buildServiceAccount",
        jmx_secret "jmxSecret";
    containers:
        connect_container "connectContainer",
        init_container "initContainer",
        build_container "buildContainer";
});

/// A generated BuildConfig (OpenShift).
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildConfigTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
    /// Secret for pulling the base image.
    pub pull_secret: Option<String>,
}
