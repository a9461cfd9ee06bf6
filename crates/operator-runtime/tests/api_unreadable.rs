//! Objects that an operator cannot read stand in the way of nothing, against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::conditions::Condition;
use api::{KafkaNodePool, KafkaTopic};
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event as KubernetesEvent;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use operator_runtime::apply::Applier;
use operator_runtime::env::Namespaces;
use operator_runtime::events::{self, Events};
use operator_runtime::limits::{Budget, Largest, Limits};
use operator_runtime::report;
use operator_runtime::watch::{Cache, Event, ObjectRef, Watch};
use serde_json::{Value, json};
use test_support::{ApiServer, api_server, wait};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(30);

static SERVER: OnceCell<ApiServer> = OnceCell::const_new();

/// A server with definitions that bound nothing, as an installation of Strimzi has left them.
async fn setup(prefix: &str) -> (Client, String) {
    let start = || async {
        let server = ApiServer::start().await.unwrap();
        let crds = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
        server.install_crds(&api_server::without_bounds(crds).unwrap()).await.unwrap();
        server
    };
    let server = SERVER.get_or_init(start).await;
    (server.client().await.unwrap(), server.create_namespace(prefix).await.unwrap())
}

async fn until<T: Send + Sync + 'static>(cache: &Cache<T>, what: &str, test: impl Fn(&Cache<T>) -> bool) {
    wait::until(SOON, what, || async { test(cache).then_some(()) }).await.unwrap();
}

fn some(namespace: &str) -> Namespaces {
    Namespaces::Some(vec![namespace.to_owned()])
}

fn raw<K: kube::Resource<DynamicType = ()>>(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &ApiResource::erase::<K>(&()))
}

fn pool(name: &str, mode: u64) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "c"}},
        "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}, "template": {"pod": {
            "volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": mode}}]}}},
    }))
    .unwrap()
}

const TOO_LARGE: u64 = 3_000_000_000;

fn mode(mode: u64) -> Value {
    json!({"spec": {"template": {"pod": {"volumes": [{"name": "a", "secret": {"secretName": "s", "defaultMode": mode}}]}}}})
}

#[tokio::test]
async fn an_object_with_too_large_a_number_is_left_out_and_counts_as_there() {
    let (client, namespace) = setup("number").await;
    let api = raw::<KafkaNodePool>(&client, &namespace);
    for (name, mode) in [("good", 420), ("bad", TOO_LARGE), ("turns", 420)] {
        api.create(&PostParams::default(), &pool(name, mode)).await.unwrap();
    }
    let stop = CancellationToken::new();
    let cache = Watch::<KafkaNodePool>::namespaced(&client, &some(&namespace)).start_trimmed(&stop, |_| {});
    let log = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&log);
    cache.on_change(move |event| {
        let what = if matches!(event, Event::Deleted { .. }) { "-" } else { "+" };
        lines.lock().unwrap().push(format!("{what}{}", event.key().name));
    });
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    let key = |name: &str| ObjectRef::new(namespace.clone(), name);
    assert_eq!(cache.len(), 2, "the good ones");
    let bad = cache.unreadable(&key("bad")).unwrap();
    assert!(bad.why.contains("spec.template.pod.volumes[0].secret.defaultMode"), "{}", bad.why);
    assert_eq!(bad.cluster(), Some("c"));

    // One that runs becomes unreadable: it is not taken for deleted, and its last state is still known.
    api.patch("turns", &PatchParams::default(), &Patch::Merge(mode(TOO_LARGE))).await.unwrap();
    until(&cache, "turns is unreadable", |cache| cache.unreadable(&key("turns")).is_some()).await;
    assert!(cache.get(&key("turns")).is_some());
    // Others are followed meanwhile.
    api.patch("good", &PatchParams::default(), &Patch::Merge(mode(400))).await.unwrap();
    api.patch("bad", &PatchParams::default(), &Patch::Merge(mode(420))).await.unwrap();
    until(&cache, "bad is taken up", |cache| cache.get(&key("bad")).is_some()).await;
    assert!(cache.unreadable(&key("bad")).is_none());
    api.delete("turns", &DeleteParams::default()).await.unwrap();
    until(&cache, "turns is gone", |cache| cache.unreadable(&key("turns")).is_none()).await;
    until(&cache, "turns is gone", |cache| cache.get(&key("turns")).is_none()).await;
    let mut seen = log.lock().unwrap().clone();
    assert_eq!(seen.split_off(2), ["+good", "+bad", "-turns"]);
    stop.cancel();
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn nesting_without_end_is_said_in_the_status_and_as_an_event_once() {
    let (client, namespace) = setup("deep").await;
    let api = raw::<KafkaTopic>(&client, &namespace);
    let mut deep = json!(1);
    for _ in 0..140 {
        deep = json!([deep]);
    }
    let mut maps = json!(1);
    for _ in 0..140 {
        maps = json!({"a": maps});
    }
    for (name, config) in [("lists", json!({"a": deep})), ("maps", maps), ("good", json!({}))] {
        let topic = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": name, "finalizers": ["strimzi.io/topic-operator"]}, "spec": {"config": config}});
        // The client cannot read the answer either.
        let request = kube::core::Request::new(api.resource_url());
        let request = request.create(&PostParams::default(), topic.to_string().into_bytes()).unwrap();
        client.request_text(request).await.unwrap();
    }
    let stop = CancellationToken::new();
    let cache = Watch::<KafkaTopic>::namespaced(&client, &some(&namespace)).start_trimmed(&stop, |_| {});
    let applier = Applier::new(client.clone());
    let events = Events::start(client.clone(), events::CLUSTER_OPERATOR, "test");
    report::in_status::<KafkaTopic, _>(&cache, &applier, Some(events), Condition::ready_false, &stop);
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert_eq!((cache.len(), cache.count_unreadable()), (1, 2));

    let told = |cache: &Cache<KafkaTopic>| {
        cache.all_unreadable().iter().all(|(_, found)| {
            let said = found.conditions.first();
            found.observed_generation == Some(1)
                && said.is_some_and(|said| {
                    said.type_ == "Ready"
                        && said.status == "False"
                        && said.message.as_deref().is_some_and(|text| text.contains("nests too deeply"))
                })
        })
    };
    until(&cache, "the statuses say why", told).await;
    let published = || async {
        let list = Api::<KubernetesEvent>::namespaced(client.clone(), &namespace);
        let list = list.list(&ListParams::default()).await.unwrap();
        (list.items.len() >= 2).then_some(list.items)
    };
    let published = wait::until(SOON, "events are there", published).await.unwrap();
    assert!(published.iter().all(|event| event.note.as_deref().unwrap().contains("nests too deeply")));
    // The last resource version shows that each status was written once.
    let versions = |cache: &Cache<KafkaTopic>| {
        let mut all: Vec<_> = cache
            .all_unreadable()
            .into_iter()
            .map(|(_, found)| found.metadata.resource_version.clone())
            .collect();
        all.sort();
        all
    };
    let mut stored = Vec::new();
    applier
        .each_metadata::<KafkaTopic>(&namespace, None, None, |meta| {
            if meta.name.as_deref() != Some("good") {
                stored.push(meta.resource_version);
            }
        })
        .await
        .unwrap();
    stored.sort();
    until(&cache, "the statuses are seen", |cache| versions(cache) == stored).await;
    let before = versions(&cache);
    let touch = json!({"metadata": {"annotations": {"a": "b"}}});
    api.patch("good", &PatchParams::default(), &Patch::Merge(touch)).await.unwrap();
    until(&cache, "good was touched", |cache| {
        cache.list().iter().any(|topic| topic.metadata.annotations.is_some())
    })
    .await;
    assert_eq!(versions(&cache), before, "a status was written again");

    // Reads past the caches know them too.
    let mut seen = Vec::new();
    applier
        .each_metadata::<KafkaTopic>(&namespace, None, None, |meta| {
            seen.push((meta.name.unwrap(), meta.finalizers.unwrap()));
        })
        .await
        .unwrap();
    seen.sort();
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["good", "lists", "maps"]);
    assert!(seen.iter().all(|(_, finalizers)| finalizers == &["strimzi.io/topic-operator"]));
    stop.cancel();
}

