//! The parts of a user are independent of each other, and users of each other.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_quota_keeps_no_password_from_kafka() {
    let w = World::get().await;
    let with_rate = |rate: u32| json!({"authentication": {"type": "scram-sha-512"}, "quotas": {"producerByteRate": rate}});
    // Kafka takes no rate of nothing.
    w.create("unmetered", with_rate(0)).await;
    let (reason, message) = w.refused("unmetered").await;
    assert_eq!(reason, "KafkaError", "{message}");
    w.logs_in("unmetered", &w.secret("unmetered").await["password"]).await;

    // An existing user gets its new password too.
    w.create("metered-user", with_rate(1000)).await;
    w.ready("metered-user").await;
    w.patch("metered-user", json!({"spec": {"quotas": {"producerByteRate": 0}}})).await;
    w.refused("metered-user").await;
    w.change_secret("metered-user", &[("password", b"another-password")]).await;
    w.logs_in("metered-user", "another-password").await;
    w.patch("metered-user", json!({"spec": {"quotas": {"producerByteRate": 5}}})).await;
    w.ready("metered-user").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_names_a_secret_only_when_it_is_the_users() {
    let w = World::get().await;
    let tls = || json!({"authentication": {"type": "tls"}});
    w.create("my-clients-ca-cert", tls()).await;
    w.refused("my-clients-ca-cert").await;
    let reference = json!({"secretKeyRef": {"name": "not-there", "key": "pass"}});
    let password = json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}});
    w.create("secretless", password).await;
    w.refused("secretless").await;
    for name in ["my-clients-ca-cert", "secretless"] {
        assert_eq!(w.resources.get(name).await.unwrap().status.unwrap().secret, None, "{name}");
    }
    w.make_secret("not-there", &[("pass", b"here-it-is")]).await;
    assert_eq!(w.ready("secretless").await.status.unwrap().secret.as_deref(), Some("secretless"));
    // One that has a Secret keeps it, whatever is refused.
    w.create("secretful", tls()).await;
    w.ready("secretful").await;
    let wrong = json!({"secret": {"metadata": {"labels": {"strimzi.io/name": "x"}}}});
    w.patch("secretful", json!({"spec": {"template": wrong}})).await;
    w.refused("secretful").await;
    let status = w.resources.get("secretful").await.unwrap().status.unwrap();
    assert_eq!(status.secret.as_deref(), Some("secretful"));
    w.delete("my-clients-ca-cert").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rounds_are_counted_and_not_the_users() {
    let mut w = World::own().await;
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    for index in 0..6 {
        w.create(&format!("counted-{index}"), json!({"quotas": {"producerByteRate": 5}})).await;
    }
    let begun = Instant::now();
    w.start_operator().await;
    let rounds = || w.metric("strimzi_reconciliations_periodical_total");
    wait::until(DEADLINE, "three rounds are counted", || async { (rounds() >= 3.0).then_some(()) })
        .await
        .unwrap();
    let most = begun.elapsed().as_secs_f64();
    assert!(rounds() <= most, "{} rounds of a second in {most} s", rounds());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_kafka_cannot_read_is_refused_and_is_in_nobodys_way() {
    let mut w = World::own().await;
    w.start_operator().await;
    let rules = |name: &str| {
        json!({"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": [
            {"resource": {"type": "topic", "name": name}, "operations": ["Read"]},
        ]}})
    };
    w.create("beside", rules("letters")).await;
    w.ready("beside").await;
    w.stop_operator().await;
    // In one batch: 40,000 bytes in 20,000 characters, a revocation, and a new user.
    w.create("endless", rules(&"ä".repeat(20_000))).await;
    w.patch("beside", json!({"spec": {"authorization": {"acls": []}}})).await;
    w.create("fresh", rules("letters")).await;
    let begun = Instant::now();
    w.start_operator().await;
    w.ready("fresh").await;
    wait::until(DEADLINE, "the right is revoked", || async {
        w.acls("beside").await.is_empty().then_some(())
    })
    .await
    .unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let (reason, message) = w.refused("endless").await;
    assert_eq!(reason, "InvalidResourceException");
    assert!(message.contains("spec.authorization.acls[0].resource.name"), "{message}");
    assert!(message.contains("40000 bytes"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_new_secret_cannot_be_written_keeps_its_rights_under_the_old_name() {
    let w = World::get().await;
    let acls = json!([{"resource": {"type": "topic", "name": "t"}, "operations": ["Read"]}]);
    let authorization = json!({"type": "simple", "acls": acls});
    let quotas = json!({"producerByteRate": 1000});
    w.create(
        "moving",
        json!({"authentication": {"type": "scram-sha-512"}, "authorization": authorization, "quotas": quotas}),
    )
    .await;
    w.ready("moving").await;
    w.until_rules("moving", 1).await;
    w.until_quotas("moving", &[("producer_byte_rate", 1000.0)]).await;
    w.secrets
        .patch("moving", &PatchParams::default(), &Patch::Merge(json!({"immutable": true})))
        .await
        .unwrap();
    w.patch("moving", json!({"spec": {"authentication": {"type": "tls"}}})).await;
    w.refused("moving").await;
    assert_eq!((w.acls("moving").await.len(), w.quotas("moving").await.len()), (1, 1));
    assert!(w.has_password("moving").await);
    // The Secret is made anew once the old one is gone: then the user moves to its new name.
    w.secrets.delete("moving", &DeleteParams::default()).await.unwrap();
    w.ready("moving").await;
    w.until_rules("CN=moving", 1).await;
    w.until_rules("moving", 0).await;
    w.until_quotas("moving", &[]).await;
    w.delete("moving").await;
}
