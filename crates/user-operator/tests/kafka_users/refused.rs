//! Bad input: a condition that names the problem, and everything else goes on.

use kube::api::DeleteParams;
use serde_json::json;

use crate::world::World;

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
    w.users.delete("my-clients-ca", &DeleteParams::default()).await.unwrap();
    w.gone_from_kafka("my-clients-ca").await;
    assert_eq!(w.secret("my-clients-ca").await, before);
}
