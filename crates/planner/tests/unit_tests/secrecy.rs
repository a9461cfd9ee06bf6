//! Nothing of a Secret's bytes leaves it but certificates that were read as such: every reference of a resource, and
//! every Secret of the cluster itself, points at texts full of marks, and no mark is found in what a plan shows.

use crate::common;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::World;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use planner::kafka::plan::Plan;
use serde_json::json;

const MARK: &str = "hunter2-of-the-database";

/// A pair of a self-signed authority, PEM.
fn pair() -> (String, String) {
    let request = issuer::AuthorityRequest {
        common_name: "mine".to_owned(),
        organization: "o".to_owned(),
        validity_days: 3000,
        algorithm: issuer::KeyAlgorithm::EcdsaP256,
    };
    let made = issuer::Authority::generate(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    (made.certificate().as_str().to_owned(), made.key().expose().to_owned())
}

/// Texts that must not leave their Secret whole, each with what would betray it.
fn marked_texts() -> Vec<(String, Vec<String>)> {
    let (certificate, key) = pair();
    let body = key.lines().nth(1).unwrap().to_owned();
    let der = STANDARD.encode(format!("{MARK}{MARK}{MARK}"));
    let hidden = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
    let with_comments = format!("Bag Attributes\n    friendlyName: {MARK}\n{certificate}");
    let with_tail = format!("{certificate}{MARK}\n");
    let key_as_certificate = key.replace("PRIVATE KEY", "CERTIFICATE");
    vec![
        (MARK.to_owned(), vec![MARK.to_owned()]),
        (key.clone(), vec![body.clone()]),
        (format!("{certificate}{key}"), vec![body.clone()]),
        (format!("{key}{certificate}"), vec![body.clone()]),
        (hidden, vec![der, MARK.to_owned()]),
        (with_comments, vec![MARK.to_owned()]),
        (with_tail, vec![MARK.to_owned()]),
        (key_as_certificate, vec![body]),
    ]
}

fn secret(name: &str, labels: &[(&str, &str)], data: &[(&str, &str)]) -> Arc<Secret> {
    let labels: BTreeMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let data: BTreeMap<_, _> =
        data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
    let mut secret = Secret { data: Some(data), ..Secret::default() };
    secret.metadata.name = Some(name.to_owned());
    secret.metadata.namespace = Some("s1".to_owned());
    secret.metadata.resource_version = Some("1".to_owned());
    secret.metadata.labels = Some(labels);
    Arc::new(secret)
}

/// Everything of a plan that anybody but the reader of a Secret gets to see.
fn shown(plan: &Plan) -> String {
    let mut text = format!("{plan:?}\n{}\n", serde_json::to_string(plan).unwrap());
    for object in &plan.apply {
        let mut visible = object.object.clone();
        if object.reference.kind == "Secret" {
            visible["data"] = json!(null);
        }
        text.push_str(&visible.to_string());
        text.push('\n');
    }
    // As JSON strings escape line breaks.
    text.replace("\\n", "\n")
}

fn assert_hidden(what: &str, plan: &Plan, betrayals: &[String]) {
    let shown = shown(plan);
    for betrayal in betrayals {
        for form in [betrayal.clone(), STANDARD.encode(betrayal)] {
            if let Some(at) = shown.find(&form) {
                let from = shown[..at].char_indices().rev().nth(120).map_or(0, |(index, _)| index);
                panic!("{what}: {form:?} is shown: …{}…", &shown[from..at + form.len()]);
            }
        }
    }
}

#[test]
fn what_a_listener_refers_to_stays_in_its_secret() {
    let (certificate, key) = pair();
    let mut settled = World::load("dual-role.input.yaml");
    settled.settle();
    for (text, betrayals) in marked_texts() {
        for (chain, private) in [(&text, &key), (&certificate, &text), (&text, &text)] {
            let mut world = settled.clone();
            let mine = secret("mine", &[], &[("a.crt", chain), ("a.key", private), ("other", MARK)]);
            world.observed.secrets.insert("mine".to_owned(), mine);
            world.kafka(|kafka| {
                let reference = json!({"secretName": "mine", "certificate": "a.crt", "key": "a.key"});
                kafka["spec"]["kafka"]["listeners"][1]["configuration"] =
                    json!({"brokerCertChainAndKey": reference});
            });
            let plan = world.plan();
            let mut betrayals = betrayals.clone();
            betrayals.extend([MARK.to_owned(), key.lines().nth(1).unwrap().to_owned()]);
            assert_hidden(&format!("{chain} {private}"), &plan, &betrayals);
            world.apply(&plan);
            assert_hidden("the next pass", &world.settle(), &betrayals);
        }
    }
}

#[test]
fn the_keys_of_the_clusters_own_secrets_stay_in_them() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    let own: Vec<(String, Vec<(String, String)>)> = world
        .observed
        .secrets
        .iter()
        .map(|(name, secret)| {
            let data = secret.data.iter().flatten();
            let texts =
                data.filter_map(|(key, value)| Some((key.clone(), String::from_utf8(value.0.clone()).ok()?)));
            (name.clone(), texts.collect())
        })
        .collect();
    assert!(own.len() > 8);
    let before = world.observed.kafka.clone();
    for (name, data) in &own {
        for (certificate, _) in data {
            for (key, _) in data {
                world.observed.kafka.clone_from(&before);
                world.kafka(|kafka| {
                    let reference = json!({"secretName": name, "certificate": certificate, "key": key});
                    kafka["spec"]["kafka"]["listeners"][1]["configuration"] =
                        json!({"brokerCertChainAndKey": reference});
                });
                let plan = world.plan();
                let message = common::condition(&plan, "NotReady")
                    .unwrap_or_else(|| panic!("{name} {certificate} {key} is accepted"))["message"]
                    .as_str()
                    .unwrap()
                    .to_owned();
                assert!(message.contains(name.as_str()) && message.contains("strimzi.io/kind"), "{message}");
                let betrayals: Vec<String> = data
                    .iter()
                    .filter(|(key, _)| !key.ends_with(".crt") && !key.ends_with(".pem"))
                    .map(|(_, text)| text.lines().nth(1).unwrap_or(text).to_owned())
                    .collect();
                assert_hidden(name, &plan, &betrayals);
                assert!(plan.apply.is_empty(), "nothing of it is copied");
            }
        }
    }
}

