//! What the API server refuses while a cluster is observed, and to do to its pods, stands in the status.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};

use crate::rights;
use crate::world::{DEADLINE, World, condition, kafka};

/// Takes verbs for a kind of object out of the roles that the chart made, and waits until the API server knows; returns the roles as
/// they were.
async fn take_rights(world: &World, objects: &str, verbs: &[&str]) -> Vec<Value> {
    let mut before = Vec::new();
    for role in world.api("Role").list(&ListParams::default()).await.unwrap() {
        if role.labels().contains_key("strimzi.io/cluster") {
            continue;
        }
        let rules = role.data["rules"].clone();
        let mut fewer = rules.clone();
        for rule in fewer.as_array_mut().into_iter().flatten() {
            if rule["resources"].as_array().is_some_and(|all| all.contains(&json!(objects))) {
                rule["verbs"].as_array_mut().unwrap().retain(|verb| !verbs.iter().any(|taken| verb == taken));
            }
        }
        if fewer != rules {
            world.patch("Role", &role.name_any(), json!({"rules": fewer})).await;
            before.push(json!({"name": role.name_any(), "rules": rules}));
        }
    }
    assert!(!before.is_empty(), "no role gives any of {verbs:?} for {objects}");
    for verb in verbs {
        wait::until(DEADLINE, "the right is gone", || async {
            (!may(world, verb, objects).await).then_some(())
        })
        .await
        .unwrap();
    }
    before
}

/// Whether the operator may do this in its namespace.
async fn may(world: &World, verb: &str, objects: &str) -> bool {
    let user = format!("system:serviceaccount:{}:{}", world.namespace, rights::ACCOUNT);
    let review: SubjectAccessReview =
        serde_json::from_value(json!({"spec": {"user": user, "resourceAttributes": {
        "namespace": world.namespace, "verb": verb, "resource": objects}}}))
        .unwrap();
    let api: Api<SubjectAccessReview> = Api::all(world.client.clone());
    let answer = api.create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

async fn give_back(world: &World, roles: Vec<Value>) {
    for role in roles {
        world.patch("Role", role["name"].as_str().unwrap(), json!({"rules": role["rules"]})).await;
    }
}

#[tokio::test]
async fn a_read_that_is_refused_is_told_in_the_status_and_made_again() {
    let server = ApiServer::shared().await.unwrap();
    let values = ["createGlobalResources=false"];
    let mut world = World::with_chart(server, "refusals", &values, |_| Fate::Running).await;
    world.set("KASTELLAN_CLUSTER_ROLE_BINDINGS", "false");
    world.start_operator().await;
    world.usual("c").await;
    let node = world.get("Secret", "c-dual-0").await;
    let pair =
        json!({"tls.crt": node.data["data"]["c-dual-0.crt"], "tls.key": node.data["data"]["c-dual-0.key"]});
    let before = world.versions("c").await;

    let roles = take_rights(&world, "secrets", &["get", "list"]).await;
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "data": pair}))
        .await;
    let mut listeners = kafka("c")["spec"]["kafka"]["listeners"].clone();
    listeners[1]["configuration"] = json!({"brokerCertChainAndKey": {
        "secretName": "mine", "certificate": "tls.crt", "key": "tls.key"}});
    world.patch("Kafka", "c", json!({"spec": {"kafka": {"listeners": listeners}}})).await;
    world.refused("c", &["mine", "forbidden"]).await;
    let told = world.get("Kafka", "c").await;
    assert!(condition(&told, "NotReady", "KubernetesError").is_some(), "{:?}", told.data["status"]);
    assert_eq!(world.versions("c").await, before, "what runs was disturbed");

    give_back(&world, roles).await;
    world.patch("Kafka", "c", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    world.deploying("c").await;
}

#[tokio::test]
async fn a_pod_that_cannot_be_deleted_stands_in_the_status_and_hides_no_pod_that_cannot_be_made() {
    let server = ApiServer::shared().await.unwrap();
    let values = ["createGlobalResources=false"];
    let failed = Arc::new(AtomicBool::new(false));
    let has_failed = Arc::clone(&failed);
    let fate = move |pod: &str| match pod {
        "c-dual-1" if has_failed.load(Ordering::Relaxed) => Fate::Pending,
        _ => Fate::Running,
    };
    let mut world = World::with_chart(server, "undeletable", &values, fate).await;
    world.set("KASTELLAN_CLUSTER_ROLE_BINDINGS", "false");
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world.usual("c").await;

    let roles = take_rights(&world, "pods", &["create", "delete"]).await;
    failed.store(true, Ordering::Relaxed);
    let evicted = json!({"status": {"phase": "Failed", "reason": "Evicted"}});
    let patch = Patch::Merge(&evicted);
    world.api("Pod").patch_status("c-dual-1", &PatchParams::default(), &patch).await.unwrap();
    let says = |object: &DynamicObject, type_: &str, words: &[&str]| {
        let all = object.data["status"]["conditions"].as_array().into_iter().flatten();
        all.filter(|found| found["type"] == type_).any(|found| {
            let message = found["message"].as_str().unwrap_or_default();
            words.iter().all(|word| message.contains(word))
        })
    };
    let deletion = ["pod c-dual-1 cannot be deleted", "forbidden"];
    world
        .at_once("Kafka", "c", "says that the pod cannot be deleted", |kafka| {
            says(kafka, "Warning", &deletion) && condition(kafka, "Warning", "KubernetesError").is_some()
        })
        .await;

    // Nor can another pod be made meanwhile.
    world.delete("Pod", "c-dual-2").await;
    let creation = ["pod c-dual-2 cannot be created", "forbidden"];
    for (kind, name) in [("Kafka", "c"), ("StrimziPodSet", "c-dual")] {
        let what = "says that one pod cannot be deleted and the other not be made";
        world
            .at_once(kind, name, what, |object| {
                let said = object.data["status"]["conditions"].to_string();
                [deletion, creation].as_flattened().iter().all(|word| said.contains(word))
            })
            .await;
    }

    give_back(&world, roles).await;
    failed.store(false, Ordering::Relaxed);
    // By now the pauses between attempts may have grown to a minute.
    world.patch("StrimziPodSet", "c-dual", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    world.running("c", 3).await;
    let is_silent = |kafka: &DynamicObject| condition(kafka, "Warning", "KubernetesError").is_none();
    world.until("Kafka", "c", "no longer says it", is_silent).await;
}
