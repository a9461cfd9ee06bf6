//! Authorities that the user supplies: all that is wrong with them is said at once, and a new one is handed over like
//! one of the operator's own.

use std::sync::Arc;

use crate::common::at_work::{AtWork, text};
use crate::common::{World, condition};
use issuer::{Authority, AuthorityRequest, KeyAlgorithm};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

pub(super) fn authority(name: &str, validity_days: u32) -> Authority {
    let request = AuthorityRequest {
        common_name: name.to_owned(),
        organization: "held by us".to_owned(),
        validity_days,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    Authority::generate(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

fn supply(world: &mut World, name: &str, data: &[(&str, &str)], generation: &str) {
    let metadata = serde_json::from_value(json!({
        "name": name, "namespace": "s1", "resourceVersion": "7",
        "labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka"},
        "annotations": {"strimzi.io/ca-cert-generation": generation, "strimzi.io/ca-key-generation": generation},
    }))
    .unwrap();
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    let secret = Secret { metadata, data: Some(data.collect()), ..Secret::default() };
    world.observed.secrets.insert(name.to_owned(), Arc::new(secret));
}

fn supplied() -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["clusterCa"] = json!({"generateCertificateAuthority": false});
        kafka["spec"]["clientsCa"] = json!({"generateCertificateAuthority": false});
    });
    world
}

pub(super) fn supply_both(world: &mut World, of: &Authority, generation: &str) {
    for role in ["cluster-ca", "clients-ca"] {
        let (certificate, key) = (of.certificate().as_str(), of.key().expose());
        supply(world, &format!("my-{role}-cert"), &[("ca.crt", certificate)], generation);
        supply(world, &format!("my-{role}"), &[("ca.key", key)], generation);
    }
}

fn refusal(world: &mut World) -> String {
    let plan = world.plan();
    let not_ready = condition(&plan, "NotReady").unwrap_or_else(|| panic!("{:?}", plan.waiting_for));
    not_ready["message"].as_str().unwrap().to_owned()
}

