use kube::ResourceExt;
use serde_json::json;
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::world::{World, kafka, pool};

/// A cluster of three whose pods have these fates, after a change that every pod has to restart for.
async fn changed(prefix: &str, fate: impl Fn(&str) -> Fate + Send + Sync + 'static) -> (World, Vec<String>) {
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), prefix, fate).await;
    world.start_operator();
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    let mut before = Vec::new();
    for node in 0..3 {
        let name = format!("c-dual-{node}");
        let pod = world.until("Pod", &name, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
        before.push(pod.uid().unwrap());
    }
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    let has = |set: &kube::core::DynamicObject| set.data["spec"].to_string().contains("3Gi");
    world.until("StrimziPodSet", "c-dual", "has the change", has).await;
    (world, before)
}

#[tokio::test]
async fn an_unready_broker_is_not_restarted_while_kafka_has_not_said_that_it_may() {
    // Brokers are ready; nobody answers at their addresses, as if they were overloaded.
    let fate = |pod: &str| if pod == "c-dual-1" { Fate::Running } else { Fate::Ready };
    let (world, before) = changed("unanswered", fate).await;
    world.operator().passes(3).await;
    for (node, uid) in before.iter().enumerate() {
        let pod = world.get("Pod", &format!("c-dual-{node}")).await;
        assert_eq!((pod.uid().as_ref(), pod.metadata.deletion_timestamp), (Some(uid), None), "{node}");
    }
}

#[tokio::test]
async fn a_cluster_of_which_no_broker_is_ready_is_mended_by_a_change_of_the_resource() {
    let (world, before) = changed("none-ready", |_| Fate::Running).await;
    world.until("Pod", "c-dual-0", "is a new pod", |pod| pod.uid().as_ref() != Some(&before[0])).await;
}