fn filled(name: &str, bytes: usize) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() },
        // The API server writes each of these as six characters.
        data: Some(BTreeMap::from([("v".to_owned(), "\u{1}".repeat(bytes))])),
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn pages_that_would_be_too_long_are_read_in_smaller_ones() {
    let (client, namespace) = setup("long").await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    for number in 0..30 {
        let bytes = if number % 3 == 0 { 450_000 } else { 10 };
        api.create(&PostParams::default(), &filled(&format!("m-{number:02}"), bytes)).await.unwrap();
    }
    let stop = CancellationToken::new();
    let cache = Watch::<ConfigMap>::namespaced(&client, &some(&namespace))
        .largest(Largest { bytes: 1024 * 1024, variable: "LIMIT" })
        .start_trimmed(&stop, |_| {});
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert_eq!((cache.len(), cache.count_unreadable()), (20, 10));
    // Over the watch as well.
    api.create(&PostParams::default(), &filled("new", 450_000)).await.unwrap();
    until(&cache, "the new one is known", |cache| cache.count_unreadable() == 11).await;
    stop.cancel();
}

#[tokio::test]
async fn a_namespace_that_fills_the_memory_takes_nothing_from_another() {
    let (client, greedy) = setup("greedy").await;
    let (_, modest) = setup("modest").await;
    let (one, other) = (
        Api::<ConfigMap>::namespaced(client.clone(), &greedy),
        Api::<ConfigMap>::namespaced(client.clone(), &modest),
    );
    let text = |name: &str| ConfigMap {
        data: Some(BTreeMap::from([("v".to_owned(), "x".repeat(100_000))])),
        ..filled(name, 0)
    };
    for number in 0..15 {
        one.create(&PostParams::default(), &text(&format!("m-{number:02}"))).await.unwrap();
    }
    let stop = CancellationToken::new();
    let limits = Limits { budget: Budget::new(1_000_000), ..Limits::default() };
    let namespaces = Namespaces::Some(vec![greedy.clone(), modest.clone()]);
    let cache =
        Watch::<ConfigMap>::namespaced(&client, &namespaces).within(&limits).start_trimmed(&stop, |_| {});
    tokio::time::timeout(SOON, cache.ready()).await.unwrap();
    assert_eq!((cache.len(), cache.count_unreadable()), (9, 6));
    let (_, left_out) = cache.all_unreadable().pop().unwrap();
    assert!(left_out.why.contains(&greedy) && left_out.why.contains("share"), "{}", left_out.why);

    other.create(&PostParams::default(), &text("mine")).await.unwrap();
    let mine = ObjectRef::new(modest, "mine");
    until(&cache, "the other namespace gets its share", |cache| cache.get(&mine).is_some()).await;
    stop.cancel();
}
