//! KafkaMirrorMaker, for MirrorMaker 1, against a real API server, under the rights of the chart: a KafkaMirrorMaker2 does its work.

use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, ConnectStandIn, wait};

use crate::deletion::collect;
use crate::world::{DEADLINE, World, condition, is_current, resource};

const KIND: &str = "KafkaMirrorMaker";
const CONNECTOR: &str = "source->target.MirrorSourceConnector";

/// What Strimzi left.
fn deployment(uid: &str) -> Value {
    let labels = json!({"strimzi.io/cluster": "orders", "strimzi.io/kind": KIND, "strimzi.io/name": "orders-mirror-maker",
        "app.kubernetes.io/managed-by": "strimzi-cluster-operator"});
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "orders-mirror-maker", "labels": labels,
            "ownerReferences": [{"apiVersion": "kafka.strimzi.io/v1beta2", "kind": KIND, "name": "orders", "uid": uid}]},
        "spec": {"selector": {"matchLabels": {"strimzi.io/name": "orders-mirror-maker"}}, "template": {"metadata": {"labels": labels},
            "spec": {"containers": [{"name": "m", "image": "old"}]}}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_resource_mirrors_by_mirror_maker_2_once_nothing_else_does() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let mut world = World::with(ApiServer::shared().await.unwrap(), "older-mirrors", Fate::Ready).await;
    world.set("KASTELLAN_CONNECT_ADDRESSES", &format!("*={}", stand_in.address()));
    let mut older = resource(KIND);
    older.version = "v1beta2".to_owned();
    older.api_version = "kafka.strimzi.io/v1beta2".to_owned();
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &older);
    let mut manifest: Value =
        serde_saphyr::from_str(include_str!("../../../../examples/mirror-maker-1.yaml")).unwrap();
    manifest["metadata"]["annotations"] = json!({api::annotations::RUN_AS_MIRROR_MAKER_2: "true"});
    manifest["spec"]["template"] = json!({"pod": {"securityContext": {"fsGroup": 7}}});
    let parameters = kube::api::PatchParams::apply("user").force();
    let made = api.patch("orders", &parameters, &kube::api::Patch::Apply(&manifest)).await.unwrap();
    world.apply(&deployment(made.metadata.uid.as_deref().unwrap())).await;
    world.start_operator().await;
    collect(&world);
    let until = |what: &'static str, met: fn(&DynamicObject) -> bool| {
        let api = api.clone();
        async move {
            wait::until(DEADLINE, what, || async { api.get("orders").await.ok().filter(&met) }).await.unwrap()
        }
    };
    let ready = |found: &DynamicObject| {
        let conditions = found.data["status"]["conditions"].as_array();
        is_current(found) && conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready"))
    };
    let found = until("it is ready", ready).await;
    assert!(condition(&found, "Warning", "DeprecatedFields").is_some(), "{}", found.data["status"]);
    world.gone("Deployment", "orders-mirror-maker").await;
    let config = stand_in.config(CONNECTOR).unwrap();
    assert_eq!(
        config["replication.policy.class"],
        "org.apache.kafka.connect.mirror.IdentityReplicationPolicy"
    );
    assert_eq!(
        (&config["topics"], &config["source.consumer.group.id"]),
        (&json!("orders.*"), &json!("mirror"))
    );
    let requests = stand_in.take_requests();
    let at = |path: &str| requests.iter().position(|request| request.contains(path));
    assert!(
        at("/resume") > at("POST /connectors") && at("/resume").is_some(),
        "it began stopped: {requests:?}"
    );
    let spec = world.get("KafkaMirrorMaker2", "orders").await.data["spec"].clone();
    assert_eq!(spec["template"]["pod"]["securityContext"]["fsGroup"], 7);
    assert_eq!(found.data["status"]["replicas"], 1);

    // A change reaches it, and what is wrong is said in the words of the older resource.
    let change = json!({"spec": {"consumer": {"config": {"max.poll.records": 7}}}});
    api.patch("orders", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&change)).await.unwrap();
    wait::until(DEADLINE, "the option arrives", || async {
        let config = stand_in.config(CONNECTOR)?;
        (config["source.consumer.max.poll.records"] == "7").then_some(())
    })
    .await
    .unwrap();
    let wrong = json!({"spec": {"consumer": {"authentication": {"type": "tls", "certificateAndKey": {
        "secretName": "none", "certificate": "c", "key": "k"}}, "tls": {"trustedCertificates": []}}}});
    api.patch("orders", &kube::api::PatchParams::default(), &kube::api::Patch::Merge(&wrong)).await.unwrap();
    let told = |found: &DynamicObject| {
        found.data["status"]["conditions"].to_string().contains("spec.consumer.authentication")
    };
    until("it tells of the Secret", told).await;
    world.delete("KafkaMirrorMaker2", "orders").await;
    let back = |found: &DynamicObject| !found.data["spec"].is_null();
    world.until("KafkaMirrorMaker2", "orders", "is made again", back).await;
    api.delete("orders", &kube::api::DeleteParams::default()).await.unwrap();
    world.gone("KafkaMirrorMaker2", "orders").await;
}
