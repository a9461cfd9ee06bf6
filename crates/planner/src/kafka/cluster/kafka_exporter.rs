//! The exporter of lag and offsets.

use api::kafka::KafkaExporterTemplate;
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::workload::probe::Probe;

/// The exporter of lag and offsets.
#[derive(Debug, Clone)]
pub struct KafkaExporter {
    /// Image.
    pub image: String,
    /// Path of a program that is not ours; `None`: ours runs.
    pub program: Option<String>,
    /// Groups and topics, as in the resource; `None`: the default.
    pub group_regex: Option<String>,
    /// Groups that are left out.
    pub group_exclude_regex: Option<String>,
    /// Topics.
    pub topic_regex: Option<String>,
    /// Topics that are left out.
    pub topic_exclude_regex: Option<String>,
    /// Level of the log.
    pub level: ExporterLevel,
    /// Whether the Kafka client logs too.
    pub client_logs: bool,
    /// Whether groups without members are exported.
    pub show_all: bool,
    /// CPU and memory.
    pub resources: Option<ResourceRequirements>,
    /// Liveness probe.
    pub liveness: Probe,
    /// Readiness probe.
    pub readiness: Probe,
    /// Templates of the section.
    pub templates: KafkaExporterTemplate,
}

/// A level of the exporter's log, as its variable has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExporterLevel {
    /// `info`.
    Info = 0,
    /// `debug`.
    Debug = 1,
    /// `trace`.
    Trace = 2,
}
