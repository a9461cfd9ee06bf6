//! Changes of Kafka that Kafka does not make in time hold up no restart.

use serde_json::json;
use test_support::ApiServer;
use test_support::stand_in::Fate;
use test_support::wait;

use crate::hostile_broker::{Answer, HostileBroker, hosts};
use crate::process::Process;
use crate::world::{DEADLINE, World, kafka, pool};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_kafka_does_not_make_in_time_holds_up_no_restart() {
    let world = World::with(ApiServer::shared().await.unwrap(), "slow-changes", Fate::Ready).await;
    let address = "127.0.96.1";
    let hosts = hosts(&world.namespace, &[("c", "c-p-0", address.to_owned())]);
    let mut cluster = kafka("c");
    cluster["spec"].as_object_mut().unwrap().remove("entityOperator");
    cluster["spec"]["kafka"]["config"] = json!({});
    cluster["spec"]["kafka"]["quotas"] = json!({"type": "kafka", "producerByteRate": 1_000_000});
    world.apply(&pool("c", "p", 1)).await;
    world.apply(&cluster).await;
    let logs = tempfile::tempdir().unwrap();
    let _operator = Process::start(&world, &[], Some(hosts.path()), &logs.path().join("operator.log")).await;
    let runs = |pod: &kube::api::DynamicObject| pod.data["status"]["phase"] == "Running";
    let pod = world.until("Pod", "c-p-0", "runs", runs).await;
    let broker = HostileBroker::start(&world, "c", "c-p-0", address, Answer::KeepsQuotas).await;
    let is_asked = || async { (broker.answered() > 0).then_some(()) };
    wait::until(DEADLINE, "Kafka is told its quotas", is_asked).await.unwrap();
    let annotations = json!({"metadata": {"annotations": {"strimzi.io/manual-rolling-update": "true"}}});
    world.patch("StrimziPodSet", "c-p", annotations).await;
    let uid = pod.metadata.uid;
    let told = broker.answered();
    world.until("Pod", "c-p-0", "is made anew", |pod| pod.metadata.uid != uid).await;
    assert!(broker.answered() > told, "the change was tried in the pass of the restart, too");
}
