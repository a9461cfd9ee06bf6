//! Watch caches against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind, PartialObjectMeta};
use kube::{Api, Client};
use operator_runtime::env::Namespaces;
use operator_runtime::watch::{Cache, Event, ObjectRef, Watch};
use test_support::{ApiServer, wait};
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

fn config_map(name: &str, label: &str, value: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some(BTreeMap::from([("app".to_owned(), label.to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([("v".to_owned(), value.to_owned())])),
        ..ConfigMap::default()
    }
}

async fn create(api: &Api<ConfigMap>, name: &str, label: &str, value: &str) {
    api.create(&PostParams::default(), &config_map(name, label, value)).await.unwrap();
}

/// The value of key `v`.
fn value_of(map: ConfigMap) -> Option<String> {
    map.data?.remove("v")
}

async fn until(cache: &Cache<String>, what: &str, test: impl Fn(&Cache<String>) -> bool) {
    wait::until(SOON, what, || async { test(cache).then_some(()) }).await.unwrap();
}

fn namespaced(client: &Client, namespace: &str) -> Watch<ConfigMap> {
    Watch::namespaced(client, &Namespaces::Some(vec![namespace.to_owned()]))
}

#[tokio::test]
async fn a_cache_follows_creations_changes_label_changes_and_deletions() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("watch").await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    create(&api, "there", "x", "1").await;
    create(&api, "unselected", "y", "1").await;

    let stop = CancellationToken::new();
    let cache = namespaced(&client, &namespace).labels(Some("app=x")).start(&stop, value_of);
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    cache.on_change(move |event| {
        let line = match event {
            Event::Applied { key, old: None, new } => format!("+{} {new}", key.name),
            Event::Applied { key, old: Some(old), new } => format!("{} {old} {new}", key.name),
            Event::Deleted { key, old, .. } => format!("-{} {old}", key.name),
        };
        lines.lock().unwrap().push(line);
    });
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert_eq!(cache.keys(), [ObjectRef::new(namespace.clone(), "there")]);

    create(&api, "new", "x", "1").await;
    let change = serde_json::json!({"data": {"v": "2"}});
    api.patch("there", &PatchParams::default(), &Patch::Merge(&change)).await.unwrap();
    until(&cache, "there is 2", |cache| cache.list_in(&namespace).iter().any(|value| value.as_str() == "2"))
        .await;
    let relabel = serde_json::json!({"metadata": {"labels": {"app": "y"}}});
    api.patch("there", &PatchParams::default(), &Patch::Merge(&relabel)).await.unwrap();
    api.delete("new", &DeleteParams::default()).await.unwrap();
    until(&cache, "the cache is empty", Cache::is_empty).await;
    assert_eq!(*log.lock().unwrap(), ["+there 1", "+new 1", "there 1 2", "-there 2", "-new 1"]);
    stop.cancel();
}

#[tokio::test]
async fn deletions_and_creations_while_the_server_was_away_are_seen_once() {
    let server = ApiServer::start().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("away").await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    for name in ["stays", "goes"] {
        create(&api, name, "x", "1").await;
    }
    let stop = CancellationToken::new();
    // A client of its own, which can be cut off from the server while this test changes objects.
    let cache = namespaced(&server.client().await.unwrap(), &namespace).start(&stop, value_of);
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    cache.on_change(move |event| lines.lock().unwrap().push(event.key().name.clone()));
    log.lock().unwrap().clear();

    server.stop();
    server.resume().await.unwrap();
    // The watch is still in its back-off or resumes: either way both changes must arrive.
    let client = server.client().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    api.delete("goes", &DeleteParams::default()).await.unwrap();
    create(&api, "comes", "x", "1").await;
    until(&cache, "goes is gone and comes is there", |cache| {
        let mut names: Vec<String> = cache.keys().into_iter().map(|key| key.name).collect();
        names.sort();
        names == ["comes", "stays"]
    })
    .await;
    let seen = log.lock().unwrap().clone();
    assert!(!seen.contains(&"stays".to_owned()), "an unchanged object was reported: {seen:?}");
    stop.cancel();
}

#[tokio::test]
async fn more_objects_than_one_page_are_all_listed() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("pages").await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let names: Vec<String> = (0..600).map(|number| format!("m-{number}")).collect();
    futures::future::join_all(names.iter().map(|name| create(&api, name, "x", "1"))).await;
    let stop = CancellationToken::new();
    let cache =
        Watch::<PartialObjectMeta<ConfigMap>>::namespaced(&client, &Namespaces::Some(vec![namespace]))
            .start(&stop, |object| object.metadata.name);
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert_eq!(cache.len(), 600);
    stop.cancel();
}

#[tokio::test]
async fn several_namespaces_are_ready_together_and_do_not_disturb_each_other() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let (one, two) =
        (server.create_namespace("one").await.unwrap(), server.create_namespace("two").await.unwrap());
    for namespace in [&one, &two] {
        create(&Api::namespaced(client.clone(), namespace), "same-name", "x", namespace).await;
    }
    let stop = CancellationToken::new();
    let namespaces = Namespaces::Some(vec![one.clone(), two.clone()]);
    let cache = Watch::<ConfigMap>::namespaced(&client, &namespaces).start(&stop, value_of);
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    for namespace in [&one, &two] {
        let value = cache.get(&ObjectRef::new(namespace.clone(), "same-name"));
        assert_eq!(value.as_deref(), Some(namespace));
    }
    stop.cancel();
}

#[tokio::test]
async fn a_watch_without_the_right_is_not_ready_and_recovers_when_it_gets_it() {
    let server = ApiServer::shared().await.unwrap();
    let admin = server.client().await.unwrap();
    let namespace = server.create_namespace("rights").await.unwrap();
    let client = server.client_for_service_account(&namespace, "op").await.unwrap();
    let stop = CancellationToken::new();
    let cache = namespaced(&client, &namespace).start(&stop, value_of);
    let early = tokio::time::timeout(Duration::from_millis(500), cache.ready()).await;
    assert!(early.is_err());
    for object in [
        serde_json::json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": namespace},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]}),
        serde_json::json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "r", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
            "subjects": [{"kind": "ServiceAccount", "name": "op", "namespace": namespace}]}),
    ] {
        let kind = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", object["kind"].as_str().unwrap());
        let api: Api<DynamicObject> =
            Api::namespaced_with(admin.clone(), &namespace, &ApiResource::from_gvk(&kind));
        api.create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap();
    }
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    stop.cancel();
}

#[tokio::test]
async fn cluster_wide_kinds_can_be_watched() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let stop = CancellationToken::new();
    let cache = Watch::<Namespace>::all(&client).start_trimmed(&stop, |namespace| namespace.status = None);
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert!(cache.get(&ObjectRef::new("", "kube-system")).is_some());
    stop.cancel();
}
