//! The operators of a cluster's topics and users.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::jvm::JvmOptions;
use crate::common::logging::Logging;
use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::probe::Probe;
use crate::common::sections::sections;
use crate::common::template::{DeploymentTemplate, PodDisruptionBudgetTemplate, ResourceTemplate};
use crate::present::Present;
use crate::schema::{JsonSchema, Resources};

/// The operators of a cluster's topics and users; they run in one pod.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityOperatorSpec {
    /// The operator of KafkaTopics. Without it none runs.
    pub topic_operator: Option<EntityTopicOperatorSpec>,
    /// The operator of KafkaUsers. Without it none runs.
    pub user_operator: Option<EntityUserOperatorSpec>,
    /// Additions to the generated objects.
    pub template: Option<EntityOperatorTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub tls_sidecar: Option<Present>,
}

/// The operator of KafkaTopics.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityTopicOperatorSpec {
    /// Namespace whose KafkaTopics are handled. The default is that of the Kafka resource; others must be allowed by
    /// the installation.
    pub watched_namespace: Option<String>,
    /// Image of the container. The default is what the operator was installed with.
    pub image: Option<String>,
    /// Milliseconds between two passes over all topics. The default is 120000.
    #[schemars(range(min = 0))]
    pub reconciliation_interval_ms: Option<i64>,
    /// The same in seconds, in a resource of an older version.
    #[schemars(range(min = 0))]
    pub reconciliation_interval_seconds: Option<i64>,
    /// When and how often it is looked whether the operator has started. The default is every 10 seconds, 12 times.
    pub startup_probe: Option<Probe>,
    /// When and how often it is looked whether the operator lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether the operator is ready.
    pub readiness_probe: Option<Probe>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Options of a Java virtual machine. Accepted for compatibility: the operator runs without one.
    pub jvm_options: Option<JvmOptions>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub topic_metadata_max_attempts: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub zookeeper_session_timeout_seconds: Option<Present>,
}

/// The operator of KafkaUsers.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityUserOperatorSpec {
    /// Namespace whose KafkaUsers are handled. The default is that of the Kafka resource; others must be allowed by
    /// the installation.
    pub watched_namespace: Option<String>,
    /// Image of the container. The default is what the operator was installed with.
    pub image: Option<String>,
    /// Milliseconds between two passes over all users. The default is 120000.
    #[schemars(range(min = 0))]
    pub reconciliation_interval_ms: Option<i64>,
    /// The same in seconds, in a resource of an older version.
    #[schemars(range(min = 0))]
    pub reconciliation_interval_seconds: Option<i64>,
    /// What the names of the users' Secrets start with. The default is nothing.
    pub secret_prefix: Option<String>,
    /// When and how often it is looked whether the operator lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether the operator is ready.
    pub readiness_probe: Option<Probe>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Options of a Java virtual machine. Accepted for compatibility: the operator runs without one.
    pub jvm_options: Option<JvmOptions>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub zookeeper_session_timeout_seconds: Option<Present>,
}

/// Additions to the objects generated for the two operators.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityOperatorTemplate {
    /// The Deployment. Its strategy is always `Recreate`.
    pub deployment: Option<DeploymentTemplate>,
    /// The pod.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The container of the topic operator.
    pub topic_operator_container: Option<ContainerTemplate>,
    /// The container of the user operator.
    pub user_operator_container: Option<ContainerTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The Role.
    pub entity_operator_role: Option<ResourceTemplate>,
    /// The RoleBinding of the topic operator.
    pub topic_operator_role_binding: Option<ResourceTemplate>,
    /// The RoleBinding of the user operator.
    pub user_operator_role_binding: Option<ResourceTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub tls_sidecar_container: Option<Present>,
}

sections!(EntityOperatorTemplate {
    objects:
        deployment "deployment",
        service_account "serviceAccount",
        pod_disruption_budget "podDisruptionBudget",
        entity_operator_role "entityOperatorRole",
        topic_operator_role_binding "topicOperatorRoleBinding",
        user_operator_role_binding "userOperatorRoleBinding";
    containers:
        topic_operator_container "topicOperatorContainer",
        user_operator_container "userOperatorContainer";
});
