//! A Kafka and a resource of another kind that have one name in one namespace have nothing to do with each other.

use std::collections::BTreeMap;

use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::deletion::collect;
use crate::world::{OWNED, World, is_current, pool};

/// A KafkaMirrorMaker2 that is paused: its objects are made by the test, as Strimzi labels them.
fn mirror(name: &str) -> Value {
    let servers = format!("{name}-kafka-bootstrap:9092");
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2",
        "metadata": {"name": name, "annotations": {"strimzi.io/pause-reconciliation": "true"}},
        "spec": {"replicas": 2, "target": {"alias": "there", "bootstrapServers": servers, "groupId": "mirror",
                "configStorageTopic": "configs", "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets"},
            "mirrors": [{"source": {"alias": "here", "bootstrapServers": servers}}]}})
}

/// Metadata of an object of the KafkaMirrorMaker2 `c` with this UID.
fn of_mirror(name: &str, uid: &str) -> Value {
    json!({"name": name,
        "labels": {
            "strimzi.io/cluster": "c", "strimzi.io/kind": "KafkaMirrorMaker2", "strimzi.io/name": "c-mirrormaker2",
            "strimzi.io/component-type": "kafka-mirror-maker-2", "app.kubernetes.io/instance": "c",
            "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        },
        "ownerReferences": [{"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2", "name": "c", "uid": uid,
            "controller": false, "blockOwnerDeletion": false}],
    })
}

/// The pod set of the KafkaMirrorMaker2 with so many pods.
fn workers(uid: &str, pods: usize) -> Value {
    let pod = |number: usize| {
        let name = format!("c-mirrormaker2-{number}");
        let mut metadata = of_mirror(&name, uid);
        metadata["ownerReferences"] = json!([]);
        metadata["annotations"] = json!({"strimzi.io/revision": "1"});
        let labels = metadata["labels"].as_object_mut().unwrap();
        labels.insert("strimzi.io/controller".to_owned(), "strimzipodset".into());
        labels.insert("strimzi.io/controller-name".to_owned(), "c-mirrormaker2".into());
        labels.insert("strimzi.io/pod-name".to_owned(), name.clone().into());
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
            "spec": {"hostname": name, "containers": [{"name": "c-mirrormaker2", "image": "kafka"}]}})
    };
    json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "metadata": of_mirror("c-mirrormaker2", uid),
        "spec": {"selector": {"matchLabels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "KafkaMirrorMaker2",
                "strimzi.io/name": "c-mirrormaker2"}},
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

/// Waits until the pods of the KafkaMirrorMaker2 run and its pod set says so.
async fn workers_run(world: &World, pods: i64) {
    for number in 0..pods {
        let name = format!("c-mirrormaker2-{number}");
        world.until("Pod", &name, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    }
    world
        .until("StrimziPodSet", "c-mirrormaker2", "counts its pods", |set| {
            set.data["status"]["currentPods"] == pods && set.data["status"]["pods"] == pods
        })
        .await;
}

#[tokio::test]
async fn a_kafka_and_a_mirror_of_one_name_never_touch_what_is_the_others() {
    let world = World::start("kinds").await;
    collect(&world);
    world.usual("c").await;
    let uid = world.apply(&mirror("c")).await.uid().unwrap();
    let tls = json!({"apiVersion": "v1", "kind": "Secret", "metadata": of_mirror("c-mirrormaker2-tls", &uid), "data": {}});
    let options = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": of_mirror("c-mirrormaker2-config", &uid)});
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": of_mirror("data-c-mirrormaker2-0", &uid),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for object in [&tls, &options, &claim] {
        world.apply(object).await;
    }
    world
        .until("PersistentVolumeClaim", "data-c-mirrormaker2-0", "is bound", |claim| {
            claim.data["status"]["phase"] == "Bound"
        })
        .await;
    world.apply(&workers(&uid, 2)).await;
    workers_run(&world, 2).await;

    // The Kafka is looked at, changed and scaled.
    let mirrors = versions(&world, "KafkaMirrorMaker2").await;
    assert_eq!(mirrors.len(), 6, "{mirrors:?}");
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    world.apply(&pool("c", "dual", 4)).await;
    world.until("Pod", "c-dual-3", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let kafka = world.settled("c").await;
    assert!(!kafka.data["status"].to_string().contains("mirror"), "{}", kafka.data["status"]);
    assert_eq!(versions(&world, "KafkaMirrorMaker2").await, mirrors);

    // The KafkaMirrorMaker2 is scaled, and a pod of it is lost.
    let kafkas = versions(&world, "Kafka").await;
    assert_eq!(kafkas.keys().filter(|name| name.starts_with("Pod ")).count(), 4, "{kafkas:?}");
    world.apply(&workers(&uid, 1)).await;
    world.gone("Pod", "c-mirrormaker2-1").await;
    let worker = world.get("Pod", "c-mirrormaker2-0").await.uid();
    world.delete("Pod", "c-mirrormaker2-0").await;
    world.until("Pod", "c-mirrormaker2-0", "was made anew", |pod| pod.uid() != worker).await;
    workers_run(&world, 1).await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(versions(&world, "Kafka").await, kafkas);

    // The Kafka goes, and all of it but the volumes.
    let mirrors = versions(&world, "KafkaMirrorMaker2").await;
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
    assert_eq!(versions(&world, "KafkaMirrorMaker2").await, mirrors);
    // Its pods are looked after still.
    let worker = world.get("Pod", "c-mirrormaker2-0").await.uid();
    world.delete("Pod", "c-mirrormaker2-0").await;
    world.until("Pod", "c-mirrormaker2-0", "was made anew", |pod| pod.uid() != worker).await;
}

/// A KafkaConnect that this operator runs, with objects of every kind that one has.
fn connect(replicas: i32) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "metadata": {"name": "c"},
        "spec": {"replicas": replicas, "bootstrapServers": "c-kafka-bootstrap:9092", "groupId": "c",
            "configStorageTopic": "configs", "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets",
            "jmxOptions": {"authentication": {"type": "password"}}}})
}

