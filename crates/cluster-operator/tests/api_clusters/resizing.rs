//! Running pods get other resources from a real API server without a restart, and a restart where it refuses them.

use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use serde_json::json;
use test_support::{ApiServer, stand_in, wait};

use crate::world::{DEADLINE, World, condition, kafka, pool, resource};

const ERROR: &str = "strimzi.io/in-place-resizing-error";

fn memory(pod: &DynamicObject) -> String {
    pod.data["spec"]["containers"][0]["resources"]["limits"]["memory"].as_str().unwrap_or_default().to_owned()
}

async fn event(world: &World, reason: &str, pod: &str) {
    let said = || async {
        let all = world.api("Event").list(&ListParams::default()).await.unwrap();
        let is_it =
            |event: &DynamicObject| event.data["reason"] == reason && event.data["related"]["name"] == pod;
        all.items.iter().any(is_it).then_some(())
    };
    wait::until(DEADLINE, &format!("an event {reason} about {pod}"), said).await.unwrap();
}

/// What the events say.
async fn texts(world: &World) -> Vec<String> {
    let all = world.api("Event").list(&ListParams::default()).await.unwrap();
    all.items.iter().map(|event| format!("{}: {}", event.data["reason"], event.data["note"])).collect()
}

#[tokio::test]
async fn pods_get_other_resources_without_a_restart_and_restart_where_that_is_refused() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "resizing").await;
    world.start_operator().await;
    // Where pods run is looked at when they are resized.
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": stand_in::NODE}});
    let machines: Api<DynamicObject> = Api::all_with(world.api("Pod").into_client(), &resource("Node"));
    machines.patch(stand_in::NODE, &PatchParams::apply("test").force(), &Patch::Apply(&node)).await.unwrap();
    let room = json!({"cpu": "100", "memory": "500Gi", "pods": "1000"});
    let room = json!({"status": {"capacity": room, "allocatable": room}});
    machines.patch_status(stand_in::NODE, &PatchParams::default(), &Patch::Merge(&room)).await.unwrap();
    let mut nodes = pool("c", "dual", 3);
    let sized = |memory: &str, cpu: &str| json!({"limits": {"memory": memory}, "requests": {"memory": "1Gi", "cpu": cpu}});
    nodes["spec"]["resources"] = sized("1Gi", "500m");
    world.apply(&nodes).await;
    let mut cluster = kafka("c");
    cluster["metadata"]["annotations"] = json!({"strimzi.io/in-place-resizing": "true"});
    world.apply(&cluster).await;
    world.running("c", 3).await;
    let mut before = Vec::new();
    for node in 0..3 {
        before.push(world.get("Pod", &format!("c-dual-{node}")).await);
    }

    let change = json!({"spec": {"resources": sized("2Gi", "750m")}});
    world.patch("KafkaNodePool", "dual", change).await;
    for old in &before {
        let has = |pod: &DynamicObject| {
            memory(pod) == "2Gi"
                && pod.annotations()["strimzi.io/resource-revision"]
                    != old.annotations()["strimzi.io/resource-revision"]
        };
        let new = world.until("Pod", &old.name_any(), "has more memory", has).await;
        assert_eq!(new.uid(), old.uid(), "the pod is the same: {:?}", texts(&world).await);
        assert_eq!(new.data["spec"]["containers"][0]["resources"]["requests"]["cpu"], "750m");
    }
    event(&world, "PodResized", "c-dual-2").await;
    let idle = |kafka: &DynamicObject| !kafka.data["status"].to_string().contains("other resources");
    world.until("Kafka", "c", "has nothing to resize", idle).await;

    // No machine of this size can have it.
    let too_much = json!({"limits": {"memory": "900Gi"}, "requests": {"memory": "900Gi", "cpu": "750m"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": too_much}})).await;
    event(&world, "FailedResize", "c-dual-2").await;
    let refused =
        world.until("Pod", "c-dual-2", "says why", |pod| pod.annotations().contains_key(ERROR)).await;
    assert!(refused.annotations()[ERROR].contains("allocatable"), "{:?}", refused.annotations()[ERROR]);
    let old = before[0].uid();
    let new = world.until("Pod", "c-dual-0", "is a new pod", |pod| pod.uid() != old).await;
    assert_eq!(memory(&new), "900Gi");
    assert!(!new.annotations().contains_key(ERROR));
}

#[tokio::test]
async fn a_pod_and_its_claims_stay_while_nobody_tells_whether_there_are_other_copies() {
    let world = World::start("new-claims").await;
    world.usual("c").await;
    let (pod, claim) =
        (world.get("Pod", "c-dual-1").await, world.get("PersistentVolumeClaim", "data-0-c-dual-1").await);
    let asked = json!({"metadata": {"annotations": {"strimzi.io/delete-pod-and-pvc": "true"}}});
    world.patch("Pod", "c-dual-1", asked).await;
    world
        .until("Kafka", "c", "says what is to be done with the pod", |kafka| {
            condition(kafka, "NotReady", "Creating").is_some_and(|found| {
                found["message"].to_string().contains("c-dual-1 is to be restarted: the pod and its claims")
            })
        })
        .await;
    world.passes(2).await;
    for (kind, before) in [("Pod", pod), ("PersistentVolumeClaim", claim)] {
        let now = world.get(kind, &before.name_any()).await;
        assert_eq!((now.uid(), now.metadata.deletion_timestamp), (before.uid(), None), "{kind}");
    }
}
