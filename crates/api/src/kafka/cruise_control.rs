//! Rebalancing of a cluster.

use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::jvm::JvmOptions;
use crate::common::logging::Logging;
use crate::common::metrics::MetricsConfig;
use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::probe::Probe;
use crate::common::refs::SecretSource;
use crate::common::sections::sections;
use crate::common::template::{
    DeploymentTemplate, InternalServiceTemplate, PodDisruptionBudgetTemplate, ResourceTemplate,
};
use crate::present::Present;
use crate::schema::{Embedded, Free, FreeMap, JsonSchema, Resources, string_enum};

/// Rebalancing of a cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CruiseControlSpec {
    /// Image of the container. The default is what the operator was installed with.
    pub image: Option<String>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// When and how often it is looked whether the process lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether the process is ready.
    pub readiness_probe: Option<Probe>,
    /// Options of the Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Additions to the generated objects.
    pub template: Option<CruiseControlTemplate>,
    /// What the brokers are capable of.
    pub broker_capacity: Option<BrokerCapacity>,
    /// Options such as goals and thresholds. Options that the operator sets itself, such as `bootstrap.servers`, are
    /// refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
    /// Metrics for Prometheus. Without it there are none. Only `jmxPrometheusExporter` is possible here.
    #[schemars(extend("x-kubernetes-validations" = [
        {
            "rule": "self.type != 'jmxPrometheusExporter' || has(self.valueFrom)",
            "message": "valueFrom property is required"
        },
        { "rule": "self.type != 'strimziMetricsReporter'", "message": "value type not supported" }
    ]))]
    pub metrics_config: Option<MetricsConfig>,
    /// More users of the REST API.
    pub api_users: Option<ApiUsers>,
    /// Rebalances that start by themselves after brokers were added or before brokers are removed.
    #[schemars(length(min = 1))]
    pub auto_rebalance: Option<Vec<AutoRebalance>>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub tls_sidecar: Option<Present>,
}

/// What the brokers are capable of.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerCapacity {
    /// CPU of each broker, in cores or milli-cores, for example `1.5` or `1500m`. The default is the container's CPU
    /// request, then its limit, then 1 core.
    #[schemars(regex(pattern = r"^[0-9]+([.][0-9]{0,3}|[m]?)$"))]
    pub cpu: Option<String>,
    /// Bytes per second each broker can receive, for example `100MiB/s`. The default is `10000KiB/s`.
    #[schemars(regex(pattern = r"^[0-9]+([KMG]i?)?B/s$"))]
    pub inbound_network: Option<String>,
    /// Bytes per second each broker can send, for example `100MiB/s`. The default is `10000KiB/s`.
    #[schemars(regex(pattern = r"^[0-9]+([KMG]i?)?B/s$"))]
    pub outbound_network: Option<String>,
    /// Brokers that differ.
    pub overrides: Option<Vec<BrokerCapacityOverride>>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub cpu_utilization: Option<Present>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub disk: Option<Present>,
}

/// What certain brokers are capable of.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BrokerCapacityOverride {
    /// Node ids of the brokers.
    pub brokers: Vec<i32>,
    /// CPU of each of these brokers, in cores or milli-cores.
    #[schemars(regex(pattern = r"^[0-9]+([.][0-9]{0,3}|[m]?)$"))]
    pub cpu: Option<String>,
    /// Bytes per second each of these brokers can receive.
    #[schemars(regex(pattern = r"^[0-9]+([KMG]i?)?B/s$"))]
    pub inbound_network: Option<String>,
    /// Bytes per second each of these brokers can send.
    #[schemars(regex(pattern = r"^[0-9]+([KMG]i?)?B/s$"))]
    pub outbound_network: Option<String>,
}

/// More users of the REST API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiUsers {
    /// `hashLoginService`: a list in Jetty's format.
    #[serde(rename = "type")]
    pub type_: ApiUsersType,
    /// The Secret with the list.
    pub value_from: SecretSource,
}

string_enum! {
    /// Formats of user lists.
    ApiUsersType {
        /// Jetty's HashLoginService.
        HashLoginService = "hashLoginService",
    }
}

/// A rebalance that starts by itself.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRebalance {
    /// When: `add-brokers` after brokers were added, `remove-brokers` before brokers are removed.
    pub mode: AutoRebalanceMode,
    /// Name of a KafkaRebalance with the annotation `strimzi.io/rebalance-template: "true"` that says how. Without it
    /// the defaults apply.
    #[schemars(with = "Option<Embedded<LocalObjectReference>>")]
    pub template: Option<LocalObjectReference>,
}

string_enum! {
    /// When a rebalance starts by itself.
    AutoRebalanceMode {
        /// After brokers were added.
        AddBrokers = "add-brokers",
        /// Before brokers are removed.
        RemoveBrokers = "remove-brokers",
    }
}

/// Additions to the objects generated for rebalancing.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CruiseControlTemplate {
    /// The Deployment.
    pub deployment: Option<DeploymentTemplate>,
    /// The pod.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The Service of the REST API.
    pub api_service: Option<InternalServiceTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The container.
    pub cruise_control_container: Option<ContainerTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub tls_sidecar_container: Option<Present>,
}

sections!(CruiseControlTemplate {
    objects:
        deployment "deployment",
        api_service "apiService",
        pod_disruption_budget "podDisruptionBudget",
        service_account "serviceAccount";
    containers:
        cruise_control_container "cruiseControlContainer";
});
