//! Pools that are deleted: those whose nodes are emptied first wait for that, and never for a cluster that is gone. Of all others the nodes stay
//! while it is not known that they are empty.

use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::wait;

use crate::deletion::collect;
use crate::world::{DEADLINE, World, condition, kafka, pool};

const FINALIZER: &str = "kastellan.io/drain-nodes";

/// A pool of one broker that is emptied before it leaves.
fn drained(name: &str) -> Value {
    let mut pool = plain(name);
    pool["metadata"]["annotations"] = json!({"kastellan.io/drain-nodes": "true"});
    pool
}

fn plain(name: &str) -> Value {
    let mut pool = pool("c", name, 1);
    pool["spec"]["roles"] = json!(["broker"]);
    pool
}

/// Whether the status says that nodes of a pool are there and the pool is gone.
fn is_left(kafka: &DynamicObject, pool: &str) -> bool {
    let warning = condition(kafka, "Warning", "PodsWithoutNodePool");
    let begin = format!("KafkaNodePool {pool} was deleted");
    warning.is_some_and(|warning| warning["message"].as_str().unwrap().starts_with(&begin))
}

/// The cluster has been there once, as its status remembers: its Kafka does not answer just now.
async fn has_formed(world: &World) {
    let remembers = || async {
        // A pass may write the status at the same time.
        let status = json!({"status": {"clusterId": "6jXn3VIUQHqjH6j2AYpKxw"}});
        let (parameters, patch) = (PatchParams::default(), Patch::Merge(status));
        world.api("Kafka").patch_status("c", &parameters, &patch).await.unwrap();
        world.has_it_looked_at(&world.api("Kafka"), "c").await;
        world.get("Kafka", "c").await.data["status"]["clusterId"].as_str().map(drop)
    };
    wait::until(DEADLINE, "the status has the cluster id", remembers).await.unwrap();
}

fn has_finalizer(object: &DynamicObject) -> bool {
    object.finalizers().iter().any(|one| one == FINALIZER)
}

