//! A Kafka and a KafkaConnect of one name in one namespace have nothing to do with each other.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::deletion::collect;
use crate::world::{OWNED, World, pool};

/// A KafkaConnect, which has no controller here: its objects are made by the test, as Strimzi labels them.
fn connect(name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "metadata": {"name": name},
        "spec": {"replicas": 2, "bootstrapServers": format!("{name}-kafka-bootstrap:9092"), "groupId": "connect",
            "configStorageTopic": "configs", "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets"}})
}

/// Metadata of an object of the KafkaConnect `c` with this UID.
fn of_connect(name: &str, uid: &str) -> Value {
    json!({"name": name,
        "labels": {
            "strimzi.io/cluster": "c", "strimzi.io/kind": "KafkaConnect", "strimzi.io/name": "c-connect",
            "strimzi.io/component-type": "kafka-connect", "app.kubernetes.io/instance": "c",
            "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        },
        "ownerReferences": [{"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "name": "c", "uid": uid,
            "controller": false, "blockOwnerDeletion": false}],
    })
}

/// The pod set of the KafkaConnect with so many pods.
fn workers(uid: &str, pods: usize) -> Value {
    let pod = |number: usize| {
        let name = format!("c-connect-{number}");
        let mut metadata = of_connect(&name, uid);
        metadata["ownerReferences"] = json!([]);
        metadata["annotations"] = json!({"strimzi.io/revision": "1"});
        let labels = metadata["labels"].as_object_mut().unwrap();
        labels.insert("strimzi.io/controller".to_owned(), "strimzipodset".into());
        labels.insert("strimzi.io/controller-name".to_owned(), "c-connect".into());
        labels.insert("strimzi.io/pod-name".to_owned(), name.clone().into());
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"hostname": name, "containers": [{"name": "c-connect", "image": "kafka"}]}})
    };
    json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "metadata": of_connect("c-connect", uid),
        "spec": {"selector": {"matchLabels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "KafkaConnect",
                "strimzi.io/name": "c-connect"}},
            "pods": (0..pods).map(pod).collect::<Vec<_>>()}})
}

/// UID and version of every object that the labels give to a resource of this kind and the name `c`. Pods, whose status the
/// stand-in writes, by UID only.
async fn versions(world: &World, kind: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let selector = ListParams::default().labels(&format!("strimzi.io/cluster=c,strimzi.io/kind={kind}"));
    for owned in OWNED {
        for object in world.api(owned).list(&selector).await.unwrap() {
            let version = object.resource_version().filter(|_| owned != "Pod").unwrap_or_default();
            found.insert(
                format!("{owned} {}", object.name_any()),
                format!("{} {version}", object.uid().unwrap()),
            );
        }
    }
    found
}

/// Waits until the pods of the KafkaConnect run and its pod set says so.
async fn workers_run(world: &World, pods: i64) {
    for number in 0..pods {
        let name = format!("c-connect-{number}");
        world.until("Pod", &name, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    }
    world
        .until("StrimziPodSet", "c-connect", "counts its pods", |set| {
            set.data["status"]["currentPods"] == pods && set.data["status"]["pods"] == pods
        })
        .await;
}

#[tokio::test]
async fn a_kafka_and_a_connect_of_one_name_never_touch_what_is_the_others() {
    let world = World::start("kinds").await;
    collect(&world);
    world.usual("c").await;
    let uid = world.apply(&connect("c")).await.uid().unwrap();
    let tls = json!({"apiVersion": "v1", "kind": "Secret", "metadata": of_connect("c-connect-tls", &uid), "data": {}});
    let options =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": of_connect("c-connect-config", &uid)});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": of_connect("data-c-connect-0", &uid),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for object in [&tls, &options, &claim] {
        world.apply(object).await;
    }
    world
        .until("PersistentVolumeClaim", "data-c-connect-0", "is bound", |claim| {
            claim.data["status"]["phase"] == "Bound"
        })
        .await;
    world.apply(&workers(&uid, 2)).await;
    workers_run(&world, 2).await;

    // The Kafka is looked at, changed and scaled.
    let connects = versions(&world, "KafkaConnect").await;
    assert_eq!(connects.len(), 6, "{connects:?}");
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    world.apply(&pool("c", "dual", 4)).await;
    world.until("Pod", "c-dual-3", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let kafka = world.deploying("c").await;
    assert!(!kafka.data["status"].to_string().contains("connect"), "{}", kafka.data["status"]);
    assert_eq!(versions(&world, "KafkaConnect").await, connects);

    // The KafkaConnect is scaled, and a pod of it is lost.
    let kafkas = versions(&world, "Kafka").await;
    assert_eq!(kafkas.keys().filter(|name| name.starts_with("Pod ")).count(), 4, "{kafkas:?}");
    world.apply(&workers(&uid, 1)).await;
    world.gone("Pod", "c-connect-1").await;
    let worker = world.get("Pod", "c-connect-0").await.uid();
    world.delete("Pod", "c-connect-0").await;
    world.until("Pod", "c-connect-0", "was made anew", |pod| pod.uid() != worker).await;
    workers_run(&world, 1).await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(versions(&world, "Kafka").await, kafkas);

    // The Kafka goes, and all of it but the volumes.
    let connects = versions(&world, "KafkaConnect").await;
    world.delete("Kafka", "c").await;
    world.delete("KafkaNodePool", "dual").await;
    for (kind, name) in [
        ("StrimziPodSet", "c-dual"),
        ("Pod", "c-dual-0"),
        ("Secret", "c-cluster-ca-cert"),
        ("Service", "c-kafka-brokers"),
    ] {
        world.gone(kind, name).await;
    }
    assert_eq!(versions(&world, "KafkaConnect").await, connects);
    // Its pods are looked after still.
    let worker = world.get("Pod", "c-connect-0").await.uid();
    world.delete("Pod", "c-connect-0").await;
    world.until("Pod", "c-connect-0", "was made anew", |pod| pod.uid() != worker).await;
}
