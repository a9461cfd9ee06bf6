//! Bad input: a condition that names the problem, and everything else goes on.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_password_is_named_and_heals_when_it_appears() {
    let w = World::get().await;
    let reference = json!({"secretKeyRef": {"name": "late", "key": "pass"}});
    w.create(
        "late-user",
        json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}}),
    )
    .await;
    let (reason, message) = w.refused("late-user").await;
    assert_eq!(reason, "InvalidResourceException");
    assert!(message.contains("Secret late") && message.contains("does not exist"), "{message}");
    w.make_secret("late", &[("pass", b"late-password")]).await;
    w.ready("late-user").await;
    assert_eq!(w.secret("late-user").await["password"], "late-password");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_rules_that_cannot_be_are_named_in_the_status() {
    let w = World::get().await;
    let long = "l".repeat(65);
    w.create(&long, json!({"authentication": {"type": "tls"}})).await;
    let (reason, message) = w.refused(&long).await;
    assert_eq!(reason, "InvalidResourceException");
    assert!(message.contains("64 characters"), "{message}");
    w.delete(&long).await;

    let nameless =
        json!({"type": "simple", "acls": [{"resource": {"type": "topic"}, "operations": ["Read"]}]});
    w.create("nameless", json!({"authorization": nameless})).await;
    let (_, message) = w.refused("nameless").await;
    assert!(message.contains("spec.authorization.acls[0].resource.name"), "{message}");
    w.patch("nameless", json!({"spec": {"authorization": null}})).await;
    w.ready("nameless").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_cannot_take_over_a_secret_that_is_not_a_users() {
    let w = World::get().await;
    let before = w.secret("my-clients-ca").await;
    w.create("my-clients-ca", json!({"authentication": {"type": "tls"}})).await;
    let (reason, message) = w.refused("my-clients-ca").await;
    assert_eq!(reason, "ResourceConflict");
    assert!(message.contains("was not made for a KafkaUser"), "{message}");
    assert_eq!(w.secret("my-clients-ca").await, before);
    w.resources.delete("my-clients-ca", &DeleteParams::default()).await.unwrap();
    w.gone_from_kafka("my-clients-ca").await;
    assert_eq!(w.secret("my-clients-ca").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_none_is_named_and_heals_when_it_is_one() {
    let w = World::get().await;
    w.make_secret("wrong", &[("other", b"x"), ("empty", b""), ("binary", &[0xff, 0xfe, 0x00])]).await;
    let from = |key: &str| {
        let reference = json!({"secretKeyRef": {"name": "wrong", "key": key}});
        json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}})
    };
    let cases = [
        ("keyless", "pass", "the Secret wrong with the password has no key pass"),
        ("emptied", "empty", "the key empty of Secret wrong is empty"),
        ("binary", "binary", "the key binary of Secret wrong is not text in UTF-8"),
    ];
    for (user, key, _) in cases {
        w.create(user, from(key)).await;
    }
    w.create("beside", json!({"authentication": {"type": "scram-sha-512"}})).await;
    for (user, _, expected) in cases {
        assert_eq!(w.refused(user).await, ("InvalidResourceException".to_owned(), expected.to_owned()));
        assert!(!w.has_password(user).await && w.secrets.get_opt(user).await.unwrap().is_none());
    }
    w.ready("beside").await;
    w.change_secret("wrong", &[("pass", b"one"), ("empty", b"two"), ("binary", b"three")]).await;
    for ((user, _, _), password) in cases.into_iter().zip(["one", "two", "three"]) {
        w.ready(user).await;
        w.logs_in(user, password).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_clients_ca_stops_new_certificates_and_nothing_else_until_it_is_repaired() {
    let mut w = World::own().await;
    w.set("KASTELLAN_USER_KEY_ALGORITHM", "rsa-2048");
    w.start_operator().await;
    let tls = |rate: u32| json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": rate}});
    w.create("old", tls(1)).await;
    w.ready("old").await;
    let before = w.secret("old").await;
    for (broken, expected) in [
        (&b"not a key"[..], "my-clients-ca"),
        (w.node.client_identity("x").unwrap().key.as_bytes(), "my-clients-ca"),
    ] {
        w.change_secret("my-clients-ca", &[("ca.key", broken)]).await;
        let name = format!("new-{}", broken.len());
        w.create(&name, tls(1)).await;
        let (reason, message) = w.refused(&name).await;
        assert_eq!(reason, "InvalidConfigurationException");
        assert!(
            message.starts_with("no certificate can be issued: ") && message.contains(expected),
            "{message}"
        );
        w.delete(&name).await;
    }
    w.create("new", tls(1)).await;
    w.refused("new").await;
    // Who needs no new certificate goes on.
    w.create("password", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.ready("password").await;
    w.logs_in("password", &w.secret("password").await["password"]).await;
    w.patch("old", json!({"spec": tls(2)})).await;
    w.ready("old").await;
    w.until_quotas("CN=old", &[("producer_byte_rate", 2.0)]).await;
    assert_eq!(w.secret("old").await, before);

    w.change_secret("my-clients-ca", &[("ca.key", w.node.authority().key().as_bytes())]).await;
    w.ready("new").await;
    let data = w.secret("new").await;
    assert!(w.certificate_fits("new", &data));
    w.with_certificate(&data).describe_cluster().await.unwrap();
    assert_eq!(w.secret("old").await, before, "an unchanged authority issues nothing anew");

    // An RSA authority, as Strimzi makes them, takes over: everybody gets a certificate that it signed.
    let request = issuer::AuthorityRequest {
        common_name: "clients-ca v1".into(),
        organization: "io.strimzi".into(),
        validity_days: 365,
        algorithm: issuer::KeyAlgorithm::Rsa2048,
    };
    let rsa = issuer::Authority::generate(&request, jiff::Timestamp::now()).unwrap();
    w.change_secret("my-clients-ca", &[("ca.key", rsa.key().expose().as_bytes())]).await;
    w.change_secret("my-clients-ca-cert", &[("ca.crt", rsa.certificate().as_str().as_bytes())]).await;
    for name in ["old", "new"] {
        let data = wait::until(DEADLINE, "the certificate is the new authority's", || async {
            let data = w.secret(name).await;
            (data["ca.crt"] == rsa.certificate().as_str()).then_some(data)
        })
        .await
        .unwrap();
        let folder = tempfile::tempdir().unwrap();
        for key in ["ca.crt", "user.crt", "user.key"] {
            std::fs::write(folder.path().join(key), &data[key]).unwrap();
        }
        let openssl = |arguments: &[&str]| {
            let mut command = std::process::Command::new("openssl");
            let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
        };
        let text = openssl(&["verify", "-CAfile", "ca.crt", "user.crt"]);
        assert_eq!(text.trim(), "user.crt: OK");
        let text = openssl(&["x509", "-in", "user.crt", "-noout", "-text"]);
        assert!(
            text.contains("sha256WithRSAEncryption") || text.contains("sha512WithRSAEncryption"),
            "{text}"
        );
        assert!(text.contains("(2048 bit)"), "{text}");
        assert_eq!(openssl(&["rsa", "-in", "user.key", "-noout", "-check"]).trim(), "RSA key ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_kafka_finds_wrong_is_told_in_its_words_and_stops_nobody_else() {
    let w = World::get().await;
    let rule = |name: &str| {
        let resource = json!({"type": "topic", "name": name});
        json!({"type": "simple", "acls": [{"resource": resource, "operations": ["Read"]}]})
    };
    // The schema allows a rate of 0, Kafka does not.
    w.create("zero", json!({"quotas": {"producerByteRate": 0}, "authorization": rule("zero")})).await;
    w.create("more", json!({"quotas": {"producerByteRate": 1}, "authorization": rule("more")})).await;
    let (reason, message) = w.refused("zero").await;
    assert_eq!(reason, "KafkaError");
    assert!(message.contains("producer_byte_rate"), "{message}");
    w.ready("more").await;
    w.until_rules("more", 1).await;
    w.patch("zero", json!({"spec": {"quotas": {"producerByteRate": 1}}})).await;
    w.ready("zero").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_a_rule_is_told_with_its_place() {
    let w = World::get().await;
    let good = json!({"resource": {"type": "topic", "name": "t"}, "operations": ["Read"]});
    let cases: [(&str, Value, &str); 3] = [
        ("no-name", json!({"type": "group"}), "spec.authorization.acls[1].resource.name"),
        ("empty-name", json!({"type": "topic", "name": ""}), "spec.authorization.acls[1].resource.name"),
        ("no-prefix", json!({"type": "transactionalId", "patternType": "prefix"}), "acls[1].resource.name"),
    ];
    for (user, resource, expected) in &cases {
        let wrong = json!({"resource": resource, "operations": ["Read"]});
        w.create(user, json!({"authorization": {"type": "simple", "acls": [good, wrong]}})).await;
        let (reason, message) = w.refused(user).await;
        assert_eq!(reason, "InvalidResourceException");
        assert!(message.contains(expected), "{message}");
        // Half a set of rules could be the wrong half.
        assert!(w.acls(user).await.is_empty());
        w.delete(user).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_and_annotations_of_the_operators_are_refused_in_a_template() {
    let w = World::get().await;
    let with = |metadata: &Value| json!({"authentication": {"type": "tls"}, "template": {"secret": {"metadata": metadata}}});
    let cases = [
        ("templated-a", json!({"annotations": {"strimzi.io/force-renew": "true"}}), "strimzi.io/force-renew"),
        ("templated-b", json!({"labels": {"strimzi.io/cluster": "other"}}), "strimzi.io/cluster"),
        ("templated-c", json!({"labels": {"strimzi.io/foo": "bar", "team": "a"}}), "strimzi.io/foo"),
        ("templated-d", json!({"annotations": {"kastellan.io/foo": "bar"}}), "kastellan.io/foo"),
    ];
    for (name, metadata, key) in &cases {
        w.create(name, with(metadata)).await;
        let (reason, message) = w.refused(name).await;
        assert_eq!(reason, "InvalidResourceException");
        assert!(message.contains(key) && message.contains("spec.template.secret.metadata"), "{message}");
        assert!(w.secrets.get_opt(name).await.unwrap().is_none(), "{name} was not refused");
    }
    // A user that has a certificate keeps it, round after round.
    w.create("templated", with(&json!({"labels": {"team": "a"}}))).await;
    w.ready("templated").await;
    let before = w.secret("templated").await;
    w.patch("templated", json!({"spec": with(&cases[0].1)})).await;
    w.refused("templated").await;
    w.passes(2.0).await;
    assert!(w.secret("templated").await == before, "a new certificate was made");
    w.patch("templated", json!({"spec": {"template": null}})).await;
    w.ready("templated").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_taken_from_no_secret_that_was_made_for_something_else() {
    let w = World::get().await;
    let from = |secret: &str, key: &str| {
        let reference = json!({"secretKeyRef": {"name": secret, "key": key}});
        json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}})
    };
    w.create("lender", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.ready("lender").await;
    let labelled: Secret = serde_json::from_value(json!({
        "metadata": {"name": "of-a-node", "labels": {"strimzi.io/kind": "Kafka"}},
        "stringData": {"of-a-node.key": "private"},
    }))
    .unwrap();
    let typed: Secret = serde_json::from_value(json!({
        "metadata": {"name": "for-ssh"}, "type": "kubernetes.io/ssh-auth", "stringData": {"ssh-privatekey": "private"},
    }))
    .unwrap();
    for secret in [labelled, typed] {
        w.secrets.create(&PostParams::default(), &secret).await.unwrap();
    }
    let cases = [
        ("thief-of-the-ca", "my-clients-ca", "ca.key"),
        ("thief-of-a-node", "of-a-node", "of-a-node.key"),
        ("thief-of-a-user", "lender", "password"),
        ("thief-of-a-key", "for-ssh", "ssh-privatekey"),
        ("thief-of-the-operator", "my-entity-user-operator-certs", "entity-operator.key"),
    ];
    for (user, secret, key) in cases {
        w.create(user, from(secret, key)).await;
        let (reason, message) = w.refused(user).await;
        assert_eq!(reason, "InvalidResourceException", "{message}");
        assert!(message.contains(secret), "{message}");
        assert!(w.secrets.get_opt(user).await.unwrap().is_none(), "{user} has a Secret");
        assert!(!w.has_password(user).await, "{user} has a password");
    }
    // What is meant for it may be taken, and so may the user's own.
    w.make_secret("for-users", &[("pass", b"meant-for-it")]).await;
    w.patch("thief-of-a-key", json!({"spec": from("for-users", "pass")})).await;
    w.ready("thief-of-a-key").await;
    w.patch("lender", json!({"spec": from("lender", "password")})).await;
    w.ready("lender").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_no_name_that_its_cluster_needs_for_a_secret_of_its_own() {
    let w = World::get().await;
    let tls = || json!({"authentication": {"type": "tls"}});
    let node: Secret = serde_json::from_value(json!({
        "metadata": {"name": "my-pool-4", "labels": {"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka"}},
    }))
    .unwrap();
    w.secrets.create(&PostParams::default(), &node).await.unwrap();
    for name in ["my-cluster-operator-certs", "my-trustbundle", "my-pool-5"] {
        w.create(name, tls()).await;
        let (reason, message) = w.refused(name).await;
        assert_eq!(reason, "ResourceConflict");
        assert!(message.contains(name) && message.contains("STRIMZI_SECRET_PREFIX"), "{message}");
        assert!(w.secrets.get_opt(name).await.unwrap().is_none(), "{name} has a Secret");
        w.delete(name).await;
    }
    for name in ["my-application-5", "my-pool", "your-pool-5"] {
        w.create(name, tls()).await;
        w.ready(name).await;
        w.delete(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_too_many_rules_is_refused() {
    let w = World::get().await;
    let operations =
        ["Read", "Write", "Create", "Delete", "Alter", "Describe", "AlterConfigs", "DescribeConfigs"];
    let rules = |count: usize| {
        let rule = |index| json!({"resource": {"type": "topic", "name": format!("t{index}")}, "operations": operations});
        json!({"authorization": {"type": "simple", "acls": (0..count).map(rule).collect::<Vec<_>>()}})
    };
    w.create("greedy", rules(1300)).await;
    let (reason, message) = w.refused("greedy").await;
    assert_eq!(reason, "InvalidResourceException");
    assert!(message.contains("10400 rules"), "{message}");
    assert!(w.acls("greedy").await.is_empty());
    w.patch("greedy", json!({"spec": rules(20)})).await;
    w.ready("greedy").await;
    w.delete("greedy").await;
}
