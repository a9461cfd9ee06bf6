//! Leader election against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use operator_runtime::leader::{LeaderConfig, LeaderElector, LeaderError, Leadership};
use serde_json::json;
use test_support::{ApiServer, wait};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

fn config(namespace: &str, identity: &str) -> LeaderConfig {
    LeaderConfig {
        lease_name: "strimzi-cluster-operator".into(),
        lease_namespace: namespace.into(),
        identity: identity.into(),
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_millis(500),
    }
}

async fn acquire(client: &Client, config: LeaderConfig) -> Leadership {
    let elector = LeaderElector::new(client.clone(), config);
    let won = tokio::time::timeout(SOON, elector.acquire(&CancellationToken::new())).await;
    won.unwrap().unwrap().unwrap()
}

async fn setup() -> (Client, String, Api<Lease>) {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("leader").await.unwrap();
    let api = Api::namespaced(client.clone(), &namespace);
    (client, namespace, api)
}

#[tokio::test]
async fn only_one_leads_and_the_next_takes_over_soon_after_the_release() {
    let (client, namespace, api) = setup().await;
    let first = acquire(&client, config(&namespace, "pod-a")).await;
    let second = tokio::spawn({
        let (client, config) = (client.clone(), config(&namespace, "pod-b"));
        async move { (acquire(&client, config).await, Instant::now()) }
    });
    // Through several renewals the other one stays out.
    let renewals = wait::for_object(&api, "strimzi-cluster-operator", SOON, "was renewed", |lease| {
        let spec = lease.spec.as_ref().unwrap();
        let (acquired, renewed) =
            (spec.acquire_time.as_ref().unwrap().0, spec.renew_time.as_ref().unwrap().0);
        renewed.duration_since(acquired).as_millis() > 1500
    });
    renewals.await.unwrap();
    assert!(!second.is_finished());
    let released = Instant::now();
    first.release().await;
    let (second, won) = second.await.unwrap();
    // On a busy machine too it is much less than the 15 s after which the lease ends.
    assert!(won.duration_since(released) < Duration::from_secs(5), "{:?}", won.duration_since(released));
    let spec = api.get("strimzi-cluster-operator").await.unwrap().spec.unwrap();
    assert_eq!((spec.holder_identity.as_deref(), spec.lease_transitions), (Some("pod-b"), Some(1)));
    second.release().await;
    let spec = api.get("strimzi-cluster-operator").await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.unwrap_or_default(), "");
}

#[tokio::test]
async fn a_lease_held_by_another_operator_keeps_us_out_until_it_runs_out() {
    let (client, namespace, api) = setup().await;
    let now = format!("{:.6}", operator_runtime::clock::now());
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "strimzi-cluster-operator"},
        "spec": {"holderIdentity": "java-operator", "leaseDurationSeconds": 3, "acquireTime": now, "renewTime": now, "leaseTransitions": 4}});
    api.patch("strimzi-cluster-operator", &PatchParams::apply("java"), &Patch::Apply(&lease)).await.unwrap();
    let began = Instant::now();
    let leadership = acquire(&client, config(&namespace, "pod-a")).await;
    assert!(began.elapsed() >= Duration::from_millis(2900), "{:?}", began.elapsed());
    let spec = api.get("strimzi-cluster-operator").await.unwrap().spec.unwrap();
    assert_eq!(spec.lease_transitions, Some(5));
    leadership.release().await;
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_or_deleted_learns_it() {
    let (client, namespace, api) = setup().await;
    let leadership = acquire(&client, config(&namespace, "pod-a")).await;
    let stolen = json!({"spec": {"holderIdentity": "thief"}});
    api.patch("strimzi-cluster-operator", &PatchParams::default(), &Patch::Merge(&stolen)).await.unwrap();
    tokio::time::timeout(SOON, leadership.lost().cancelled()).await.unwrap();
    leadership.release().await;
    let spec = api.get("strimzi-cluster-operator").await.unwrap().spec.unwrap();
    assert_eq!(spec.holder_identity.as_deref(), Some("thief"), "a lost lease is not released");

    api.delete("strimzi-cluster-operator", &DeleteParams::default()).await.unwrap();
    let leadership = acquire(&client, config(&namespace, "pod-a")).await;
    api.delete("strimzi-cluster-operator", &DeleteParams::default()).await.unwrap();
    tokio::time::timeout(SOON, leadership.lost().cancelled()).await.unwrap();
}

#[tokio::test]
async fn an_annotation_written_by_hand_does_not_end_leadership() {
    let (client, namespace, api) = setup().await;
    let leadership = acquire(&client, config(&namespace, "pod-a")).await;
    let note = json!({"metadata": {"annotations": {"note": "by hand"}}});
    let noted =
        api.patch("strimzi-cluster-operator", &PatchParams::default(), &Patch::Merge(&note)).await.unwrap();
    let before = noted.spec.unwrap().renew_time;
    let renewed = wait::for_object(&api, "strimzi-cluster-operator", SOON, "was renewed again", |lease| {
        lease.spec.as_ref().unwrap().renew_time != before
    });
    let lease = renewed.await.unwrap();
    assert!(!leadership.lost().is_cancelled());
    assert_eq!(lease.metadata.annotations.unwrap()["note"], "by hand");
    leadership.release().await;
}

#[tokio::test]
async fn a_leader_that_cannot_reach_the_server_gives_up_and_a_short_restart_is_survived() {
    let server = ApiServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let mut patient = config("default", "pod-a");
    // Longer than the server may take to start on a busy machine.
    (patient.lease_duration, patient.renew_deadline) = (Duration::from_mins(2), Duration::from_secs(100));
    let leadership = acquire(&client, patient).await;
    server.restart().await.unwrap();
    let api: Api<Lease> = Api::namespaced(server.client().await.unwrap(), "default");
    let before = api.get("strimzi-cluster-operator").await.unwrap().spec.unwrap().renew_time;
    let renewed =
        wait::for_object(&api, "strimzi-cluster-operator", SOON, "was renewed after the restart", |lease| {
            lease.spec.as_ref().unwrap().renew_time != before
        });
    renewed.await.unwrap();
    leadership.release().await;

    let mut hasty = config("default", "pod-b");
    // A lease of its own: the release of the first is tried once, and that lease ends late.
    hasty.lease_name = "hasty".into();
    hasty.renew_deadline = Duration::from_secs(3);
    let leadership = acquire(&client, hasty).await;
    server.stop();
    tokio::time::timeout(SOON, leadership.lost().cancelled()).await.unwrap();
}

#[tokio::test]
async fn missing_rights_and_a_missing_namespace_end_the_election_with_advice() {
    let (client, namespace, _) = setup().await;
    let server = ApiServer::shared().await.unwrap();
    let poor = server.client_for_service_account(&namespace, "nobody").await.unwrap();
    let stop = CancellationToken::new();
    let error = LeaderElector::new(poor, config(&namespace, "a")).acquire(&stop).await.err().unwrap();
    assert!(
        matches!(error, LeaderError::Forbidden { .. }) && error.to_string().contains("grant get"),
        "{error}"
    );
    let error =
        LeaderElector::new(client, config("no-such-namespace", "a")).acquire(&stop).await.err().unwrap();
    assert!(error.to_string().contains("'no-such-namespace' does not exist"), "{error}");
}
