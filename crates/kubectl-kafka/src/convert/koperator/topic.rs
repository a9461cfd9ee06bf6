//! `KafkaTopic` of koperator.

use std::collections::BTreeMap;

use api::schema::FreeMap;
use api::{KafkaTopic, KafkaTopicSpec, annotations, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::convert::fields::Fields;
use crate::convert::krallistic::is_topic_name;
use crate::convert::notes::Notes;
use crate::convert::options;
use crate::convert::resources::Resource;
use crate::convert::{metadata, secrets};

/// Who looks after a topic, unless the annotation says otherwise.
const MANAGER: &str = "koperator";

/// Converts a topic.
///
/// # Errors
/// When it has no name or names no cluster.
pub(crate) fn topic(manifest: Value, notes: &mut Notes) -> Result<Vec<Resource>, String> {
    let Value::Object(values) = manifest else { return Err("the manifest is no object".to_owned()) };
    let mut manifest = Fields::new("", values);
    for known in ["apiVersion", "kind", "status"] {
        manifest.take(known);
    }
    let mut meta = metadata::take(&mut manifest, notes)?;
    let mut spec = manifest.object("spec", notes).ok_or("spec is missing: there is nothing to convert")?;
    manifest.rest(notes);
    of_cluster(&mut meta, &mut spec, notes)?;
    let name = meta.name.clone().unwrap_or_default();
    let topic = spec.text("name", notes).filter(|topic| !topic.is_empty()).unwrap_or_else(|| name.clone());
    if !is_topic_name(&topic) {
        return Err(format!(
            "spec.name: {topic:?} is no name of a topic: write up to 249 letters, digits, '.', '_' and '-'"
        ));
    }
    let manager = meta.annotations.as_mut().and_then(|all| all.remove("managedBy"));
    if manager.is_some_and(|manager| manager != MANAGER) {
        let all = meta.annotations.get_or_insert_default();
        all.insert(annotations::MANAGED.to_owned(), "false".to_owned());
    }
    meta.annotations = meta.annotations.filter(|all| !all.is_empty());
    // -1 stands for the default of the brokers.
    let mut count = |name: &str, most: i64| {
        let path = spec.at(name);
        let given = spec.number(name, notes)?;
        let count = i32::try_from(given).ok().filter(|count| *count > 0 && i64::from(*count) <= most);
        if count.is_none() && given != -1 {
            notes.lost(path, &given.into(), "is no possible number: the default of the brokers holds");
        }
        count
    };
    let (partitions, replicas) =
        (count("partitions", i64::from(i32::MAX)), count("replicationFactor", 32_767));
    let config = config(&mut spec, notes);
    spec.rest(notes);
    let spec = KafkaTopicSpec {
        topic_name: (topic != name).then_some(topic),
        partitions,
        replicas,
        config: Some(config).filter(|config| !config.is_empty()),
    };
    Ok(vec![Resource::Topic(Box::new(KafkaTopic { metadata: meta, spec, status: None }))])
}

fn config(spec: &mut Fields, notes: &mut Notes) -> FreeMap {
    let mut found = FreeMap::new();
    let Some(mut raw) = spec.object("config", notes) else { return found };
    let names: Vec<String> = raw.remaining().keys().cloned().collect();
    for name in names {
        let path = raw.at(&name);
        let Some(value) = raw.text(&name, notes) else { continue };
        if name.starts_with("message.format.version") {
            notes.changed(path, &Value::from(value), "brokers write the newest format: it is not needed");
        } else if secrets::is_secret(&name, &Value::from(value.as_str())) {
            notes.lost(path, &Value::from(value), "may be a secret, and was left out");
        } else {
            found.insert(name, options::typed(&value));
        }
    }
    found
}

/// Puts a topic or a user to its cluster: the label, and the cluster's namespace.
///
/// # Errors
/// When no cluster is named.
pub(super) fn of_cluster(
    meta: &mut ObjectMeta,
    spec: &mut Fields,
    notes: &mut Notes,
) -> Result<String, String> {
    let mut reference = spec
        .object("clusterRef", notes)
        .ok_or("spec.clusterRef is missing: name the cluster in spec.clusterRef.name")?;
    let name = reference
        .text("name", notes)
        .filter(|name| api::limits::is_label_value(name) && !name.is_empty())
        .ok_or("spec.clusterRef.name is missing or no name: name the cluster")?;
    let path = reference.at("namespace");
    if let Some(namespace) = reference.text("namespace", notes).filter(|namespace| !namespace.is_empty())
        && meta.namespace.as_ref() != Some(&namespace)
    {
        notes.changed(
            path,
            &Value::from(namespace.as_str()),
            "the resource stands in the namespace of its cluster now: rights to change it are those of that namespace",
        );
        meta.namespace = Some(namespace);
    }
    reference.rest(notes);
    let labels: &mut BTreeMap<String, String> = meta.labels.get_or_insert_default();
    labels.insert(labels::CLUSTER.to_owned(), name.clone());
    Ok(name)
}
