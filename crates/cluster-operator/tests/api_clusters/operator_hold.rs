//! A new version of the operator that would restart pods waits where the Kafka resource asks for that.

use kube::ResourceExt;
use kube::core::DynamicObject;
use serde_json::json;
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};

use crate::restarts::events;
use crate::world::{DEADLINE, World, condition, kafka, pool};

const NEW_IMAGE: &str = "registry.example.com/kafka:another";

/// The plan that is held, as the status names it.
fn held(kafka: &DynamicObject) -> Option<String> {
    let message = condition(kafka, "Warning", "PlanHeld")?["message"].as_str()?;
    message.strip_prefix("plan ")?.split(' ').next().map(str::to_owned)
}

#[tokio::test]
async fn pods_stay_with_a_new_operator_until_its_plan_is_approved() {
    // Pods that serve nobody yet may restart without an answer of Kafka's, and none answers here.
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "hold", |_| Fate::Running).await;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut resource = kafka("c");
    resource["metadata"]["annotations"] = json!({"kastellan.io/hold-operator-rolls": "approval"});
    resource["spec"]["kafka"]["config"] = json!({});
    resource["spec"].as_object_mut().unwrap().remove("entityOperator");
    world.apply(&resource).await;
    let before = world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let remembers = |set: &DynamicObject| set.annotations().contains_key("kastellan.io/let-go-for");
    world.until("StrimziPodSet", "c-dual", "remembers for what pods were let go", remembers).await;

    world.stop_operator().await;
    world.set("STRIMZI_KAFKA_IMAGES", &format!("4.3.1={NEW_IMAGE}"));
    world.start_operator().await;
    let has = |set: &DynamicObject| set.data["spec"].to_string().contains(NEW_IMAGE);
    world.until("StrimziPodSet", "c-dual", "has the new image", has).await;
    let kafka = world.until("Kafka", "c", "says that a plan is held", |kafka| held(kafka).is_some()).await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    let now = world.get("Pod", "c-dual-0").await;
    assert_eq!((now.uid(), now.metadata.deletion_timestamp), (before.uid(), None));
    let metric = format!("kastellan_plan_held_seconds{{name=\"c\",namespace=\"{}\"}}", world.namespace);
    assert!(
        world.metrics.render().unwrap().contains(&metric),
        "for how long the plan has been held is a metric"
    );
    let said = || async {
        let events = events(&world, "PlanHeld", None).await;
        Some(events.first()?.data["note"].as_str()?.contains("kastellan.io/approve-plan="))
            .filter(|said| *said)
    };
    wait::until(DEADLINE, "an event says how to approve it", said).await.unwrap();

    let approval = json!({"metadata": {"annotations": {"kastellan.io/approve-plan": held(&kafka)}}});
    world.patch("Kafka", "c", approval).await;
    let is_new = |pod: &DynamicObject| {
        pod.uid() != before.uid() && pod.data["spec"]["containers"][0]["image"].as_str() == Some(NEW_IMAGE)
    };
    world.until("Pod", "c-dual-0", "is a new pod with the new image", is_new).await;
    world.until("Kafka", "c", "holds nothing any more", |kafka| held(kafka).is_none()).await;
    assert!(!world.metrics.render().unwrap().contains(&metric), "nothing is held any more");
}

/// A cluster of one pod that waits for its turn with a new version of the operator.
async fn waiting_cluster(world: &World, name: &str) {
    world.apply(&pool(name, &format!("pool-{name}"), 1)).await;
    let mut resource = kafka(name);
    resource["metadata"]["annotations"] = json!({"kastellan.io/hold-operator-rolls": "turn"});
    resource["spec"]["kafka"]["config"] = json!({});
    resource["spec"].as_object_mut().unwrap().remove("entityOperator");
    world.apply(&resource).await;
    let remembers = |set: &DynamicObject| set.annotations().contains_key("kastellan.io/let-go-for");
    let set = format!("{name}-pool-{name}");
    world.until("StrimziPodSet", &set, "remembers for what pods were let go", remembers).await;
    let runs = |pod: &DynamicObject| pod.data["status"]["phase"] == "Running";
    world.until("Pod", &format!("{set}-0"), "runs", runs).await;
}

/// What the status says of the plan that is held.
fn words(kafka: &DynamicObject) -> String {
    let held = condition(kafka, "Warning", "PlanHeld");
    held.and_then(|held| held["message"].as_str().map(str::to_owned)).unwrap_or_default()
}

#[tokio::test]
async fn clusters_take_turns_and_wait_for_a_canary() {
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "turns", |_| Fate::Running).await;
    world.start_operator().await;
    for name in ["a", "b"] {
        waiting_cluster(&world, name).await;
    }
    world.stop_operator().await;
    world.set("STRIMZI_KAFKA_IMAGES", &format!("4.3.1={NEW_IMAGE}"));
    let canary = format!("{}/canary", world.namespace);
    world.set("KASTELLAN_OPERATOR_ROLLS_CANARIES", &canary);
    world.start_operator().await;
    for name in ["a", "b"] {
        let waits = |kafka: &DynamicObject| words(kafka).contains(&format!("not yet: {canary:?}"));
        world.until("Kafka", name, "waits for the canary, which there is not", waits).await;
    }

    world.stop_operator().await;
    world.set("KASTELLAN_OPERATOR_ROLLS_CANARIES", "");
    world.start_operator().await;
    let goes = || async {
        for (name, other) in [("a", "b"), ("b", "a")] {
            let pod = world.api("Pod").get_opt(&format!("{name}-pool-{name}-0")).await.ok()??;
            if pod.data["spec"]["containers"][0]["image"].as_str() == Some(NEW_IMAGE) {
                return Some((name, other));
            }
        }
        None
    };
    let (first, second) = wait::until(DEADLINE, "one of the clusters goes", goes).await.unwrap();
    let waits = |kafka: &DynamicObject| words(kafka).contains("once another cluster has restarted its pods");
    world.until("Kafka", second, "waits for the other cluster", waits).await;
    // Its pod never becomes ready, so that its turn ends with it.
    world.delete("Kafka", first).await;
    let is_new = |pod: &DynamicObject| pod.data["spec"]["containers"][0]["image"].as_str() == Some(NEW_IMAGE);
    let pod = format!("{second}-pool-{second}-0");
    world.until("Pod", &pod, "has the new image when its turn comes", is_new).await;
}
