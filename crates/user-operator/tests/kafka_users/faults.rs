//! What breaks around the operator, and the operator itself: afterwards everything is as the resources say.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use api::KafkaUser;
use futures::future::join_all;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World, has};

/// An absence of Kafka that no status of a user that was Ready tells of.
const SHORT_ABSENCE: Duration = Duration::from_secs(30);

fn tls() -> Value {
    json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": 1000}})
}

fn scram() -> Value {
    json!({"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": [
        {"resource": {"type": "topic", "name": "t"}, "operations": ["Read", "Describe"]},
    ]}})
}

fn is_ready(user: &KafkaUser) -> bool {
    has(user, |condition| condition.is("Ready"))
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_may_be_away_and_come_back() {
    let mut w = World::own().await;
    // What the operator knows of Kafka's absence, it knows from the users that it works on.
    w.set("STRIMZI_CACHE_REFRESH_INTERVAL_MS", "120000");
    w.start_operator().await;
    for (name, spec) in [("before", tls()), ("altered", tls()), ("goes", scram())] {
        w.create(name, spec).await;
        w.ready(name).await;
    }
    let before_the_absence = Instant::now();
    w.node.own().stop().await.unwrap();
    w.create("during", scram()).await;
    w.patch("altered", json!({"spec": {"quotas": {"producerByteRate": 2000}}})).await;
    w.delete("goes").await;
    // What needs no Kafka is done at once.
    let made = wait::for_object(&w.secrets, "during", DEADLINE, "exists", |_| true).await.unwrap();
    let failed = async |times: f64| {
        let reached = || async { (w.metric("strimzi_reconciliations_failed_total") >= times).then_some(()) };
        wait::until(DEADLINE, "the operator has failed so often", reached).await.unwrap();
    };
    failed(1.0).await;
    let altered = w.resources.get("altered").await.unwrap();
    // A busy machine may take so long until here that the absence counts as a long one.
    let short = before_the_absence.elapsed() < SHORT_ABSENCE;
    assert!(is_ready(&altered) || !short, "altered was Ready and is not called broken");
    failed(3.0).await;
    let three = || async { (w.metric("strimzi_resources").to_string() == "3").then_some(()) };
    wait::until(DEADLINE, "three users are left", three).await.unwrap();
    assert!(is_ready(&w.resources.get("before").await.unwrap()), "before was Ready and is not called broken");
    assert!(!is_ready(&w.resources.get("during").await.unwrap()));
    // A longer absence is told, where something waits for Kafka.
    let told = |user: &KafkaUser| {
        has(user, |condition| condition.is("NotReady") && condition.reason.as_deref() == Some("KafkaError"))
    };
    wait::for_object(&w.resources, "during", DEADLINE * 3, "tells of Kafka", told).await.unwrap();
    assert!(is_ready(&w.resources.get("before").await.unwrap()));
    w.node.own().start_again().await.unwrap();
    let status = w.ready("during").await.status.unwrap();
    assert_eq!(status.username.as_deref(), Some("during"));
    assert_eq!(w.secrets.get("during").await.unwrap().metadata.uid, made.metadata.uid);
    w.logs_in("during", &w.secret("during").await["password"]).await;
    w.ready("altered").await;
    w.gone_from_kafka("goes").await;
    for (name, rate) in [("before", "1000"), ("altered", "2000")] {
        assert!(is_ready(&w.resources.get(name).await.unwrap()));
        wait::until(DEADLINE, "the quota is as asked for", || async {
            let quotas = w.quotas(&format!("CN={name}")).await;
            (quotas.get("producer_byte_rate")?.to_string() == rate).then_some(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_may_be_away_and_come_back_in_the_middle_of_a_batch() {
    let mut w = World::alone().await;
    w.start_operator().await;
    w.create("first", tls()).await;
    w.ready("first").await;
    let names: Vec<String> = (0..60).map(|i| format!("u-{i}")).collect();
    let (one, other) = (tls(), scram());
    let specs = names.iter().enumerate().map(|(i, _)| if i % 2 == 0 { &one } else { &other });
    join_all(names.iter().zip(specs).map(|(name, spec)| w.create(name, spec.clone()))).await;
    w.server.stop();
    w.server.resume().await.unwrap();
    w.delete("first").await;
    w.gone_from_kafka("first").await;
    all_fit(&w, &names).await;
    assert_eq!(w.resources.list(&ListParams::default()).await.unwrap().items.len(), names.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_killed_in_the_middle_of_a_batch_goes_on_where_it_was() {
    let mut w = World::own().await;
    w.set("STRIMZI_BATCH_MAXIMUM_BLOCK_SIZE", "10");
    let names: Vec<String> = (0..120).map(|i| format!("u-{i}")).collect();
    let (one, other) = (tls(), scram());
    let specs = names.iter().enumerate().map(|(i, _)| if i % 2 == 0 { &one } else { &other });
    join_all(names.iter().zip(specs).map(|(name, spec)| w.create(name, spec.clone()))).await;
    // A Secret of the user's own, which no start may touch.
    w.make_secret("foreign", &[("password", b"mine")]).await;
    let foreign = w.secrets.get("foreign").await.unwrap().metadata;
    let mut made = BTreeMap::new();
    for round in 0..4 {
        let seen = w.versions().await;
        w.start_operator().await;
        let (world, seen) = (&w, &seen);
        // Killed as soon as more was written, each time a little later.
        wait::until(Duration::from_secs(30), "something was written", || async move {
            let now = world.versions().await;
            (now.iter().filter(|version| !seen.contains(version)).count() > round * 5).then_some(())
        })
        .await
        .unwrap();
        w.kill_operator();
        // What was made by an operator that was killed is not made again by the next one.
        for secret in w.secrets.list(&ListParams::default()).await.unwrap().items {
            let (name, now) = (secret.metadata.name.unwrap(), (secret.metadata.uid, secret.data));
            let first = made.entry(name.clone()).or_insert_with(|| now.clone());
            assert!(*first == now, "the Secret {name} was made again");
        }
    }
    // And once ended as a pod is.
    w.start_operator().await;
    w.stop_operator().await;
    w.start_operator().await;
    all_fit(&w, &names).await;
    for (name, first) in made {
        let secret = w.secrets.get(&name).await.unwrap();
        assert!((secret.metadata.uid, secret.data) == first, "the Secret {name} was made again");
    }
    assert_eq!(w.secrets.get("foreign").await.unwrap().metadata.resource_version, foreign.resource_version);
    assert!(w.metric("strimzi_reconciliations_successful_total") >= 120.0);
    // Once everything is as it should be, another start changes nothing.
    let before = w.versions().await;
    w.kill_operator();
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    w.start_operator().await;
    w.passes(2.0).await;
    assert_eq!(w.versions().await, before);
}

/// Waits until every user is Ready, its Secret fits, and Kafka has what it should have and nothing else.
async fn all_fit(w: &World, names: &[String]) {
    for name in names {
        w.ready(name).await;
    }
    for name in names {
        let data = w.secret(name).await;
        if let Some(password) = data.get("password") {
            assert_eq!(data.len(), 2, "{name}: {:?}", data.keys());
            w.logs_in(name, password).await;
        } else {
            assert!(w.certificate_fits(name, &data), "{name}: {:?}", data.keys());
        }
    }
    // A sample over the wire: it takes a connection each.
    for name in names.iter().step_by(2).take(3) {
        w.with_certificate(&w.secret(name).await).describe_cluster().await.unwrap();
    }
    wait::until(DEADLINE, "Kafka has what the resources say", || async {
        let acls = w.admin.describe_acls(kafka_admin::AclFilter::any()).await.unwrap();
        let quotas = w.admin.describe_client_quotas().await.unwrap();
        let passwords = w.admin.describe_scram_credentials().await.unwrap();
        let half = names.len() / 2;
        (acls.len() == 2 * half && quotas.len() == half && passwords.len() == half).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_of_others_between_a_read_and_a_write_are_neither_lost_nor_in_the_way() {
    let w = World::get().await;
    let names: Vec<String> = (0..10).map(|i| format!("busy-{i}")).collect();
    join_all(names.iter().map(|name| w.create(name, scram()))).await;
    // Others write the resource and its status without a pause, from before the first look of the operator on.
    let stop = AtomicBool::new(false);
    let others = join_all(names.iter().map(|name| async {
        let mut writes = 0;
        let params = PatchParams { field_manager: Some("somebody-else".into()), ..PatchParams::default() };
        while !stop.load(Ordering::Relaxed) {
            writes += 1;
            let note = json!({"metadata": {"annotations": {"note": writes.to_string()}}});
            w.resources.patch(name, &params, &Patch::Merge(note)).await.unwrap();
            let foreign = json!({"status": {"conditions": [
                {"type": "Ready", "status": "False", "reason": "Somebody", "message": writes.to_string()},
            ]}});
            w.resources.patch_status(name, &params, &Patch::Merge(foreign)).await.unwrap();
            if writes == 5 {
                w.patch(name, json!({"spec": {"quotas": {"consumerByteRate": 7}}})).await;
            }
        }
        writes
    }));
    let until_done = async {
        let (w, names) = (&w, &names);
        let seen = wait::until(DEADLINE, "Kafka has all of it", || async move {
            let quotas = w.admin.describe_client_quotas().await.unwrap();
            let has = |name: &String| quotas.contains_key(&kafka_admin::QuotaEntity::user(name.as_str()));
            names.iter().all(has).then_some(())
        })
        .await;
        stop.store(true, Ordering::Relaxed);
        seen.unwrap();
    };
    let (writes, ()) = tokio::join!(others, until_done);
    for (name, writes) in names.iter().zip(writes) {
        let user = w.ready(name).await;
        assert_eq!(user.metadata.annotations.unwrap()["note"], writes.to_string());
        let conditions = user.status.unwrap().conditions.unwrap();
        assert!(conditions.iter().all(|condition| condition.reason.as_deref() != Some("Somebody")));
        w.logs_in(name, &w.secret(name).await["password"]).await;
        w.delete(name).await;
    }
}
