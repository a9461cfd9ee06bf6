//! Objects of the user's own that a resource of any kind refers to: those, and no others, are read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::common::logging::{Logging, LoggingType};
use k8s_openapi::api::core::v1::ConfigMap;

use crate::findings::Findings;

/// Names of the Secrets and ConfigMaps that planning a cluster looks into. What a template mounts or passes on is between
/// Kubernetes and the pod.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct References {
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
}

impl References {
    /// The names beyond so many, which are taken out: ConfigMaps come before Secrets, each in the order of their names.
    pub fn split_off(&mut self, most: usize) -> Self {
        fn beyond(names: &mut BTreeSet<String>, most: usize) -> BTreeSet<String> {
            names.iter().nth(most).cloned().map(|first| names.split_off(&first)).unwrap_or_default()
        }
        let config_maps = beyond(&mut self.config_maps, most);
        let secrets = beyond(&mut self.secrets, most - self.config_maps.len());
        Self { secrets, config_maps }
    }

    /// Whether one of the names is among them.
    pub fn contain(&self, name: &str) -> bool {
        self.secrets.contains(name) || self.config_maps.contains(name)
    }

    /// Adds the ConfigMap of an external logging section.
    pub fn logging(&mut self, logging: Option<&Logging>) {
        let Some(logging) = logging.filter(|logging| logging.type_ == LoggingType::External) else { return };
        let reference = logging.value_from.as_ref().and_then(|from| from.config_map_key_ref.as_ref());
        self.config_maps.extend(reference.map(|reference| reference.name.clone()));
    }
}

/// A key of a ConfigMap of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigMapKey {
    /// Path of the reference.
    pub field: String,
    /// Name of the ConfigMap.
    pub name: String,
    /// The key in it.
    pub key: String,
    /// Whether the ConfigMap or the key may be missing: then the default holds.
    pub optional: bool,
}

/// The ConfigMaps that a resource refers to.
#[derive(Debug, Clone, Copy)]
pub struct ConfigMaps<'a> {
    /// Those that are there, by name.
    pub read: &'a BTreeMap<String, Arc<ConfigMap>>,
    /// Those that are there and were not read, each with why.
    pub not_read: &'a BTreeMap<String, String>,
}

/// The text under a key; `None`: it is missing, which is a problem unless it may be.
pub fn text_of(place: &ConfigMapKey, maps: &ConfigMaps<'_>, findings: &mut Findings) -> Option<String> {
    let ConfigMapKey { field, name, key, optional } = place;
    if let Some(why) = maps.not_read.get(name) {
        findings.problem(format!("{field}.name"), format!("ConfigMap {name:?} is not read: {why}"));
        return None;
    }
    let Some(map) = maps.read.get(name) else {
        if !optional {
            findings.problem(
                format!("{field}.name"),
                format!("ConfigMap {name:?} does not exist in the namespace: create it, or correct the name"),
            );
        }
        return None;
    };
    let text = map.data.as_ref().and_then(|data| data.get(key)).cloned();
    if text.is_none() && !optional {
        findings.problem(format!("{field}.key"), format!("ConfigMap {name:?} has no key {key:?}"));
    }
    text
}