#[tokio::test]
async fn a_pool_that_is_deleted_waits_for_its_nodes_only_where_that_was_asked_for_and_never_without_a_cluster()
 {
    let world = World::start("drained").await;
    collect(&world);
    for pool in [pool("c", "d", 1), drained("e"), drained("f"), plain("g")] {
        world.apply(&pool).await;
    }
    let mut resource = kafka("c");
    resource["spec"]["kafka"]["config"] = json!({});
    resource["spec"].as_object_mut().unwrap().remove("entityOperator");
    world.apply(&resource).await;
    for pod in ["c-d-0", "c-e-1", "c-f-2", "c-g-3"] {
        world.until("Pod", pod, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    }
    for pool in ["e", "f"] {
        world.until("KafkaNodePool", pool, "has the finalizer", has_finalizer).await;
    }
    has_formed(&world).await;
    let both = |set: &DynamicObject| set.owner_references().len() == 2;
    world.until("StrimziPodSet", "c-g", "belongs to both", both).await;
    assert!(!has_finalizer(&world.get("KafkaNodePool", "g").await));

    // Without the annotation it goes at once, and its node when the user takes the loss.
    let node = world.get("Pod", "c-g-3").await;
    world.delete("KafkaNodePool", "g").await;
    world.gone("KafkaNodePool", "g").await;
    world.until("Kafka", "c", "says that the node is left", |kafka| is_left(kafka, "g")).await;
    assert_eq!(world.get("Pod", "c-g-3").await.uid(), node.uid());

    // With it nothing goes while nobody knows what its node holds; here no Kafka answers.
    let before = world.get("Pod", "c-e-1").await;
    world.delete("KafkaNodePool", "e").await;
    let says_why = |kafka: &DynamicObject| {
        let warning = condition(kafka, "Warning", "ScaleDownPreventionCheck");
        warning
            .is_some_and(|warning| warning["message"].as_str().unwrap().contains("pool e is not scaled down"))
    };
    world.until("Kafka", "c", "says why the pool stays", says_why).await;
    let drains = |pool: &DynamicObject| condition(pool, "Warning", "NodesDrain").is_some();
    world.until("KafkaNodePool", "e", "says that its node is emptied", drains).await;
    let now = world.get("Pod", "c-e-1").await;
    assert_eq!((now.uid(), now.metadata.deletion_timestamp), (before.uid(), None));

    // Nor when the annotation is taken out; who takes the loss lets go of it.
    let none = json!({"metadata": {"annotations": {"kastellan.io/drain-nodes": null}}});
    world.patch("KafkaNodePool", "e", none).await;
    let stays =
        |pool: &DynamicObject| has_finalizer(pool) && condition(pool, "Warning", "NodesDrain").is_none();
    world.until("KafkaNodePool", "e", "is not emptied any more", stays).await;
    let loss = json!({"metadata": {"annotations": {"strimzi.io/skip-broker-scaledown-check": "true"}}});
    world.patch("Kafka", "c", loss).await;
    world.gone("KafkaNodePool", "e").await;
    world.gone("Pod", "c-e-1").await;
    world.gone("Pod", "c-g-3").await;
    let none = json!({"metadata": {"annotations": {"strimzi.io/skip-broker-scaledown-check": null}}});
    world.patch("Kafka", "c", none).await;
    // The operator has to know that before it hears that `f` is deleted, or it takes that loss too.
    world.has_it_looked_at(&world.api("Kafka"), "c").await;

    // What is left of a pool that is gone, and a pool that is being deleted, go with their cluster.
    world.delete("KafkaNodePool", "f").await;
    assert!(world.get("KafkaNodePool", "f").await.metadata.deletion_timestamp.is_some());
    world.delete("Kafka", "c").await;
    world.gone("KafkaNodePool", "f").await;
    world.gone("Pod", "c-f-2").await;
    world.gone("StrimziPodSet", "c-g").await;
    // A pool that stays loses the finalizer.
    world.apply(&drained("h")).await;
    world.apply(&resource).await;
    world.until("KafkaNodePool", "h", "has the finalizer", has_finalizer).await;
    world.delete("Kafka", "c").await;
    world.until("KafkaNodePool", "h", "has no finalizer", |pool| !has_finalizer(pool)).await;
}

#[tokio::test]
async fn a_pool_that_is_deleted_in_whatever_way_takes_no_node_along_and_gets_its_nodes_back() {
    let world = World::start("left").await;
    collect(&world);
    world.usual("c").await;
    has_formed(&world).await;
    let uids = async || {
        let mut uids = Vec::new();
        for (kind, name) in [("StrimziPodSet", "c-dual"), ("PersistentVolumeClaim", "data-0-c-dual-1")] {
            uids.push(world.get(kind, name).await.uid());
        }
        for node in 0..3 {
            let pod = world.get("Pod", &format!("c-dual-{node}")).await;
            uids.push(pod.uid().filter(|_| pod.metadata.deletion_timestamp.is_none()));
        }
        uids
    };
    let before = uids().await;
    let both = |set: &DynamicObject| set.owner_references().len() == 2;
    world.until("StrimziPodSet", "c-dual", "belongs to both", both).await;
    let ways = [DeleteParams::background(), DeleteParams::foreground(), DeleteParams::orphan()];
    for way in ways {
        world.api("KafkaNodePool").delete("dual", &way).await.unwrap();
        world.gone("KafkaNodePool", "dual").await;
        world.until("Kafka", "c", "says that the nodes are left", |kafka| is_left(kafka, "dual")).await;
        let owners = |set: &DynamicObject| {
            let kinds: Vec<&str> = set.owner_references().iter().map(|owner| owner.kind.as_str()).collect();
            kinds == ["Kafka"]
        };
        world.until("StrimziPodSet", "c-dual", "belongs to the cluster alone", owners).await;
        world.has_it_looked_at(&world.api("Kafka"), "c").await;
        assert_eq!(uids().await, before, "{way:?}");
        world.apply(&pool("c", "dual", 3)).await;
        let is_told = |kafka: &DynamicObject| condition(kafka, "Warning", "PodsWithoutNodePool").is_none();
        world.until("Kafka", "c", "says nothing of it any more", is_told).await;
        world.until("StrimziPodSet", "c-dual", "belongs to both", both).await;
        assert_eq!(uids().await, before, "{way:?}");
    }
    // Another cluster takes the name meanwhile.
    world.delete("KafkaNodePool", "dual").await;
    world.gone("KafkaNodePool", "dual").await;
    world.until("Kafka", "c", "says that the nodes are left", |kafka| is_left(kafka, "dual")).await;
    world.apply(&pool("other", "dual", 1)).await;
    let mut other = kafka("other");
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.until("Pod", "other-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.has_it_looked_at(&world.api("Kafka"), "c").await;
    assert_eq!(uids().await, before);
    assert!(is_left(&world.get("Kafka", "c").await, "dual"));
    // With the cluster all of it goes.
    world.delete("Kafka", "c").await;
    world.gone("StrimziPodSet", "c-dual").await;
    world.gone("Pod", "c-dual-0").await;
    assert!(world.get("Pod", "other-dual-0").await.metadata.deletion_timestamp.is_none());
}
