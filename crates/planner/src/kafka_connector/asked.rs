//! The annotations that ask for something once, and are taken off when it is done.

use std::collections::BTreeMap;

use api::KafkaConnector;
use api::annotations::{CONNECTOR_OFFSETS, RESTART, RESTART_TASK};
use api::common::connector::{AlterOffsets, ListOffsets};
use api::conditions::reasons;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;

use super::call::ConnectorCall;
use crate::findings::Findings;

/// What an annotation asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The annotation.
    pub annotation: Annotation,
    /// The call.
    pub call: ConnectorCall,
    /// Whether the connector has to be stopped for it.
    pub when_stopped: bool,
}

/// An annotation as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Annotation {
    /// Its key.
    pub key: &'static str,
    /// Its value.
    pub value: String,
    /// Key and value of another annotation that says of which connector.
    pub of: Option<(&'static str, String)>,
}

impl Annotation {
    /// Whether it is among the annotations of a resource, and asks for the same.
    pub fn is_in(&self, present: &BTreeMap<String, String>) -> bool {
        present.get(self.key) == Some(&self.value)
            && self.of.as_ref().is_none_or(|(key, value)| present.get(*key) == Some(value))
    }
}

/// An annotation that asks for something.
pub fn annotation(metadata: &ObjectMeta, key: &'static str) -> Option<Annotation> {
    let value = metadata.annotations.as_ref()?.get(key)?;
    let nothing = value.trim().is_empty() || value.trim().eq_ignore_ascii_case("false");
    (!nothing).then(|| Annotation { key, value: value.clone(), of: None })
}

/// What the annotations ask for, in the order in which it is done. What cannot be understood is a warning.
pub fn of(connector: &KafkaConnector, findings: &mut Findings) -> Vec<Asked> {
    let value = |key: &'static str| annotation(&connector.metadata, key);
    let maps = OffsetMaps {
        list: connector.spec.list_offsets.as_ref(),
        alter: connector.spec.alter_offsets.as_ref(),
        section: "spec",
    };
    let offsets = value(CONNECTOR_OFFSETS).and_then(|asked| offsets(&maps, asked, findings));
    let restart = value(RESTART).and_then(|asked| {
        let words = asked.value.clone();
        restart(&words, asked, findings)
    });
    let task = value(RESTART_TASK).and_then(|asked| {
        let words = asked.value.clone();
        restart_task(&words, asked, findings)
    });
    [offsets, restart, task].into_iter().flatten().collect()
}

/// A restart, by the words of an annotation that say of what.
pub fn restart(words: &str, annotation: Annotation, findings: &mut Findings) -> Option<Asked> {
    let (mut include_tasks, mut only_failed) = (false, false);
    if !words.trim().eq_ignore_ascii_case("true") {
        for word in words.split(',').map(str::trim) {
            match word {
                "includeTasks" => include_tasks = true,
                "onlyFailed" => only_failed = true,
                _ => {
                    let message = format!(
                        "metadata.annotations.{}: {word:?} is not known: write true, includeTasks, onlyFailed, or \
                         includeTasks,onlyFailed",
                        annotation.key
                    );
                    findings.warn(reasons::RESTART_CONNECTOR, message);
                    return None;
                }
            }
        }
    }
    let call = ConnectorCall::Restart { include_tasks, only_failed, automatic: false };
    Some(Asked { annotation, call, when_stopped: false })
}

/// The restart of a task, by the words of an annotation that say of which.
pub fn restart_task(words: &str, annotation: Annotation, findings: &mut Findings) -> Option<Asked> {
    match words.trim().parse() {
        Ok(task) if task >= 0 => {
            Some(Asked { annotation, call: ConnectorCall::RestartTask { task }, when_stopped: false })
        }
        _ => {
            let message = format!(
                "metadata.annotations.{}: {words:?} is not the number of a task: write one such as 0",
                annotation.key
            );
            findings.warn(reasons::RESTART_CONNECTOR_TASK, message);
            None
        }
    }
}

/// The ConfigMaps that offsets go to and come from, and the section of the resource that names them.
#[derive(Debug, Clone, Copy)]
pub struct OffsetMaps<'a> {
    /// Where they go to.
    pub list: Option<&'a ListOffsets>,
    /// Where they come from.
    pub alter: Option<&'a AlterOffsets>,
    /// Path of the section.
    pub section: &'a str,
}