/// Waits until the KafkaConnect is carried out with so many workers.
async fn connect_runs(world: &World, workers: i64) -> DynamicObject {
    let counts = |set: &DynamicObject| {
        let status = &set.data["status"];
        status["currentPods"] == workers && status["readyPods"] == workers && status["pods"] == workers
    };
    world.until("StrimziPodSet", "c-connect", "counts its pods", counts).await;
    let is_ready = |connect: &DynamicObject| {
        let conditions = connect.data["status"]["conditions"].as_array();
        is_current(connect) && conditions.into_iter().flatten().any(|condition| condition["type"] == "Ready")
    };
    world.until("KafkaConnect", "c", "is ready", is_ready).await
}

/// Deletes a pod and waits until there is another one of its name.
async fn lose(world: &World, pod: &str) {
    let lost = world.get("Pod", pod).await.uid();
    world.delete("Pod", pod).await;
    world.until("Pod", pod, "was made anew", |pod| pod.uid() != lost).await;
}

#[tokio::test]
async fn a_kafka_and_a_connect_of_one_name_never_touch_what_is_the_others() {
    let fate = |pod: &str| if pod.contains("-connect-") { Fate::Ready } else { Fate::Running };
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "kinds-connect", fate).await;
    world.start_operator().await;
    collect(&world);
    world.usual("c").await;
    world.apply(&connect(2)).await;
    let uid = connect_runs(&world, 2).await.uid().unwrap();
    let mut metadata = of_mirror("data-c-connect-0", &uid);
    metadata["labels"]["strimzi.io/kind"] = "KafkaConnect".into();
    metadata["ownerReferences"][0]["kind"] = "KafkaConnect".into();
    world
        .apply(&json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata,
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}))
        .await;
    let bound = |claim: &DynamicObject| claim.data["status"]["phase"] == "Bound";
    world.until("PersistentVolumeClaim", "data-c-connect-0", "is bound", bound).await;

    // The Kafka is looked at, changed and scaled, and a pod of it is lost.
    let connects = versions(&world, "KafkaConnect").await;
    for owned in
        ["StrimziPodSet c-connect", "Secret c-kafka-connect-jmx", "Pod c-connect-0", "Pod c-connect-1"]
    {
        assert!(connects.contains_key(owned), "{owned} is missing: {connects:?}");
    }
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    world.apply(&pool("c", "dual", 4)).await;
    world.until("Pod", "c-dual-3", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    lose(&world, "c-dual-1").await;
    world.running("c", 4).await;
    assert_eq!(versions(&world, "KafkaConnect").await, connects);

    // The KafkaConnect is scaled, and a pod of it is lost.
    let kafkas = versions(&world, "Kafka").await;
    assert_eq!(kafkas.keys().filter(|name| name.starts_with("Pod ")).count(), 4, "{kafkas:?}");
    world.apply(&connect(1)).await;
    world.gone("Pod", "c-connect-1").await;
    lose(&world, "c-connect-0").await;
    connect_runs(&world, 1).await;
    assert_eq!(versions(&world, "Kafka").await, kafkas);

    // The KafkaConnect goes, and all of it.
    world.delete("KafkaConnect", "c").await;
    for (kind, name) in [
        ("Pod", "c-connect-0"),
        ("StrimziPodSet", "c-connect"),
        ("Secret", "c-kafka-connect-jmx"),
        ("Service", "c-connect-api"),
        ("PersistentVolumeClaim", "data-c-connect-0"),
    ] {
        world.gone(kind, name).await;
    }
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(versions(&world, "Kafka").await, kafkas);

    // Another KafkaConnect comes, and the Kafka goes.
    world.apply(&connect(1)).await;
    connect_runs(&world, 1).await;
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
    lose(&world, "c-connect-0").await;
    connect_runs(&world, 1).await;
}