#[test]
fn what_stands_beside_a_certificate_of_an_authority_stays_in_its_secret() {
    let mut settled = World::load("dual-role.input.yaml");
    settled.settle();
    for supplied in [false, true] {
        for (text, betrayals) in marked_texts() {
            for (name, entry) in [
                ("my-cluster-ca-cert", "ca.crt"),
                ("my-cluster-ca-cert", "old.crt"),
                ("my-cluster-ca-cert", "ca-2030-01-01T00-00-00Z.crt"),
                ("my-cluster-ca", "ca.key"),
                ("my-clients-ca-cert", "ca.crt"),
                ("my-clients-ca-cert", "ca-2030-01-01T00-00-00Z.crt"),
                ("my-clients-ca", "ca.key"),
                ("my-trustbundle", "cluster-ca.crt"),
                ("my-trustbundle", "clients-ca.crt"),
                ("my-dual-0", "my-dual-0.crt"),
                ("my-dual-0", "my-dual-0.key"),
                ("my-cluster-operator-certs", "cluster-operator.crt"),
                ("my-entity-topic-operator-certs", "entity-operator.crt"),
            ] {
                let mut world = settled.clone();
                if supplied {
                    world.kafka(|kafka| {
                        kafka["spec"]["clusterCa"] = json!({"generateCertificateAuthority": false});
                        kafka["spec"]["clientsCa"] = json!({"generateCertificateAuthority": false});
                    });
                }
                let secret = Arc::make_mut(world.observed.secrets.get_mut(name).unwrap());
                let data = secret.data.get_or_insert_default();
                // What belonged there stays beside it, so that a careless reader would go on.
                let former = data.get(entry).map(|bytes| String::from_utf8(bytes.0.clone()).unwrap());
                for value in [text.clone(), format!("{}{text}", former.unwrap_or_default())] {
                    let secret = Arc::make_mut(world.observed.secrets.get_mut(name).unwrap());
                    let data = secret.data.get_or_insert_default();
                    data.insert(entry.to_owned(), ByteString(value.clone().into_bytes()));
                    let what = format!("{name}/{entry} supplied={supplied}: {value}");
                    assert_hidden(&what, &world.plan(), &betrayals);
                }
            }
        }
    }
}

#[test]
fn a_template_refers_to_secrets_and_copies_nothing_of_them() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.observed.secrets.insert("mine".to_owned(), secret("mine", &[], &[("key", MARK)]));
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["template"] = json!({
            "pod": {"volumes": [{"name": "v", "secret": {"secretName": "mine"}}]},
            "kafkaContainer": {"env": [
                {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "key"}}}]},
        });
    });
    let plan = world.plan();
    assert!(!plan.roll.wanted.is_empty(), "{:?}", plan.waiting_for);
    assert_hidden("a template", &plan, &[MARK.to_owned()]);
}