/// What an annotation asks for about offsets.
pub fn offsets(maps: &OffsetMaps<'_>, annotation: Annotation, findings: &mut Findings) -> Option<Asked> {
    let section = maps.section;
    let named = |name: Option<&str>, reason: &str, field: &str, findings: &mut Findings| {
        let name = name.filter(|name| !name.is_empty()).map(ToOwned::to_owned);
        if name.is_none() {
            let message = format!(
                "{section}.{field} is missing, which the annotation {CONNECTOR_OFFSETS} needs: name a ConfigMap"
            );
            findings.warn(reason, message);
        }
        name
    };
    let (call, when_stopped) = match annotation.value.trim() {
        "list" => {
            let name = maps.list.map(|list| list.to_config_map.name.as_str());
            let config_map = named(name, reasons::LIST_OFFSETS, "listOffsets.toConfigMap.name", findings)?;
            (ConnectorCall::ListOffsets { config_map }, false)
        }
        "alter" => {
            let name = maps.alter.map(|alter| alter.from_config_map.name.as_str());
            let config_map =
                named(name, reasons::ALTER_OFFSETS, "alterOffsets.fromConfigMap.name", findings)?;
            (ConnectorCall::AlterOffsets { config_map }, true)
        }
        "reset" => (ConnectorCall::ResetOffsets, true),
        other => {
            let message = format!(
                "metadata.annotations.{CONNECTOR_OFFSETS}: {other:?} is not known: write list, alter or reset"
            );
            findings.warn(reasons::MANAGE_OFFSETS, message);
            return None;
        }
    };
    Some(Asked { annotation, call, when_stopped })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(annotations: &Value, spec: &Value) -> (Vec<ConnectorCall>, Vec<String>) {
        let connector: KafkaConnector = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
            "metadata": {"name": "a", "annotations": annotations}, "spec": spec,
        }))
        .unwrap();
        let mut findings = Findings::default();
        let asked = of(&connector, &mut findings);
        let warnings = findings.warnings.into_iter();
        (
            asked.into_iter().map(|asked| asked.call).collect(),
            warnings.map(|warning| format!("{}: {}", warning.reason, warning.message)).collect(),
        )
    }

    fn restart(include_tasks: bool, only_failed: bool) -> ConnectorCall {
        ConnectorCall::Restart { include_tasks, only_failed, automatic: false }
    }

    #[test]
    fn restarts_are_asked_for_in_several_ways() {
        for (value, call) in [
            ("true", Some(restart(false, false))),
            ("True", Some(restart(false, false))),
            ("includeTasks", Some(restart(true, false))),
            ("onlyFailed", Some(restart(false, true))),
            ("includeTasks, onlyFailed", Some(restart(true, true))),
            ("false", None),
            ("", None),
        ] {
            let (calls, warnings) = read(&json!({RESTART: value}), &json!({}));
            assert_eq!((calls, warnings), (call.into_iter().collect(), Vec::new()), "{value}");
        }
        let (calls, warnings) = read(&json!({RESTART: "all", RESTART_TASK: "one"}), &json!({}));
        assert!(calls.is_empty() && warnings[0].starts_with("RestartConnector: "), "{warnings:?}");
        assert!(warnings[1].starts_with("RestartConnectorTask: "), "{warnings:?}");
        assert_eq!(read(&json!({RESTART_TASK: "3"}), &json!({})).0, [ConnectorCall::RestartTask { task: 3 }]);
        assert!(read(&json!({RESTART_TASK: "-1"}), &json!({})).0.is_empty());
    }

    #[test]
    fn offsets_need_the_config_map_that_they_go_to_or_come_from() {
        let spec = json!({"listOffsets": {"toConfigMap": {"name": "l"}}, "alterOffsets": {"fromConfigMap": {"name": "f"}}});
        let asked = |value: &str, spec: &Value| read(&json!({CONNECTOR_OFFSETS: value}), spec);
        assert_eq!(asked("list", &spec).0, [ConnectorCall::ListOffsets { config_map: "l".to_owned() }]);
        assert_eq!(asked("alter", &spec).0, [ConnectorCall::AlterOffsets { config_map: "f".to_owned() }]);
        assert_eq!(asked("reset", &json!({})).0, [ConnectorCall::ResetOffsets]);
        for (value, reason) in
            [("list", "ListOffsets: "), ("alter", "AlterOffsets: "), ("drop", "ManageOffsets: ")]
        {
            let (calls, warnings) = asked(value, &json!({}));
            assert!(calls.is_empty() && warnings[0].starts_with(reason), "{value}: {warnings:?}");
        }
    }
}
