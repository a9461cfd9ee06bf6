//! Many resources that are lost at once, with the definition of their kind: without finalizers, their absence is all that is
//! seen.

use futures::future::join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::DeleteParams};
use operator_runtime::env::Env;
use serde_json::json;
use test_support::wait;
use topic_operator::{
    Settings,
    kubernetes::{Kubernetes, Projector},
    metrics::TopicMetrics,
};

use crate::world::{DEADLINE, World};

const TOPICS: usize = 60;
/// So many may go before it is suspicious.
const GONE_AT_ONCE: usize = 20;

async fn delete_the_definition(w: &World) {
    let definitions: Api<CustomResourceDefinition> = Api::all(w.client.clone());
    let name = "kafkatopics.kafka.strimzi.io";
    definitions.delete(name, &DeleteParams::default()).await.unwrap();
    wait::for_absence(&definitions, name, DEADLINE).await.unwrap();
    wait::until(DEADLINE, "the kind is not served any more", || async {
        w.resources.list(&kube::api::ListParams::default()).await.is_err().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_that_is_deleted_does_not_take_all_topics_along() {
    let mut w = World::alone(&[crate::world::kafka().await.bootstrap()]).await;
    w.set("STRIMZI_USE_FINALIZERS", "false");
    w.level = "DEBUG";
    w.start_operator().await;
    let names: Vec<String> = (0..TOPICS).map(|i| w.topic(&format!("t{i}"))).collect();
    join_all(names.iter().map(|name| w.create(name, json!({"partitions": 1})))).await;
    for name in &names {
        w.ready(name).await;
        w.until_exists(name).await;
    }
    delete_the_definition(&w).await;
    let held_back = || async {
        let log = w.log.text();
        (log.matches("the topic is not deleted now").count() == TOPICS - GONE_AT_ONCE).then_some(log)
    };
    let log = wait::until(DEADLINE, "all but a few topics are held back", held_back).await.unwrap();
    let all = w.admin.list_topics().await.unwrap();
    let left = names.iter().filter(|name| all.contains_key(*name)).count();
    assert!(left >= TOPICS - GONE_AT_ONCE, "{left} of {TOPICS} topics are left");
    assert!(log.contains("many KafkaTopics are gone at once"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_to_a_kind_that_is_not_served_tells_nothing_of_the_resource() {
    let w = World::alone(&["127.0.0.1:1".to_owned()]).await;
    let settings = Settings::from_env(&Env::from_map(w.variables.clone())).unwrap();
    let projector = Projector::new(&w.namespace, [], settings.selector.clone());
    let metrics = TopicMetrics::new(&w.metrics, &settings).unwrap();
    let kubernetes = Kubernetes::new(w.client.clone(), projector.clone(), metrics);
    let known = projector.project(w.create("t", json!({})).await);
    delete_the_definition(&w).await;
    kubernetes.set_finalizer(&known, true).await.unwrap_err();
    kubernetes.get(&known.reference).await.unwrap_err();
}
