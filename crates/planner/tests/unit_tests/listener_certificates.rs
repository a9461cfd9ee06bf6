//! `brokerCertChainAndKey`: what it may refer to, what is said when it refers to anything else, and what is made of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{World, condition, kafka_status, object};
use issuer::{Authority, AuthorityRequest, KeyAlgorithm, LeafRequest};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

fn authority() -> Authority {
    let request = AuthorityRequest {
        common_name: "mine".to_owned(),
        organization: "o".to_owned(),
        validity_days: 3000,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    Authority::generate(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// Chain and key of a listener.
fn issued(algorithm: KeyAlgorithm) -> (String, String) {
    let request = LeafRequest {
        common_name: "kafka.example.com".to_owned(),
        validity_days: 1000,
        algorithm,
        ..LeafRequest::default()
    };
    let made = authority().issue(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    (made.chain.as_str().to_owned(), made.key.expose().to_owned())
}

fn with(chain: &str, key: &str, labels: &[(&str, &str)]) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let data = [("tls.crt", chain), ("tls.key", key)];
    let mut secret = Secret {
        data: Some(data.map(|(k, v)| (k.to_owned(), ByteString(v.as_bytes().to_vec()))).into()),
        ..Secret::default()
    };
    secret.metadata.name = Some("mine".to_owned());
    let labels: BTreeMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    secret.metadata.labels = Some(labels);
    world.observed.secrets.insert("mine".to_owned(), Arc::new(secret));
    world.kafka(|kafka| {
        let reference = json!({"secretName": "mine", "certificate": "tls.crt", "key": "tls.key"});
        kafka["spec"]["kafka"]["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": reference});
    });
    world
}

fn refusal(chain: &str, key: &str, labels: &[(&str, &str)]) -> String {
    let plan = with(chain, key, labels).plan();
    let not_ready = condition(&plan, "NotReady").unwrap_or_else(|| panic!("accepted: {chain} {key}"));
    assert!(plan.apply.is_empty() && plan.roll.wanted.is_empty(), "what runs is left as it is");
    not_ready["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_listener_shows_the_certificate_that_it_refers_to_and_nothing_of_the_text_around_it() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let (chain, key) = issued(algorithm);
        let (leaf, rest) =
            chain.split_at(chain.find("-----END").unwrap() + "-----END CERTIFICATE-----\n".len());
        let text = format!("subject=CN = kafka.example.com\n{leaf}\nissuer=CN = mine\n{rest}");
        let mut world = with(&text, &format!("Bag Attributes\n{key}"), &[]);
        let plan = world.plan();
        assert!(condition(&plan, "NotReady").is_none(), "{:?}", plan.waiting_for);
        let status = kafka_status(&plan);
        assert_eq!(status["listeners"][1]["certificates"], json!([chain]));
        world.apply(&plan);
        let data = world.observed.secrets["my-dual-0"].data.as_ref().unwrap();
        let copied = |entry: &str| String::from_utf8(data[entry].0.clone()).unwrap();
        assert_eq!(copied("tls-9093.crt"), chain);
        assert_eq!(copied("tls-9093.key"), key);
        assert_eq!(plan.roll.wanted.len(), 3, "the nodes have to read it");
        assert!(object(&plan, "ConfigMap", "my-dual-0").to_string().contains("tls-9093"));
    }
}

#[test]
fn what_is_no_pair_of_certificate_and_key_is_refused() {
    let (chain, key) = issued(KeyAlgorithm::EcdsaP256);
    let (_, other_key) = issued(KeyAlgorithm::EcdsaP256);
    let field = "spec.kafka.listeners[1].configuration.brokerCertChainAndKey";
    let (leaf, rest) = chain.split_at(chain.find("-----END").unwrap() + "-----END CERTIFICATE-----\n".len());
    let backwards = format!("{rest}{leaf}");
    let old_format = key.replace("PRIVATE KEY", "EC PRIVATE KEY");
    for (chain, key, part, says) in [
        ("hunter2", key.as_str(), "certificate", "tls.crt"),
        (key.as_str(), key.as_str(), "certificate", "tls.crt"),
        ("", key.as_str(), "certificate", "tls.crt"),
        (chain.as_str(), "hunter2", "key", "tls.key"),
        (chain.as_str(), chain.as_str(), "key", "tls.key"),
        (chain.as_str(), other_key.as_str(), "key", "does not belong"),
        (backwards.as_str(), key.as_str(), "certificate", "order"),
        (chain.as_str(), old_format.as_str(), "key", "openssl pkcs8"),
    ] {
        let message = refusal(chain, key, &[]);
        assert!(message.contains(&format!("{field}.{part}")), "{message}");
        assert!(message.contains("\"mine\"") && message.contains(says), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_secret_that_belongs_to_an_operator_is_refused() {
    let (chain, key) = issued(KeyAlgorithm::EcdsaP256);
    for kind in ["Kafka", "KafkaUser", "KafkaConnect"] {
        let message = refusal(&chain, &key, &[("strimzi.io/kind", kind)]);
        assert!(message.contains("brokerCertChainAndKey.secretName"), "{message}");
        assert!(message.contains("\"mine\"") && message.contains("strimzi.io/kind"), "{message}");
        assert!(message.contains("Secret of your own"), "{message}");
    }
    let plan = with(&chain, &key, &[("app", "mine")]).plan();
    assert!(condition(&plan, "NotReady").is_none());
}
