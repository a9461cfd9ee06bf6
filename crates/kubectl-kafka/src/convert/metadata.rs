//! Labels, annotations and names of resources.

use std::collections::BTreeMap;

use api::{labels, limits};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::fields::Fields;
use super::notes::Notes;
use super::secrets;

/// Annotations that describe the manifest and not what it describes.
const OF_TOOLS: &[&str] = &["kubectl.kubernetes.io/last-applied-configuration"];

/// Takes the metadata out of a manifest: name, namespace, labels and annotations.
///
/// # Errors
/// When it has no name.
pub(super) fn take(manifest: &mut Fields, notes: &mut Notes) -> Result<ObjectMeta, String> {
    let mut raw = manifest.object("metadata", notes).unwrap_or_else(|| Fields::new("metadata", Map::new()));
    let Some(name) = raw.text("name", notes).filter(|name| !name.is_empty()) else {
        return Err("metadata.name is missing: give the resource a name".to_owned());
    };
    let namespace = raw.text("namespace", notes);
    let labels =
        raw.object("labels", notes).map(|fields| pairs(&fields, Kind::Labels, notes)).unwrap_or_default();
    let annotations = raw
        .object("annotations", notes)
        .map(|fields| pairs(&fields, Kind::Annotations, notes))
        .unwrap_or_default();
    // Everything else is of the API server.
    Ok(ObjectMeta {
        name: Some(name),
        namespace,
        labels: Some(labels).filter(|labels| !labels.is_empty()),
        annotations: Some(annotations).filter(|annotations| !annotations.is_empty()),
        ..ObjectMeta::default()
    })
}

/// Labels or annotations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Labels.
    Labels,
    /// Annotations.
    Annotations,
}

/// Reads labels or annotations; those that no resource may have are left out.
pub(super) fn pairs(fields: &Fields, kind: Kind, notes: &mut Notes) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in fields.remaining() {
        let path = fields.at(key);
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => {
                notes.lost(path, value, "is not a text, and was left out: correct it");
                continue;
            }
        };
        if OF_TOOLS.contains(&key.as_str()) {
            continue;
        }
        let is_fine = match kind {
            Kind::Labels => limits::is_key(key) && limits::is_label_value(&text),
            Kind::Annotations => limits::is_key(&key.to_ascii_lowercase()),
        };
        if labels::is_set_by_operators(key) {
            notes.lost(path, value, "is set by the operator, and was left out");
        } else if !is_fine {
            notes.lost(path, value, "is not accepted by Kubernetes, and was left out: correct it");
        } else if secrets::is_secret(key, &Value::from(text.as_str())) {
            notes.lost(path, value, "may hold a secret, and was left out: add it yourself if it does not");
        } else {
            found.insert(key.clone(), text);
        }
    }
    found
}
