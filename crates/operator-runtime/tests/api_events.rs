//! Events against a real API server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, ObjectMeta, PostParams};
use operator_runtime::events::{CLUSTER_OPERATOR, Events, Note, POD_RESTART, Severity, reference};
use test_support::{ApiServer, wait};

#[tokio::test]
async fn an_event_is_found_at_the_object_it_is_about() {
    let server = ApiServer::shared().await.unwrap();
    let client = server.client().await.unwrap();
    let namespace = server.create_namespace("events").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), &namespace);
    let metadata = ObjectMeta { name: Some("subject".into()), ..ObjectMeta::default() };
    let subject =
        maps.create(&PostParams::default(), &ConfigMap { metadata, ..ConfigMap::default() }).await.unwrap();
    let events = Events::start(client.clone(), CLUSTER_OPERATOR, "operator-0");
    events.publish(Note {
        regarding: reference(&subject),
        related: None,
        reason: "ManualRollingUpdate".into(),
        action: POD_RESTART.into(),
        text: "x".repeat(5000),
        severity: Severity::Normal,
    });
    let api: Api<Event> = Api::namespaced(client, &namespace);
    let event = wait::until(Duration::from_secs(30), "the event is there", || async {
        api.list(&ListParams::default()).await.unwrap().items.into_iter().next()
    });
    let event = event.await.unwrap();
    assert!(event.metadata.name.unwrap().starts_with("strimzi-event"));
    assert_eq!(event.regarding.unwrap().uid, subject.metadata.uid);
    assert_eq!(event.reason.as_deref(), Some("ManualRollingUpdate"));
    assert_eq!(event.reporting_controller.as_deref(), Some("strimzi.io/cluster-operator"));
    assert!(event.note.unwrap().len() <= 1000);
}
