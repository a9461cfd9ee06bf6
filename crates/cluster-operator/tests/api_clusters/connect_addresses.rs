//! Where the REST API of a Connect cluster is asked: through the Service of its own KafkaConnect, and nowhere else.

use std::io::Write as _;

use kube::api::DynamicObject;
use serde_json::json;
use test_support::stand_in::Fate;
use test_support::{ApiServer, ConnectStandIn};

use crate::connectors::{connect, connector};
use crate::process::Process;
use crate::world::{World, condition};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_somebody_else_leads_the_operator_nowhere() {
    let world = World::with(ApiServer::shared().await.unwrap(), "foreign-service", Fate::Ready).await;
    // What another tenant's Service leads to.
    let theirs = ConnectStandIn::start_at("127.0.94.1:8083").await.unwrap();
    theirs.put("theirs");
    let mut hosts = tempfile::NamedTempFile::new().unwrap();
    writeln!(hosts, "127.0.0.1 localhost\n127.0.94.1 x-connect-api.{}.svc", world.namespace).unwrap();
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x-connect-api"},
        "spec": {"type": "ExternalName", "externalName": "c-connect-api.theirs.svc.cluster.local"}});
    world.apply(&service).await;
    world.apply(&connect("x")).await;
    world.apply(&connector("x", "mine", &json!({}))).await;
    let logs = tempfile::tempdir().unwrap();
    let values = ["fullReconciliationIntervalMs=2000"];
    let _operator =
        Process::start(&world, &values, Some(hosts.path()), &logs.path().join("operator.log")).await;
    let told = |object: &DynamicObject| {
        let message = condition(object, "NotReady", "ConnectTimeoutException");
        message
            .and_then(|one| one["message"].as_str())
            .is_some_and(|words| words.contains("Service x-connect-api"))
    };
    world.until("KafkaConnector", "mine", "says whose the Service is", told).await;
    // For several rounds over all connectors.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(theirs.take_requests(), Vec::<String>::new(), "nobody asks there");
    assert_eq!(theirs.names(), ["theirs"]);
}
