//! Logging sections.

use std::collections::BTreeMap;

use api::common::logging::{Logging as RawLogging, LoggingType};

use super::wanted::{LoggingOf, LoggingReference};
use super::{Findings, text};
use crate::kafka::cluster::Logging;

/// A logging section. The text of an external one is noted in `references`.
pub fn read(
    raw: Option<&RawLogging>,
    of: LoggingOf,
    field: &str,
    references: &mut Vec<LoggingReference>,
    findings: &mut Findings,
) -> Logging {
    let Some(raw) = raw else { return Logging::Inline(BTreeMap::new()) };
    if raw.type_ == LoggingType::Inline {
        let loggers = raw.loggers.clone().unwrap_or_default();
        text::loggers(&loggers, field, findings);
        return Logging::Inline(loggers);
    }
    let path = format!("{field}.valueFrom.configMapKeyRef");
    let Some(reference) = raw.value_from.as_ref().and_then(|source| source.config_map_key_ref.as_ref())
    else {
        findings.problem(path, "is missing: name the ConfigMap and the key, or use type: inline");
        return Logging::Inline(BTreeMap::new());
    };
    references.push(LoggingReference {
        of,
        field: path,
        name: reference.name.clone(),
        key: reference.key.clone(),
        optional: reference.optional.unwrap_or(false),
    });
    Logging::Inline(BTreeMap::new())
}
