//! Where Kafka is asked whose nodes prove nothing: at the pods of the cluster's own, and nowhere else.

use std::io::Write as _;
use std::time::Duration;

use kube::api::DynamicObject;
use serde_json::json;
use test_support::stand_in::Fate;
use test_support::{ApiServer, BrokerStandIn, PaperCluster};
use tokio::net::TcpListener;

use crate::process::Process;
use crate::world::{World, kafka, pool};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_somebody_else_leads_the_operator_to_no_kafka() {
    let world = World::with(ApiServer::shared().await.unwrap(), "foreign-bootstrap", Fate::Ready).await;
    // What another tenant's Services lead to, under every name by which the nodes may be asked.
    let listener = TcpListener::bind("127.0.95.1:9091").await.unwrap();
    let paper = PaperCluster::at("theirs", &[listener.local_addr().unwrap()]);
    let theirs = BrokerStandIn::start(listener, move |key, version| {
        Some((Duration::ZERO, paper.answer(key, version)?))
    });
    let mut hosts = tempfile::NamedTempFile::new().unwrap();
    let namespace = &world.namespace;
    writeln!(hosts, "127.0.0.1 localhost\n127.0.95.1 x-kafka-bootstrap.{namespace}.svc").unwrap();
    for node in 0..3 {
        writeln!(hosts, "127.0.95.1 x-p-{node}.x-kafka-brokers.{namespace}.svc").unwrap();
    }
    let mut open = kafka("x");
    let none = r#"{"encryption": {"type": "none"}, "authentication": {"type": "none"}}"#;
    open["metadata"]["annotations"] = json!({"strimzi.io/internal-cluster-security": none});
    open["spec"].as_object_mut().unwrap().remove("entityOperator");
    world.apply(&pool("x", "p", 3)).await;
    world.apply(&open).await;
    let logs = tempfile::tempdir().unwrap();
    let values = ["fullReconciliationIntervalMs=2000"];
    let _operator =
        Process::start(&world, &values, Some(hosts.path()), &logs.path().join("operator.log")).await;
    let is_silent = |object: &DynamicObject| {
        object.data["status"]["conditions"].to_string().contains("Kafka has not answered")
    };
    // Nobody is at the addresses of the pods: it was asked, and where the names lead it would have answered.
    let silent = world.until("Kafka", "x", "says that Kafka is silent", is_silent).await;
    assert_eq!(theirs.asked(), vec![], "nobody asks there: {}", silent.data["status"]["conditions"]);
}
