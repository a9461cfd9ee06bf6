//! The annotations that ask once for something about a connector.

use std::collections::BTreeMap;

use api::KafkaMirrorMaker2;
use api::annotations::{CONNECTOR_OFFSETS, MIRRORMAKER_CONNECTOR, RESTART_CONNECTOR, RESTART_CONNECTOR_TASK};
use api::conditions::reasons;

use super::connectors::MirrorWanted;
use crate::findings::Findings;
use crate::kafka_connector::asked::{self, Annotation, Asked, OffsetMaps, annotation};

/// What the annotations ask for, by the name of the connector. What cannot be understood is a warning.
pub fn of(
    resource: &KafkaMirrorMaker2,
    connectors: &[MirrorWanted<'_>],
    findings: &mut Findings,
) -> BTreeMap<String, Vec<Asked>> {
    let mut all: BTreeMap<String, Vec<Asked>> = BTreeMap::new();
    let value = |key: &'static str| annotation(&resource.metadata, key);
    if let Some(offsets) = value(CONNECTOR_OFFSETS) {
        match value(MIRRORMAKER_CONNECTOR) {
            None => findings.warn(
                reasons::MANAGE_OFFSETS,
                format!(
                    "metadata.annotations.{CONNECTOR_OFFSETS}: of which connector is not said: add the annotation \
                     {MIRRORMAKER_CONNECTOR} with {}",
                    names(connectors)
                ),
            ),
            Some(named) => {
                let field = (MIRRORMAKER_CONNECTOR, reasons::MANAGE_OFFSETS);
                if let Some(found) = find(connectors, named.value.trim(), field, findings) {
                    let maps = OffsetMaps {
                        list: found.connector.list_offsets.as_ref(),
                        alter: found.connector.alter_offsets.as_ref(),
                        section: &found.section,
                    };
                    let offsets =
                        Annotation { of: Some((MIRRORMAKER_CONNECTOR, named.value.clone())), ..offsets };
                    let asked = asked::offsets(&maps, offsets, findings);
                    all.entry(found.wanted.name.clone()).or_default().extend(asked);
                }
            }
        }
    }
    if let Some(restart) = value(RESTART_CONNECTOR) {
        let text = restart.value.clone();
        let (name, words) = text.split_once(':').unwrap_or((&text, "true"));
        let field = (RESTART_CONNECTOR, reasons::RESTART_CONNECTOR);
        if let Some(found) = find(connectors, name.trim(), field, findings) {
            let asked = asked::restart(words, restart, findings);
            all.entry(found.wanted.name.clone()).or_default().extend(asked);
        }
    }
    if let Some(restart) = value(RESTART_CONNECTOR_TASK) {
        let text = restart.value.clone();
        let (name, task) = text.split_once(':').unwrap_or((&text, ""));
        let field = (RESTART_CONNECTOR_TASK, reasons::RESTART_CONNECTOR_TASK);
        if let Some(found) = find(connectors, name.trim(), field, findings) {
            let asked = asked::restart_task(task, restart, findings);
            all.entry(found.wanted.name.clone()).or_default().extend(asked);
        }
    }
    all
}

fn find<'a, 'b>(
    connectors: &'a [MirrorWanted<'b>],
    name: &str,
    (key, reason): (&str, &str),
    findings: &mut Findings,
) -> Option<&'a MirrorWanted<'b>> {
    let found = connectors.iter().find(|connector| connector.wanted.name == name);
    if found.is_none() {
        let message = format!(
            "metadata.annotations.{key}: the resource has no connector {name:?}: write {}",
            names(connectors)
        );
        findings.warn(reason, message);
    }
    found
}

/// The names that may be written.
fn names(connectors: &[MirrorWanted<'_>]) -> String {
    /// Names that a message has room for.
    const SHOWN: usize = 5;
    let all: Vec<&str> = connectors.iter().map(|connector| connector.wanted.name.as_str()).collect();
    match all.len() {
        0 => "none: it has no connectors".to_owned(),
        1 => all.concat(),
        count if count > SHOWN => format!("one of its {count} connectors, such as {}", all[0]),
        _ => format!("one of {}", all.join(", ")),
    }
}
