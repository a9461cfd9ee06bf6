//! `spec.entityOperator`.

use api::Kafka;
use api::common::logging::Logging as RawLogging;
use k8s_openapi::api::core::v1::ResourceRequirements;
use kube_core::ResourceExt;

use super::wanted::{LoggingOf, LoggingReference};
use super::{Findings, logging, resources};
use crate::kafka::cluster::{EntityContainer, EntityOperator, Logging, Probe};
use crate::kafka::watched_namespace;
use crate::settings::PlanSettings;

/// Path of the section of the topic operator.
pub(crate) const TOPIC_OPERATOR: &str = "spec.entityOperator.topicOperator";
/// Path of the section of the user operator.
pub(crate) const USER_OPERATOR: &str = "spec.entityOperator.userOperator";

/// Probes of the entity operator: cheap requests, so that readiness is seen soon.
const READINESS: Probe = Probe { initial_delay: 0, timeout: 5, period: 2, failures: 3, successes: 1 };
const LIVENESS: Probe = Probe { initial_delay: 10, timeout: 5, period: 10, failures: 3, successes: 1 };

/// Reads the section. Texts of external logging are noted in `external`.
pub(crate) fn read(
    kafka: &Kafka,
    settings: &PlanSettings,
    external: &mut Vec<LoggingReference>,
    findings: &mut Findings,
) -> Option<EntityOperator> {
    let raw = kafka.spec.entity_operator.as_ref()?;
    let mut reader = Reader { kafka, settings, external, findings };
    let topic = raw.topic_operator.as_ref().map(|raw| EntityContainer {
        image: image(raw.image.as_ref(), settings.topic_operator_image.as_ref(), settings),
        watched_namespace: reader.watched(raw.watched_namespace.as_ref(), TOPIC_OPERATOR),
        reconciliation_interval_ms: interval(
            raw.reconciliation_interval_ms,
            raw.reconciliation_interval_seconds,
        ),
        resources: reader.resources(raw.resources.as_ref(), TOPIC_OPERATOR),
        liveness: Probe::read(raw.liveness_probe.as_ref(), LIVENESS),
        readiness: Probe::read(raw.readiness_probe.as_ref(), READINESS),
        startup: raw
            .startup_probe
            .as_ref()
            .map(|raw| Probe::read(Some(raw), Probe { failures: 12, ..LIVENESS })),
        logging: reader.logging(raw.logging.as_ref(), LoggingOf::TopicOperator, TOPIC_OPERATOR),
    });
    let user = raw.user_operator.as_ref().map(|raw| EntityContainer {
        image: image(raw.image.as_ref(), settings.user_operator_image.as_ref(), settings),
        watched_namespace: reader.watched(raw.watched_namespace.as_ref(), USER_OPERATOR),
        reconciliation_interval_ms: interval(
            raw.reconciliation_interval_ms,
            raw.reconciliation_interval_seconds,
        ),
        resources: reader.resources(raw.resources.as_ref(), USER_OPERATOR),
        liveness: Probe::read(raw.liveness_probe.as_ref(), LIVENESS),
        readiness: Probe::read(raw.readiness_probe.as_ref(), READINESS),
        startup: None,
        logging: reader.logging(raw.logging.as_ref(), LoggingOf::UserOperator, USER_OPERATOR),
    });
    if topic.is_none() && user.is_none() {
        return None;
    }
    let secret_prefix =
        raw.user_operator.as_ref().and_then(|raw| raw.secret_prefix.clone()).unwrap_or_default();
    Some(EntityOperator { topic, user, secret_prefix, templates: raw.template.clone().unwrap_or_default() })
}

/// The image of the resource, else the one that the settings name for the container, else that of the operators.
pub(crate) fn image(own: Option<&String>, default: Option<&String>, settings: &PlanSettings) -> String {
    own.or(default).unwrap_or(&settings.operator_image).clone()
}

/// What reading each of the two sections depends on.
struct Reader<'a> {
    kafka: &'a Kafka,
    settings: &'a PlanSettings,
    external: &'a mut Vec<LoggingReference>,
    findings: &'a mut Findings,
}

impl Reader<'_> {
    /// The namespace to work in.
    fn watched(&mut self, asked: Option<&String>, field: &str) -> String {
        let own = self.kafka.namespace().unwrap_or_default();
        let asked = asked.filter(|asked| !asked.is_empty()).unwrap_or(&own);
        if let Some(why) = watched_namespace::refused_by_settings(self.settings, &own, asked) {
            self.findings.problem(format!("{field}.watchedNamespace"), why);
        }
        asked.clone()
    }

    fn resources(&mut self, raw: Option<&ResourceRequirements>, field: &str) -> Option<ResourceRequirements> {
        resources::claims(raw, &format!("{field}.resources"), self.findings);
        raw.cloned()
    }

    fn logging(&mut self, raw: Option<&RawLogging>, of: LoggingOf, field: &str) -> Logging {
        logging::read(raw, of, &format!("{field}.logging"), self.external, self.findings)
    }
}

/// Milliseconds between two full passes, which resources of older versions say in seconds.
fn interval(milliseconds: Option<i64>, seconds: Option<i64>) -> Option<i64> {
    milliseconds.or_else(|| seconds.map(|seconds| seconds.saturating_mul(1000)))
}
