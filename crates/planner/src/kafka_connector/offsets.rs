//! ConfigMaps with the offsets of connectors.

use std::collections::BTreeMap;

use api::{labels, names};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::Resource;
use objects::Owner;
use serde_json::Value;

/// The resource that says what a connector is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The resource.
    pub owner: Owner,
    /// The cluster that it belongs to.
    pub cluster: Option<String>,
}

impl Holder {
    /// A resource with the label of a cluster, or without.
    pub fn of<K: Resource<DynamicType = ()>>(resource: &K) -> Self {
        let labels = resource.meta().labels.as_ref();
        let cluster = labels.and_then(|all| all.get(labels::CLUSTER)).cloned();
        Self { owner: Owner::of(resource), cluster }
    }
}

/// What becomes of a ConfigMap.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It says so already.
    Nothing,
    /// It is made.
    Create(Box<ConfigMap>),
    /// This is merged into the ConfigMap, if it is still as it was seen.
    Merge(Value),
}

/// Leads to offsets in a ConfigMap that is there or is made. What else stands in a ConfigMap stays; that of a user is not tied
/// to the connector.
///
/// # Errors
/// When the ConfigMap belongs to something else, in words.
pub fn written(
    holder: &Holder,
    name: &str,
    key: &str,
    offsets: &Value,
    existing: Option<&ConfigMap>,
) -> Result<Change, String> {
    let text = serde_json::to_string_pretty(offsets)
        .map_err(|error| format!("the offsets cannot be written as JSON: {error}"))?;
    let data = BTreeMap::from([(key.to_owned(), text)]);
    let Some(existing) = existing else {
        let mut reference = holder.owner.reference();
        reference.block_owner_deletion = Some(false);
        let cluster = holder.cluster.as_ref();
        let of_cluster =
            cluster.map(|cluster| BTreeMap::from([(labels::CLUSTER.to_owned(), cluster.clone())]));
        return Ok(Change::Create(Box::new(ConfigMap {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(holder.owner.namespace.clone()),
                labels: of_cluster,
                owner_references: Some(vec![reference]),
                ..ObjectMeta::default()
            },
            data: Some(data),
            ..ConfigMap::default()
        })));
    };
    refuse_others(existing, name)?;
    let same =
        |(key, text): (&String, &String)| existing.data.as_ref().and_then(|all| all.get(key)) == Some(text);
    if data.iter().all(same) {
        return Ok(Change::Nothing);
    }
    let metadata =
        ObjectMeta { resource_version: existing.metadata.resource_version.clone(), ..ObjectMeta::default() };
    let change = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    serde_json::to_value(change).map(Change::Merge).map_err(|error| format!("it cannot be written: {error}"))
}

/// The offsets that a ConfigMap says.
///
/// # Errors
/// Why it says none, in words.
pub fn read(name: &str, key: &str, existing: Option<&ConfigMap>) -> Result<Value, String> {
    let existing = existing.ok_or_else(|| format!("there is no ConfigMap {name}: make it"))?;
    let text = existing.data.as_ref().and_then(|data| data.get(key)).ok_or_else(|| {
        format!(
            "ConfigMap {name} has no key {key}: put the offsets there, as the annotation writes them for list"
        )
    })?;
    let offsets: Value = serde_json::from_str(text)
        .map_err(|error| format!("key {key} of ConfigMap {name} is not JSON: {error}"))?;
    if offsets["offsets"].is_array() {
        Ok(offsets)
    } else {
        Err(format!(
            "key {key} of ConfigMap {name} has no list \"offsets\": write it as the annotation does for list"
        ))
    }
}

/// Key of the offsets of a KafkaConnector.
pub const KEY: &str = names::connect::OFFSETS_KEY;

/// What an operator or a controller made for something else is not written to.
fn refuse_others(existing: &ConfigMap, name: &str) -> Result<(), String> {
    let owners = existing.metadata.owner_references.iter().flatten();
    let controlled = owners.into_iter().any(|owner| owner.controller == Some(true));
    let of_cluster = existing.metadata.labels.as_ref().is_some_and(|all| all.contains_key(labels::KIND));
    if controlled || of_cluster {
        return Err(format!(
            "ConfigMap {name} belongs to something else and is left as it is: name another one"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::KafkaConnector;
    use serde_json::json;

    use super::*;

    fn connector() -> KafkaConnector {
        serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector", "spec": {},
            "metadata": {"name": "a", "namespace": "ns", "uid": "u", "labels": {"strimzi.io/cluster": "c"}},
        }))
        .unwrap()
    }

    fn config_map(value: Value) -> ConfigMap {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_new_config_map_goes_with_the_connector_and_one_of_a_user_only_gets_a_key() {
        let offsets = json!({"offsets": [{"partition": {"filename": "f"}, "offset": {"position": 3}}]});
        let write =
            |existing: Option<&ConfigMap>| written(&Holder::of(&connector()), "m", KEY, &offsets, existing);
        let Ok(Change::Create(made)) = write(None) else { panic!("it is made") };
        assert_eq!(made.metadata.owner_references.as_ref().unwrap()[0].uid, "u");
        assert_eq!(read("m", KEY, Some(&made)).unwrap(), offsets);
        assert_eq!(write(Some(&made)), Ok(Change::Nothing));
        let users =
            config_map(json!({"metadata": {"name": "m", "resourceVersion": "7"}, "data": {"other": "1"}}));
        let Ok(Change::Merge(patch)) = write(Some(&users)) else { panic!("it is changed") };
        assert_eq!(patch["metadata"], json!({"resourceVersion": "7"}));
        assert_eq!(patch["data"].as_object().unwrap().len(), 1);
        for others in [
            json!({"metadata": {"name": "m", "labels": {"strimzi.io/kind": "KafkaConnect"}}}),
            json!({"metadata": {"name": "m", "ownerReferences": [
                {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "1", "controller": true}]}}),
        ] {
            assert!(write(Some(&config_map(others))).unwrap_err().contains("belongs to something else"));
        }
    }

    #[test]
    fn what_is_no_offsets_is_told() {
        assert!(read("m", KEY, None).unwrap_err().contains("no ConfigMap m"));
        for (data, words) in [
            (json!({}), "has no key offsets.json"),
            (json!({KEY: "{"}), "is not JSON"),
            (json!({KEY: "[]"}), "no list \"offsets\""),
        ] {
            let map = config_map(json!({"metadata": {"name": "m"}, "data": data}));
            assert!(read("m", KEY, Some(&map)).unwrap_err().contains(words), "{words}");
        }
    }
}