#[test]
fn all_missing_secrets_of_both_authorities_are_named_at_once() {
    let message = refusal(&mut supplied());
    for part in [
        "spec.clusterCa.generateCertificateAuthority",
        "spec.clientsCa.generateCertificateAuthority",
        "\"my-cluster-ca-cert\" with the key \"ca.crt\"",
        "\"my-cluster-ca\" with the key \"ca.key\"",
        "\"my-clients-ca-cert\" with the key \"ca.crt\"",
        "\"my-clients-ca\" with the key \"ca.key\"",
        "strimzi.io/ca-cert-generation",
        "strimzi.io/ca-key-generation",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn whatever_is_wrong_with_a_supplied_authority_is_said() {
    let (good, other) = (authority("good", 3000), authority("other", 3000));
    let ended = authority("ended", 30);
    let (crt, key) = (good.certificate().as_str(), good.key().expose());
    // No authority: a leaf of one.
    let leaf = good
        .issue(
            &issuer::LeafRequest { common_name: "leaf".into(), validity_days: 900, ..Default::default() },
            "2026-01-01T00:00:00Z".parse().unwrap(),
        )
        .unwrap();
    let two_roots = format!("{crt}{}", other.certificate().as_str());
    for (certificate, key, parts) in [
        (crt, other.key().expose(), &["\"my-cluster-ca\"", "does not belong", "CN=good"][..]),
        (other.certificate().as_str(), key, &["does not belong", "CN=other"]),
        ("hunter2", key, &["\"my-cluster-ca-cert\"", "\"ca.crt\"", "cannot be used"]),
        (crt, "hunter2", &["\"my-cluster-ca\"", "\"ca.key\"", "cannot be used"]),
        (leaf.certificate.as_str(), leaf.key.expose(), &["is not a certificate authority", "CN=leaf"]),
        (ended.certificate().as_str(), ended.key().expose(), &["CN=ended", "ended at 2026-01-31"]),
        (two_roots.as_str(), other.key().expose(), &["wrong order", "CN=other"]),
        (two_roots.as_str(), key, &["wrong order", "CN=good"]),
    ] {
        let mut world = supplied();
        supply_both(&mut world, &good, "0");
        supply(&mut world, "my-cluster-ca-cert", &[("ca.crt", certificate)], "0");
        supply(&mut world, "my-cluster-ca", &[("ca.key", key)], "0");
        let message = refusal(&mut world);
        for part in parts {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(!message.contains("hunter2"), "{message}");
        assert_eq!(message.matches("spec.clusterCa").count(), 1, "one reason for one mistake: {message}");
    }
    let mut world = supplied();
    supply_both(&mut world, &good, "0");
    supply(&mut world, "my-cluster-ca-cert", &[("ca.crt", crt), ("old.crt", "hunter2")], "0");
    let message = refusal(&mut world);
    assert!(message.contains("\"old.crt\"") && !message.contains("hunter2"), "{message}");
    // All that is wrong is said at once.
    supply(&mut world, "my-cluster-ca-cert", &[("ca.crt", "hunter2"), ("old.crt", "hunter2")], "0");
    supply(&mut world, "my-cluster-ca", &[("ca.key", "hunter2")], "0");
    let message = refusal(&mut world);
    for part in ["\"ca.crt\"", "\"old.crt\"", "\"ca.key\""] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_supplied_authority_is_handed_over_without_its_user_keeping_the_former_one() {
    let mut world = supplied();
    let (first, second) = (authority("first", 3000), authority("second", 3000));
    supply_both(&mut world, &first, "0");
    let mut cluster = AtWork::settled(world);
    cluster.assert_only_the_present_authority();
    // The same subject and another key is another authority, whatever the numbers say.
    for next in [second, authority("second", 2000)] {
        supply_both(&mut cluster.world, &next, "0");
        assert_eq!(cluster.settle(), 9);
        cluster.assert_only_the_present_authority();
    }
}

#[test]
fn the_other_order_of_what_is_trusted_restarts_nobody() {
    let mut world = supplied();
    let (first, second) = (authority("first", 3000), authority("second", 3000));
    supply_both(&mut world, &first, "0");
    let others = |world: &mut World, names: [&str; 2]| {
        supply(
            world,
            "my-cluster-ca-cert",
            &[
                ("ca.crt", first.certificate().as_str()),
                (names[0], second.certificate().as_str()),
                (names[1], authority_third()),
            ],
            "0",
        );
    };
    others(&mut world, ["a.crt", "b.crt"]);
    let mut cluster = AtWork::settled(world);
    let before = text(&cluster.world.observed.secrets["my-trustbundle"], "cluster-ca.crt");
    others(&mut cluster.world, ["b.crt", "a.crt"]);
    let plan = cluster.pass();
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_ne!(text(&cluster.world.observed.secrets["my-trustbundle"], "cluster-ca.crt"), before);
}

fn authority_third() -> &'static str {
    static THIRD: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| authority("third", 3000).certificate().as_str().to_owned());
    &THIRD
}

#[test]
fn a_validity_that_no_certificate_can_express_is_refused() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["clusterCa"] = json!({"validityDays": 3_000_000});
        kafka["spec"]["clientsCa"] = json!({"validityDays": 2_147_483_647});
    });
    let message = refusal(&mut world);
    assert!(message.contains("spec.clusterCa.validityDays: 3000000 "), "{message}");
    assert!(message.contains("spec.clientsCa.validityDays: 2147483647 "), "{message}");
}

#[test]
fn users_are_told_when_every_pod_trusts_a_supplied_authority() {
    let mut world = supplied();
    let (first, second) = (authority("first", 3000), authority("second", 3000));
    supply_both(&mut world, &first, "0");
    let mut cluster = AtWork::settled(world);
    // The annotation is left over from an authority that the operator had made.
    cluster.world.annotate_secret("my-clients-ca-cert", "kastellan.io/trusted-by-all-pods", "of before");
    let told = |cluster: &AtWork| {
        let deployment = &cluster.world.observed.deployments["my-entity-operator"];
        let containers =
            serde_json::to_value(&**deployment).unwrap()["spec"]["template"]["spec"]["containers"].clone();
        let variables = containers.as_array().unwrap().iter().flat_map(|one| one["env"].as_array().unwrap());
        let mut all = variables.filter(|one| one["name"] == "KASTELLAN_TRUSTED_CLIENTS_CA");
        all.next().unwrap()["value"].as_str().unwrap().to_owned()
    };
    let id = |of: &Authority| pki::parse_certificate(of.certificate()).unwrap().authority_id();
    cluster.pass();
    assert_eq!(told(&cluster), id(&first));
    supply_both(&mut cluster.world, &second, "0");
    cluster.pass();
    assert_eq!(told(&cluster), "none");
    cluster.settle();
    assert_eq!(told(&cluster), id(&second));
}
