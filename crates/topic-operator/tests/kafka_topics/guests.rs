use api::KafkaTopic;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{DeleteParams, ObjectMeta, PostParams},
};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World, condition, create_in, is_ready};

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_in_another_namespace_is_served_once_that_namespace_grants_it() {
    let mut w = World::with(&[crate::world::kafka().await.bootstrap()]).await;
    let team = w.server.create_namespace("team").await.unwrap();
    w.set("KASTELLAN_TOPIC_NAMESPACES", &format!("{team}={team}."));
    w.start_operator().await;
    let topics: Api<KafkaTopic> = Api::namespaced(w.client.clone(), &team);
    let topic = format!("{team}.orders");
    create_in(&topics, "orders", json!({ "topicName": topic }), json!({})).await;
    create_in(&topics, "greedy", json!({"topicName": w.topic("not-theirs")}), json!({})).await;
    let refused = |text: &'static str| {
        move |t: &KafkaTopic| {
            condition(t, "Ready")
                .is_some_and(|c| c.status == "False" && c.message.as_ref().is_some_and(|m| m.contains(text)))
        }
    };
    wait::for_object(&topics, "orders", DEADLINE, "is refused", refused("kastellan-topic-grant"))
        .await
        .unwrap();
    assert!(w.in_kafka(&topic).await.is_none());

    let maps: Api<ConfigMap> = Api::namespaced(w.client.clone(), &team);
    let grant = ConfigMap {
        metadata: ObjectMeta { name: Some("kastellan-topic-grant".into()), ..ObjectMeta::default() },
        data: Some([("clusters".to_owned(), format!("{}/my", w.namespace))].into()),
        ..ConfigMap::default()
    };
    maps.create(&PostParams::default(), &grant).await.unwrap();
    wait::for_object(&topics, "orders", DEADLINE, "is ready", is_ready).await.unwrap();
    w.until_exists(&topic).await;
    wait::for_object(&topics, "greedy", DEADLINE, "is refused", refused("have to start with")).await.unwrap();

    // Without the grant nothing is deleted any more, and nothing is held up.
    maps.delete("kastellan-topic-grant", &DeleteParams::default()).await.unwrap();
    wait::for_object(&topics, "orders", DEADLINE, "is refused", refused("kastellan-topic-grant"))
        .await
        .unwrap();
    topics.delete("orders", &DeleteParams::default()).await.unwrap();
    wait::for_absence(&topics, "orders", DEADLINE).await.unwrap();
    assert!(w.in_kafka(&topic).await.is_some());
}
