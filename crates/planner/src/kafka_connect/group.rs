//! The names that the workers of a KafkaConnect have for themselves.

use std::collections::BTreeSet;

use api::KafkaConnect;

use super::older;
use crate::findings::Findings;
use crate::workers::options;
use crate::workers::sharing::{self, GroupKey};

/// The names that the workers of a resource have for themselves; none where it has no workers.
pub fn keys(connect: &KafkaConnect) -> BTreeSet<GroupKey> {
    let spec = &connect.spec;
    if spec.replicas == Some(0) {
        return BTreeSet::new();
    }
    // Its own pass says what is wrong with it.
    let mut findings = Findings::default();
    let mut options = options::read(spec.config.as_ref(), "spec.config", &mut findings);
    let group = older::group(connect, &mut options, &mut findings);
    let namespace = connect.metadata.namespace.as_deref().unwrap_or_default();
    sharing::keys(&spec.bootstrap_servers, namespace, group)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::workers::sharing::Field;

    fn connect(namespace: &str, servers: &str, fields: &Value) -> KafkaConnect {
        let mut spec = json!({"bootstrapServers": servers});
        for (name, value) in fields.as_object().unwrap() {
            spec[name] = value.clone();
        }
        serde_json::from_value(json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
            "metadata": {"name": "c", "namespace": namespace}, "spec": spec}))
        .unwrap()
    }

    fn shared(one: &KafkaConnect, other: &KafkaConnect) -> Vec<Field> {
        let fields: BTreeSet<Field> = keys(one).intersection(&keys(other)).map(|key| key.field).collect();
        fields.into_iter().collect()
    }

    #[test]
    fn names_that_are_too_long_are_nobodys() {
        let fields = json!({"groupId": "g".repeat(256), "configStorageTopic": "c".repeat(255)});
        let connect = connect("ns", &format!("a,{}", "h".repeat(300)), &fields);
        let keys = keys(&connect);
        assert!(keys.iter().all(|key| key.value.len() <= 255 && key.kafka.len() <= 255), "{keys:?}");
        assert!(keys.iter().any(|key| key.value.len() == 255), "{keys:?}");
    }

    #[test]
    fn resources_of_one_kafka_with_the_same_names_are_found_however_its_address_is_written() {
        let own = json!({"groupId": "g", "configStorageTopic": "c", "statusStorageTopic": "s", "offsetStorageTopic": "o"});
        let one = connect("ns", "shop-kafka-bootstrap:9092", &own);
        let mut other = own.clone();
        other["statusStorageTopic"] = json!("t");
        other["offsetStorageTopic"] = json!("p");
        let elsewhere = connect("b", "x:1, Shop-kafka-bootstrap.ns.svc.cluster.local:9093", &other);
        assert_eq!(shared(&one, &elsewhere), [Field::GroupId, Field::ConfigTopic]);
        let namesake = connect("b", "shop-kafka-bootstrap:9092", &own);
        assert!(shared(&one, &namesake).is_empty(), "a Kafka of the same name in another namespace");
        // Older manifests that name nothing have the same group.
        let (old, older) =
            (connect("ns", "k.x.org:9092", &json!({})), connect("b", "k.x.org:9094", &json!({})));
        assert_eq!(shared(&old, &older).len(), 4);
        let none = connect("b", "k.x.org:9094", &json!({"replicas": 0}));
        assert!(shared(&old, &none).is_empty(), "without workers it does nothing");
    }
}
