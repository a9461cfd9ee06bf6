//! KafkaBridge: HTTP access to a Kafka cluster.

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
use crate::common::rack::Rack;
use crate::common::refs::CertAndKeyRef;
use crate::common::sections::sections;
use crate::common::template::{
    DeploymentTemplate, InternalServiceTemplate, PodDisruptionBudgetTemplate, ResourceTemplate,
};
use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema, Resources};

/// What an HTTP bridge should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaBridge",
    plural = "kafkabridges",
    shortname = "kb",
    category = "strimzi",
    namespaced,
    status = "KafkaBridgeStatus",
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
        description = "Number of bridges asked for"
    ),
    printcolumn(
        name = "Bootstrap Servers",
        type_ = "string",
        json_path = ".spec.bootstrapServers",
        description = "Addresses of Kafka",
        priority = 1
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the bridge is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaBridgeSpec {
    /// Number of bridges. Consumers stay with the bridge they were made at.
    #[schemars(range(min = 0))]
    pub replicas: Option<i32>,
    /// Of older versions: whether there are metrics.
    #[schemars(skip)]
    pub enable_metrics: Option<bool>,
    /// Image of the bridge. The default is what the operator was installed with.
    pub image: Option<String>,
    /// Addresses of Kafka: `host:port,host:port`.
    pub bootstrap_servers: String,
    /// TLS towards Kafka. Without it traffic is not encrypted.
    pub tls: Option<ClientTls>,
    /// How the bridge proves to Kafka who it is. Without it it does not.
    pub authentication: Option<ClientAuthentication>,
    /// The HTTP server.
    pub http: Option<BridgeHttp>,
    /// The Kafka client for topics and offsets.
    pub admin_client: Option<BridgeAdminClient>,
    /// The Kafka clients that read records.
    pub consumer: Option<BridgeConsumer>,
    /// The Kafka client that writes records.
    pub producer: Option<BridgeProducer>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// Options of a Java virtual machine.
    pub jvm_options: Option<JvmOptions>,
    /// What is logged.
    pub logging: Option<Logging>,
    /// Image of the init container that finds the rack. The default is what the operator was installed with.
    pub client_rack_init_image: Option<String>,
    /// How the bridge learns its rack, so that consumers read from the nearest replica.
    pub rack: Option<Rack>,
    /// Metrics for Prometheus. Without it there are none.
    pub metrics_config: Option<MetricsConfig>,
    /// When and how often it is looked whether the bridge lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether the bridge is ready.
    pub readiness_probe: Option<Probe>,
    /// Additions to the generated objects.
    pub template: Option<KafkaBridgeTemplate>,
    /// Traces of requests. Without it there are none.
    pub tracing: Option<Tracing>,
    /// Options of the bridge as a whole. Options that start with `kafka.` or `http.` are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// The HTTP server of a bridge.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeHttp {
    /// Port of the server. The default is 8080.
    #[schemars(range(min = 1023))]
    pub port: Option<i32>,
    /// TLS towards HTTP clients. Without it traffic is not encrypted.
    pub tls: Option<BridgeHttpTls>,
    /// Use by web pages of other sites. Without it none may.
    pub cors: Option<BridgeHttpCors>,
}

/// TLS towards HTTP clients.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeHttpTls {
    /// The server's certificate and key.
    pub certificate_and_key: CertAndKeyRef,
    /// TLS options: `ssl.enabled.cipher.suites` and `ssl.enabled.protocols`.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// Use by web pages of other sites.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeHttpCors {
    /// Sites whose pages may use the bridge: addresses or regular expressions.
    pub allowed_origins: Vec<String>,
    /// HTTP methods those pages may use.
    pub allowed_methods: Vec<String>,
}

/// The Kafka client for topics and offsets.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeAdminClient {
    /// Options of the client. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// The Kafka clients that read records.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeConsumer {
    /// Whether records can be read. The default is true.
    pub enabled: Option<bool>,
    /// Seconds after which a consumer that was not used is closed. The default is -1: never.
    pub timeout_seconds: Option<i64>,
    /// Options of the clients. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// The Kafka client that writes records.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeProducer {
    /// Whether records can be written. The default is true.
    pub enabled: Option<bool>,
    /// Options of the client. Options that the operator sets itself are refused.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

/// Additions to the objects generated for a bridge.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaBridgeTemplate {
    /// The Deployment.
    pub deployment: Option<DeploymentTemplate>,
    /// The pods.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The Service of the HTTP API.
    pub api_service: Option<InternalServiceTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The container of the bridge.
    pub bridge_container: Option<ContainerTemplate>,
    /// The ClusterRoleBinding.
    pub cluster_role_binding: Option<ResourceTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// The init container that finds the rack.
    pub init_container: Option<ContainerTemplate>,
}

sections!(KafkaBridgeTemplate {
    objects:
        deployment "deployment",
        api_service "apiService",
        pod_disruption_budget "podDisruptionBudget",
        cluster_role_binding "clusterRoleBinding",
        service_account "serviceAccount";
    containers:
        bridge_container "bridgeContainer",
        init_container "initContainer";
});

/// What was observed of a bridge.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaBridgeStatus {
    /// What can be said about the bridge.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Address of the HTTP API inside Kubernetes.
    pub url: Option<String>,
    /// Number of bridges.
    pub replicas: Option<i32>,
    /// Selector of the bridges' pods, for the scale sub-resource.
    pub label_selector: Option<String>,
}
