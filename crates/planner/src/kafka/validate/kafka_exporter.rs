//! `spec.kafkaExporter`.

use api::kafka::KafkaExporterSpec;
use api::kafka::exporter::name_expression;
use api::{Kafka, annotations};

use super::entity_operator::image;
use super::{Findings, resources};
use crate::kafka::cluster::{ExporterLevel, KafkaExporter, Probe};
use crate::settings::PlanSettings;

/// Probes of the exporter: a cheap request that waits for nobody, so that readiness is seen soon.
const READINESS: Probe = Probe { initial_delay: 0, timeout: 15, period: 5, failures: 3, successes: 1 };
const LIVENESS: Probe = Probe { initial_delay: 15, timeout: 15, period: 30, failures: 3, successes: 1 };

/// Path of the section.
const SECTION: &str = "spec.kafkaExporter";

/// Reads the section.
pub(super) fn read(kafka: &Kafka, settings: &PlanSettings, findings: &mut Findings) -> Option<KafkaExporter> {
    let raw = kafka.spec.kafka_exporter.as_ref()?;
    expressions(raw, findings);
    resources::claims(raw.resources.as_ref(), &format!("{SECTION}.resources"), findings);
    Some(KafkaExporter {
        image: image(raw.image.as_ref(), settings.kafka_exporter_image.as_ref(), settings),
        program: program(kafka, findings),
        group_regex: raw.group_regex.clone(),
        group_exclude_regex: raw.group_exclude_regex.clone(),
        topic_regex: raw.topic_regex.clone(),
        topic_exclude_regex: raw.topic_exclude_regex.clone(),
        level: level(raw, findings),
        client_logs: raw.enable_sarama_logging.unwrap_or_default(),
        show_all: raw.show_all_offsets.unwrap_or(true),
        resources: raw.resources.clone(),
        liveness: Probe::read(raw.liveness_probe.as_ref(), LIVENESS),
        readiness: Probe::read(raw.readiness_probe.as_ref(), READINESS),
        templates: raw.template.clone().unwrap_or_default(),
    })
}

/// What the exporter could not read would keep it from starting.
fn expressions(raw: &KafkaExporterSpec, findings: &mut Findings) {
    for (field, text) in [
        ("groupRegex", &raw.group_regex),
        ("groupExcludeRegex", &raw.group_exclude_regex),
        ("topicRegex", &raw.topic_regex),
        ("topicExcludeRegex", &raw.topic_exclude_regex),
    ] {
        let Some(text) = text else { continue };
        if name_expression(text).is_err() {
            findings.problem(
                format!("{SECTION}.{field}"),
                format!(
                    "{text:?} is not a regular expression, or a very large one: write one such as orders-.*, in the syntax \
                     of RE2 (no look-around, no back references)"
                ),
            );
        }
    }
}

fn level(raw: &KafkaExporterSpec, findings: &mut Findings) -> ExporterLevel {
    let Some(text) = raw.logging.as_deref().filter(|text| !text.is_empty()) else {
        return ExporterLevel::Info;
    };
    match text.to_ascii_lowercase().as_str() {
        "info" => ExporterLevel::Info,
        "debug" => ExporterLevel::Debug,
        "trace" => ExporterLevel::Trace,
        _ => {
            let message = format!("{text:?} is no level of the exporter's log: write info, debug or trace");
            findings.problem(format!("{SECTION}.logging"), message);
            ExporterLevel::Info
        }
    }
}

/// The program that an annotation names.
fn program(kafka: &Kafka, findings: &mut Findings) -> Option<String> {
    let key = annotations::KAFKA_EXPORTER_PROGRAM;
    let path = kafka.metadata.annotations.as_ref()?.get(key)?;
    let is_path = path.starts_with('/') && !path.chars().any(|c| c.is_whitespace() || c.is_control());
    if !is_path {
        findings.problem(
            format!("metadata.annotations.{key}"),
            format!("{path:?} is no path: write that of a program in the image, such as /opt/kafka-exporter/kafka_exporter_run.sh"),
        );
        return None;
    }
    Some(path.clone())
}
