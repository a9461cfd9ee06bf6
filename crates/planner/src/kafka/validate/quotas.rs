//! `spec.kafka.quotas`.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::kafka::{KafkaClusterSpec, QuotasType};

use super::{Findings, text};
use crate::kafka::cluster::{FreeSpace, Quotas, QuotasPlugIn, Rate};

/// Path of the section.
const SECTION: &str = "spec.kafka.quotas";

/// Kafka's option for the class that decides about quotas.
const CALLBACK_CLASS: &str = "client.quota.callback.class";

/// Kafka's names for the default quotas of users, beside those of the section.
pub(crate) const QUOTAS_OF_USERS: [(&str, &str); 4] = [
    ("producerByteRate", "producer_byte_rate"),
    ("consumerByteRate", "consumer_byte_rate"),
    ("requestPercentage", "request_percentage"),
    ("controllerMutationRate", "controller_mutation_rate"),
];

/// Reads the section. Its type decides about the class, so that of the user in `options` goes.
pub(crate) fn read(
    spec: &KafkaClusterSpec,
    options: &mut BTreeMap<String, String>,
    findings: &mut Findings,
) -> Option<Quotas> {
    let raw = spec.quotas.as_ref()?;
    if options.remove(CALLBACK_CLASS).is_some() {
        findings.warn(
            reasons::QUOTAS_PLUGIN_CONFLICT,
            format!(
                "spec.kafka.config.{CALLBACK_CLASS} is not used, since {SECTION} decides about the class: remove one of them"
            ),
        );
    }
    Some(match raw.type_ {
        QuotasType::Kafka => kafka(spec, findings),
        QuotasType::Strimzi => Quotas::PlugIn(plug_in(spec, findings)),
    })
}

/// The default quotas of users.
fn kafka(spec: &KafkaClusterSpec, findings: &mut Findings) -> Quotas {
    let Some(raw) = &spec.quotas else { return Quotas::Kafka(BTreeMap::new()) };
    means_nothing(
        "kafka",
        "minAvailableBytesPerVolume",
        raw.min_available_bytes_per_volume.is_some(),
        findings,
    );
    means_nothing(
        "kafka",
        "minAvailableRatioPerVolume",
        raw.min_available_ratio_per_volume.is_some(),
        findings,
    );
    means_nothing("kafka", "excludedPrincipals", raw.excluded_principals.is_some(), findings);
    let values = [
        raw.producer_byte_rate.map(|rate| rate as f64),
        raw.consumer_byte_rate.map(|rate| rate as f64),
        raw.request_percentage.map(f64::from),
        raw.controller_mutation_rate,
    ];
    let mut rates = BTreeMap::new();
    for ((field, name), value) in QUOTAS_OF_USERS.into_iter().zip(values) {
        let Some(value) = value else { continue };
        if value > 0.0 && value.is_finite() {
            rates.insert(name, Rate(value));
        } else {
            findings.problem(
                format!("{SECTION}.{field}"),
                format!(
                    "{value} is not taken by Kafka: write more than 0, or leave the field out for no limit"
                ),
            );
        }
    }
    Quotas::Kafka(rates)
}

/// The options of the plug-in.
fn plug_in(spec: &KafkaClusterSpec, findings: &mut Findings) -> QuotasPlugIn {
    let Some(raw) = &spec.quotas else { return QuotasPlugIn::default() };
    means_nothing("strimzi", "requestPercentage", raw.request_percentage.is_some(), findings);
    means_nothing("strimzi", "controllerMutationRate", raw.controller_mutation_rate.is_some(), findings);
    let free_space = match (raw.min_available_bytes_per_volume, raw.min_available_ratio_per_volume) {
        (Some(_), Some(_)) => {
            findings.problem(
                format!("{SECTION}.minAvailableRatioPerVolume"),
                "cannot be had together with minAvailableBytesPerVolume: write only one of them",
            );
            None
        }
        (Some(bytes), None) => Some(FreeSpace::Bytes(bytes)),
        (None, ratio) => ratio.map(FreeSpace::Ratio),
    };
    let excluded = raw.excluded_principals.clone().unwrap_or_default();
    for (index, principal) in excluded.iter().enumerate() {
        let field = format!("{SECTION}.excludedPrincipals[{index}]");
        text::item(principal, ';', &field, "the name of a principal, such as User:CN=admin", findings);
    }
    QuotasPlugIn { produce: raw.producer_byte_rate, fetch: raw.consumer_byte_rate, free_space, excluded }
}

fn means_nothing(type_: &str, field: &str, is_set: bool, findings: &mut Findings) {
    if is_set {
        findings.warn(
            reasons::UNSUPPORTED_FIELDS,
            format!("{SECTION}.{field} means nothing with type: {type_}; remove it to clear this warning"),
        );
    }
}
