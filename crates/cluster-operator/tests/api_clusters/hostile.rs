//! A resource that is written to stop the operator stops only its own cluster. The definitions are those that an installation of
//! Strimzi has left: they bound no number.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde_json::{Value, json};
use test_support::{ApiServer, api_server};
use tokio::sync::OnceCell;

use crate::world::{World, condition, install, is_current, kafka, pool};

static SERVER: OnceCell<ApiServer> = OnceCell::const_new();

/// Starts a server whose definitions bound nothing.
pub(crate) async fn start_unbounded_server() -> ApiServer {
    let server = ApiServer::start().await.unwrap();
    let crds = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
    install(&server, api_server::without_bounds(crds).unwrap()).await;
    server
}

/// The server of that sort that tests share.
pub(crate) async fn unbounded_server() -> &'static ApiServer {
    SERVER.get_or_init(start_unbounded_server).await
}

async fn world(prefix: &str) -> World {
    let mut world = World::without_operator(unbounded_server().await, prefix).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world
}

/// Lists in lists: more than a reader of JSON takes, and nothing that the API server minds.
pub(crate) fn deep() -> Value {
    (0..140).fold(json!(1), |inner, _| json!([inner]))
}

pub(crate) fn volumes(mode: u64) -> Value {
    json!({"spec": {"template": {"pod": {
        "volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": mode}}]}}}})
}

pub(crate) const TOO_LARGE: u64 = 3_000_000_000;

/// Changes an object without looking at the answer, which the client of this test could not read either.
pub(crate) async fn change(world: &World, kind: &str, name: &str, patch: Value) {
    let api = world.api(kind);
    let request = Request::new(api.resource_url());
    let request = request.patch(name, &PatchParams::default(), &Patch::Merge(patch)).unwrap();
    world.client.request_text(request).await.unwrap();
}

pub(crate) async fn create(world: &World, object: &Value) {
    let api = world.api(object["kind"].as_str().unwrap());
    let request = Request::new(api.resource_url());
    let request = request.create(&kube::api::PostParams::default(), object.to_string().into_bytes()).unwrap();
    match world.client.request_text(request).await {
        // A connection that ends on a busy machine has the client send a request again whose answer it did not see.
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {}
        made => drop(made.unwrap()),
    }
}

pub(crate) async fn others_get_what_they_need(world: &World, cluster: &str) {
    world.apply(&pool(cluster, &format!("{cluster}-pool"), 1)).await;
    let mut other = kafka(cluster);
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.until("Pod", &format!("{cluster}-{cluster}-pool-0"), "exists", |_| true).await;
}

#[tokio::test]
async fn resources_that_cannot_be_read_keep_nobody_else_waiting_and_say_so() {
    let mut world = world("unread").await;
    let mut bad_pool = pool("x", "bad", 1);
    bad_pool["spec"]["template"] = volumes(TOO_LARGE)["spec"]["template"].clone();
    create(&world, &bad_pool).await;
    let mut bad_kafka = kafka("deep");
    bad_kafka["spec"]["kafka"]["config"]["a"] = deep();
    create(&world, &bad_kafka).await;
    // A start is what such a resource would spoil: a running operator has passed it over.
    world.start_operator().await;
    others_get_what_they_need(&world, "other").await;

    let said = |object: &kube::api::DynamicObject, word: &str| {
        let said = condition(object, "NotReady", "InvalidResourceException").cloned();
        said.is_some_and(|said| said["message"].as_str().unwrap().contains(word))
    };
    let path = "spec.template.pod.volumes[0].secret.defaultMode";
    world.until("KafkaNodePool", "bad", "says why", |pool| said(pool, path) && is_current(pool)).await;
    // The client of this test cannot read the other one.
    let conditions = || async {
        let request = Request::new(world.api("Kafka").resource_url());
        let request = request.get("deep", &kube::api::GetParams::default()).unwrap();
        let text = world.client.request_text(request).await.unwrap();
        text.contains("nests too deeply").then_some(())
    };
    test_support::wait::until(crate::world::DEADLINE, "the Kafka says why", conditions).await.unwrap();
}

#[tokio::test]
async fn a_cluster_whose_parts_cannot_be_read_keeps_running_as_it_is_and_heals() {
    let mut world = world("keeps").await;
    world.start_operator().await;
    world.usual("c").await;
    let before = world.versions("c").await;

    for restart in [false, true] {
        change(&world, "KafkaNodePool", "dual", volumes(TOO_LARGE)).await;
        world.refused("c", &["KafkaNodePool dual", "defaultMode", "cannot be read"]).await;
        if restart {
            // What was known of the pool before is not known any more.
            world.kill_operator();
            world.start_operator().await;
        }
        others_get_what_they_need(&world, if restart { "second" } else { "first" }).await;
        assert_eq!(world.versions("c").await, before, "what runs was disturbed");
        change(&world, "KafkaNodePool", "dual", json!({"spec": {"template": null}})).await;
        world.deploying("c").await;
    }
    assert_eq!(world.versions("c").await, before);
}

#[tokio::test]
async fn a_kafka_that_cannot_be_read_is_not_taken_for_deleted() {
    let mut world = world("there").await;
    world.start_operator().await;
    world.usual("c").await;
    let before = world.versions("c").await;
    world.kill_operator();
    change(&world, "Kafka", "c", json!({"spec": {"kafka": {"config": {"a": deep()}}}})).await;
    world.start_operator().await;
    // Objects of the cluster bring passes over it.
    others_get_what_they_need(&world, "other").await;
    change(&world, "StrimziPodSet", "c-dual", json!({"metadata": {"annotations": {"touched": "1"}}})).await;
    let touched = |versions: std::collections::BTreeMap<String, String>| {
        versions.into_iter().filter(|(name, _)| !name.starts_with("StrimziPodSet")).collect::<Vec<_>>()
    };
    others_get_what_they_need(&world, "another").await;
    assert_eq!(touched(world.versions("c").await), touched(before), "what runs was disturbed");

    change(&world, "Kafka", "c", json!({"spec": {"kafka": {"config": {"a": null}}}})).await;
    world.deploying("c").await;

    // When it is deleted after all, it goes like any other.
    change(&world, "Kafka", "c", json!({"spec": {"kafka": {"config": {"a": deep()}}}})).await;
    let request = Request::new(world.api("Kafka").resource_url());
    let request = request.delete("c", &kube::api::DeleteParams::default()).unwrap();
    world.client.request_text(request).await.unwrap();
    world.gone("StrimziPodSet", "c-dual").await;
}

/// Secrets with the labels of a cluster can be made by anybody who may make Secrets.
#[tokio::test]
async fn a_large_secret_with_the_labels_of_a_cluster_is_named_in_its_status_only() {
    let mut world = world("stuffed").await;
    world.start_operator().await;
    world.usual("c").await;
    let large = "x".repeat(700_000);
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"a": large}, "metadata": {"name": "large",
            "labels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka"}}}))
        .await;
    let message = world.refused("c", &["Secret large", "too large", "KASTELLAN_MAX_SECRET_KIB"]).await;
    assert!(!message.contains("xxx"), "{message}");
    others_get_what_they_need(&world, "other").await;
    let large = world.get("Secret", "large").await;
    world.delete("Secret", &large.name_any()).await;
    world.deploying("c").await;
}
