use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kafka_admin::{AclBinding, AclOperation, PatternType, Permission, ResourceType};
use kube::{
    Api,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World, kafka};

fn secret(name: &str, data: &[(&str, &str)]) -> Secret {
    let data: BTreeMap<String, ByteString> =
        data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(data),
        ..Secret::default()
    }
}

/// The operator speaks TLS, with what two Secrets hold.
fn over_tls(w: &mut World, bootstrap: &str) {
    w.set("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", bootstrap);
    w.set("STRIMZI_SECURITY_PROTOCOL", "SSL");
    w.set("STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME", "my-cluster-ca-cert");
    w.set("STRIMZI_TLS_SECRET_NAME", "my-entity-topic-operator-certs");
    w.set("STRIMZI_TLS_KEY_NAME", "entity-operator.key");
    w.set("STRIMZI_TLS_CERT_NAME", "entity-operator.crt");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_come_from_secrets_and_are_renewed_without_a_restart() {
    let node = kafka().await;
    let mut w = World::with(&[node.bootstrap()]).await;
    over_tls(&mut w, &node.tls_bootstrap());
    w.level = "TRACE";
    let secrets: Api<Secret> = Api::namespaced(w.client.clone(), &w.namespace);
    w.start_operator().await;
    let early = w.topic("early");
    w.create("early", json!({"topicName": early, "partitions": 1})).await;

    // A user without rights first: the broker's answer stands in the status.
    let nobody = node.client_identity("nobody").unwrap();
    let identity = secret(
        "my-entity-topic-operator-certs",
        &[("entity-operator.crt", &nobody.certificate), ("entity-operator.key", &nobody.key)],
    );
    secrets
        .create(&PostParams::default(), &secret("my-cluster-ca-cert", &[("ca.crt", node.ca_pem())]))
        .await
        .unwrap();
    secrets.create(&PostParams::default(), &identity).await.unwrap();
    let why = w.refused("early", "KafkaError").await;
    assert!(why.contains("Authorization"), "{why}");

    // Then the Secret is renewed.
    let admin = node.client_identity("admin").unwrap();
    let renewed = secret(
        "my-entity-topic-operator-certs",
        &[("entity-operator.crt", &admin.certificate), ("entity-operator.key", &admin.key)],
    );
    let data = json!({"data": renewed.data});
    secrets
        .patch("my-entity-topic-operator-certs", &PatchParams::default(), &Patch::Merge(data))
        .await
        .unwrap();
    w.ready("early").await;
    w.until_exists(&early).await;

    // A variable or a template leaves of a PEM key a single line.
    let on_one_line = admin.key.replace('\n', "");
    let broken = secret("my-entity-topic-operator-certs", &[("entity-operator.key", &on_one_line)]);
    let data = json!({"data": broken.data});
    secrets
        .patch("my-entity-topic-operator-certs", &PatchParams::default(), &Patch::Merge(data))
        .await
        .unwrap();
    let complains = || async { w.log.text().contains("lines of their own").then_some(()) };
    wait::until(DEADLINE, "the log names the broken key", complains).await.unwrap();
    let log = w.log.text();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "everything was logged");
    for key in [&nobody.key, &admin.key] {
        for form in forms(key) {
            assert!(!log.contains(&form), "a private key is in the log");
        }
    }
}

/// The forms in which a key could slip out: its body, as Kubernetes writes the entry of the Secret, and as Rust prints bytes.
fn forms(key: &str) -> [String; 3] {
    let body: String = key.lines().nth(1).unwrap().chars().take(48).collect();
    let entry = serde_json::to_value(ByteString(key.as_bytes().to_vec())).unwrap();
    let bytes = format!("{:?}", body.as_bytes()).trim_matches(['[', ']']).to_owned();
    [body, entry.as_str().unwrap().to_owned(), bytes]
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_move_replicas_has_all_other_topics_served() {
    let node = kafka().await;
    let mut w = World::with(&[node.bootstrap()]).await;
    let client = node.client_identity("no-mover").unwrap();
    let rule = AclBinding {
        resource_type: ResourceType::Topic,
        resource_name: w.namespace.as_str().into(),
        pattern: PatternType::Prefixed,
        principal: "User:CN=no-mover".to_owned(),
        host: "*".to_owned(),
        operation: AclOperation::All,
        permission: Permission::Allow,
    };
    for outcome in w.admin.create_acls([rule]).await.unwrap().into_values() {
        outcome.unwrap();
    }
    over_tls(&mut w, &node.tls_bootstrap());
    let secrets: Api<Secret> = Api::namespaced(w.client.clone(), &w.namespace);
    let trusted = secret("my-cluster-ca-cert", &[("ca.crt", node.ca_pem())]);
    secrets.create(&PostParams::default(), &trusted).await.unwrap();
    let identity = secret(
        "my-entity-topic-operator-certs",
        &[("entity-operator.crt", &client.certificate), ("entity-operator.key", &client.key)],
    );
    secrets.create(&PostParams::default(), &identity).await.unwrap();
    for name in ["small", "other"] {
        w.create(name, json!({"topicName": w.topic(name), "replicas": 1})).await;
    }
    w.start_operator().await;
    w.ready("small").await;
    w.until_exists(&w.topic("small")).await;
    w.stop_operator().await;
    // In one batch with a topic whose replicas would have to be moved.
    w.patch("small", json!({"spec": {"replicas": 2}})).await;
    w.patch("other", json!({"spec": {"config": {"retention.ms": 1000}}})).await;
    w.start_operator().await;
    let why = w.refused("small", "KafkaError").await;
    assert!(
        why.contains("ClusterAuthorization") && why.contains("operation Describe on the cluster"),
        "{why}"
    );
    w.ready("other").await;
    w.until_config(&w.topic("other"), &[("retention.ms", "1000")]).await;
}
