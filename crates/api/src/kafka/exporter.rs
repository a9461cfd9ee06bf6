//! Export of consumer lag and offsets.

use k8s_openapi::api::core::v1::ResourceRequirements;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::pod_template::{ContainerTemplate, DeploymentPodTemplate, PodTemplate};
use crate::common::probe::Probe;
use crate::common::sections::sections;
use crate::common::template::{DeploymentTemplate, PodDisruptionBudgetTemplate, ResourceTemplate};
use crate::present::Present;
use crate::schema::{JsonSchema, Resources};

/// Memory that a compiled expression may take. Bytes.
const EXPRESSION_ROOM: usize = 1024 * 1024;

/// Characters that an expression may have. Before it is compiled, each class such as `\w` takes a list of all letters, which the
/// bound for what is compiled does not count.
const LONGEST_EXPRESSION: usize = 1000;

/// An expression that names groups or topics: it matches anywhere in a name, and takes a bounded time and memory.
///
/// # Errors
/// When it is no expression, or a too long or too large one.
pub fn name_expression(text: &str) -> Result<Regex, regex::Error> {
    if text.len() > LONGEST_EXPRESSION {
        let said = format!("it has {} bytes, and may have {LONGEST_EXPRESSION}", text.len());
        return Err(regex::Error::Syntax(said));
    }
    RegexBuilder::new(text).size_limit(EXPRESSION_ROOM).dfa_size_limit(EXPRESSION_ROOM).build()
}

/// Export of consumer lag and offsets as metrics for Prometheus.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaExporterSpec {
    /// Image of the container. The default is what the operator was installed with.
    pub image: Option<String>,
    /// Regular expression of the groups to export. The default is `.*`.
    pub group_regex: Option<String>,
    /// Regular expression of the topics to export. The default is `.*`.
    pub topic_regex: Option<String>,
    /// Regular expression of groups to leave out. The default is none.
    pub group_exclude_regex: Option<String>,
    /// Regular expression of topics to leave out. The default is none.
    pub topic_exclude_regex: Option<String>,
    /// CPU and memory of the container.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
    /// Level of the log: `info`, `debug` or `trace`. The default is `info`.
    pub logging: Option<String>,
    /// When and how often it is looked whether the exporter lives.
    pub liveness_probe: Option<Probe>,
    /// When and how often it is looked whether the exporter is ready.
    pub readiness_probe: Option<Probe>,
    /// Whether the Kafka client logs too. The default is false.
    pub enable_sarama_logging: Option<bool>,
    /// Whether offsets of groups without members are exported. The default is true.
    pub show_all_offsets: Option<bool>,
    /// Additions to the generated objects.
    pub template: Option<KafkaExporterTemplate>,
}

/// Additions to the objects generated for the exporter.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaExporterTemplate {
    /// The Deployment.
    pub deployment: Option<DeploymentTemplate>,
    /// The pod.
    #[schemars(with = "Option<DeploymentPodTemplate>")]
    pub pod: Option<PodTemplate>,
    /// The container.
    pub container: Option<ContainerTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// The PodDisruptionBudget.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub service: Option<Present>,
}

sections!(KafkaExporterTemplate {
    objects:
        deployment "deployment",
        service_account "serviceAccount",
        pod_disruption_budget "podDisruptionBudget";
    containers:
        container "container";
});
