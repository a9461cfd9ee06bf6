//! Writes of an operator that knows a resource as it was a moment ago.

use kube::api::DeleteParams;
use operator_runtime::env::Env;
use serde_json::json;
use topic_operator::{
    Settings,
    kubernetes::{Kubernetes, Projector, Written},
    metrics::TopicMetrics,
    status::{Verdict, compose},
    topic::TopicStatus,
};

use crate::world::{World, condition, has_finalizer, status};

/// What writes to the API server, and what turns its answers into what it writes about. Kafka has no part in this.
async fn world() -> (World, Kubernetes, Projector) {
    let w = World::with(&["127.0.0.1:1".to_owned()]).await;
    let settings = Settings::from_env(&Env::from_map(w.variables.clone())).unwrap();
    let projector = Projector::new(&w.namespace, [], settings.selector.clone());
    let metrics = TopicMetrics::new(&w.metrics, &settings).unwrap();
    let kubernetes = Kubernetes::new(w.client.clone(), projector.clone(), metrics);
    (w, kubernetes, projector)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_was_changed_meanwhile_gets_its_status_and_keeps_the_change() {
    let (w, kubernetes, projector) = world().await;
    let before = projector.project(w.create("t", json!({"partitions": 1})).await);
    let change = json!({"metadata": {"annotations": {"team": "blue"}}, "spec": {"partitions": 7}});
    w.patch("t", change).await;
    let new = TopicStatus {
        topic_name: Some("t".into()),
        ..compose(&before, &Verdict::Unmanaged, "2026-01-01T00:00:00Z")
    };
    let Written::Now(known) = kubernetes.write_status(&before, &new).await.unwrap() else { panic!("gone") };
    let now = w.resources.get("t").await.unwrap();
    assert_eq!((now.spec.partitions, status(&now).topic_name.as_deref()), (Some(7), Some("t")));
    assert_eq!(now.metadata.annotations.as_ref().unwrap()["team"], "blue");
    assert!(condition(&now, "Unmanaged").is_some());
    assert_eq!(now.metadata.resource_version.as_deref(), Some(&*known.resource_version));

    let less = compose(&known, &Verdict::Paused, "2026-01-01T00:00:00Z");
    kubernetes.write_status(&known, &TopicStatus { topic_name: None, ..less }).await.unwrap();
    let now = w.resources.get("t").await.unwrap();
    assert_eq!(status(&now).topic_name, None, "what a status no longer says goes");
    assert!(condition(&now, "Unmanaged").is_none() && condition(&now, "ReconciliationPaused").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finalizer_that_another_one_set_meanwhile_stays() {
    let (w, kubernetes, projector) = world().await;
    let before = projector.project(w.create("t", json!({})).await);
    w.patch("t", json!({"metadata": {"finalizers": ["example.com/other"]}})).await;
    kubernetes.set_finalizer(&before, true).await.unwrap();
    let now = w.resources.get("t").await.unwrap();
    assert!(has_finalizer(&now));
    assert!(now.metadata.finalizers.unwrap().contains(&"example.com/other".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_written_to_a_resource_that_has_the_name_of_one_that_is_gone() {
    let (w, kubernetes, projector) = world().await;
    let before = projector.project(w.create("t", json!({})).await);
    w.resources.delete("t", &DeleteParams::default()).await.unwrap();
    let new = compose(&before, &Verdict::Unmanaged, "2026-01-01T00:00:00Z");
    assert!(matches!(kubernetes.write_status(&before, &new).await, Ok(Written::Gone)));
    let successor = w.create("t", json!({})).await;
    assert!(matches!(kubernetes.write_status(&before, &new).await, Ok(Written::Gone)));
    assert!(matches!(kubernetes.set_finalizer(&before, true).await, Ok(Written::Gone)));
    let now = w.resources.get("t").await.unwrap();
    assert_eq!(now.metadata.resource_version, successor.metadata.resource_version);
}
