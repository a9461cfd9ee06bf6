//! Pools that are deleted: those whose nodes are emptied first wait for that, and never for a cluster that is gone.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::deletion::collect;
use crate::world::{World, condition, kafka, pool};

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
    assert!(!has_finalizer(&world.get("KafkaNodePool", "g").await));

    // Without the annotation it goes at once, as ever.
    world.delete("KafkaNodePool", "g").await;
    world.gone("KafkaNodePool", "g").await;
    world.gone("Pod", "c-g-3").await;

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

    // Who takes the annotation out lets go of it.
    let none = json!({"metadata": {"annotations": {"kastellan.io/drain-nodes": null}}});
    world.patch("KafkaNodePool", "e", none).await;
    world.gone("KafkaNodePool", "e").await;
    world.gone("Pod", "c-e-1").await;

    // A pool that is being deleted goes with its cluster.
    world.delete("KafkaNodePool", "f").await;
    assert!(world.get("KafkaNodePool", "f").await.metadata.deletion_timestamp.is_some());
    world.delete("Kafka", "c").await;
    world.gone("KafkaNodePool", "f").await;
    world.gone("Pod", "c-f-2").await;
    // One that stays loses the finalizer.
    world.apply(&drained("h")).await;
    world.apply(&resource).await;
    world.until("KafkaNodePool", "h", "has the finalizer", has_finalizer).await;
    world.delete("Kafka", "c").await;
    world.until("KafkaNodePool", "h", "has no finalizer", |pool| !has_finalizer(pool)).await;
}
