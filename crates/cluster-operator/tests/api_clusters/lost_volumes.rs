//! Volumes on a Kubernetes node that is gone, as an API server shows them to an operator with the rights of the chart.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::json;
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::world::{World, condition, kafka, pool};

/// Kubernetes has no such node.
const MACHINE: &str = "worker-that-is-gone";

/// What the status says of a pod that no Kubernetes node takes because of its volume.
async fn said(prefix: &str, values: &[&str], globals: &str) -> String {
    let server = ApiServer::shared().await.unwrap();
    let fate = |pod: &str| if pod == "c-dual-2" { Fate::Pending } else { Fate::Running };
    let mut world = World::with_chart(server, prefix, values, fate).await;
    world.set("KASTELLAN_CLUSTER_ROLE_BINDINGS", globals);
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    world.exists("Pod", "c-dual-2").await;
    let bound = json!({"metadata": {"annotations": {"volume.kubernetes.io/selected-node": MACHINE}}});
    world.patch("PersistentVolumeClaim", "data-0-c-dual-2", bound).await;
    let pods: Api<Pod> = Api::namespaced(world.client.clone(), &world.namespace);
    let message = "0/2 nodes are available: 2 node(s) had volume node affinity conflict.";
    let status = json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled",
        "status": "False", "reason": "Unschedulable", "message": message}]}});
    pods.patch_status("c-dual-2", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    let warning = |kafka: &DynamicObject| {
        let found = condition(kafka, "Warning", "LostVolume")?;
        found["message"].as_str().filter(|message| message.contains(MACHINE)).map(str::to_owned)
    };
    let kafka = world.until("Kafka", "c", "tells of the volume", |kafka| warning(kafka).is_some()).await;
    warning(&kafka).unwrap()
}

#[tokio::test]
async fn a_volume_of_a_node_that_is_gone_is_told_of_and_nothing_is_concluded_without_the_right_to_read_nodes()
{
    let message = said("lost", &[], "true").await;
    for part in ["c-dual-2", "data-0-c-dual-2", "which is gone", "strimzi.io/delete-pod-and-pvc: \"true\""] {
        assert!(message.contains(part), "{part} in {message}");
    }
    let message = said("lost-no-rights", &["createGlobalResources=false"], "false").await;
    assert!(message.contains("c-dual-2") && !message.contains("is gone"), "{message}");
    assert!(message.contains("strimzi.io/delete-pod-and-pvc: \"true\""), "{message}");
}
