//! Kafka's default quotas of users are what the resource says while it says something, and are gone when it does not.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_admin::QuotaEntity;
use serde_json::{Value, json};
use test_support::wait;

use crate::world::World;

/// A broker shows what was changed a moment after the answer.
const DEADLINE: Duration = Duration::from_secs(30);

async fn by_hand(world: &World, entity: QuotaEntity, name: &str, value: f64) {
    let changes = BTreeMap::from([(entity.clone(), BTreeMap::from([(name.to_owned(), Some(value))]))]);
    let mut answer = world.admin.alter_client_quotas(changes, false).await.unwrap();
    answer.remove(&entity).unwrap().unwrap();
    let entity = &entity;
    wait::until(DEADLINE, &format!("{name} is {value}"), || async move {
        let all = world.admin.describe_client_quotas().await.unwrap();
        (all.get(entity)?.get(name) == Some(&value)).then_some(())
    })
    .await
    .unwrap();
}

async fn has_quotas(world: &World, wanted: &BTreeMap<String, f64>) {
    wait::until(DEADLINE, &format!("the default quotas are {wanted:?}"), || async move {
        (world.admin.describe_default_user_quotas().await.unwrap() == *wanted).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn default_quotas_come_stay_and_go_with_the_section() {
    let mut world = World::start(&[]).await;
    // Before there is a section they are whoever's set them, and those of single users always are.
    by_hand(&world, QuotaEntity::default_user(), "consumer_byte_rate", 5.0).await;
    by_hand(&world, QuotaEntity::user("me"), "producer_byte_rate", 6.0).await;
    world.pass().await;
    has_quotas(&world, &BTreeMap::from([("consumer_byte_rate".to_owned(), 5.0)])).await;

    let section = json!({"type": "kafka", "producerByteRate": 1000, "controllerMutationRate": 10.5});
    world.paper.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = section);
    // First the pod sets remember it.
    assert!(world.pass().await.calls.is_empty());
    world.pass().await;
    let wanted: BTreeMap<String, f64> =
        [("producer_byte_rate".to_owned(), 1000.0), ("controller_mutation_rate".to_owned(), 10.5)].into();
    has_quotas(&world, &wanted).await;
    by_hand(&world, QuotaEntity::default_user(), "producer_byte_rate", 7.0).await;
    world.pass().await;
    has_quotas(&world, &wanted).await;
    assert!(world.pass().await.calls.is_empty(), "what is right is left alone");

    world.paper.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = Value::Null);
    world.pass().await;
    has_quotas(&world, &BTreeMap::new()).await;
    world.pass().await;
    by_hand(&world, QuotaEntity::default_user(), "request_percentage", 9.0).await;
    world.pass().await;
    has_quotas(&world, &BTreeMap::from([("request_percentage".to_owned(), 9.0)])).await;
    let all = world.admin.describe_client_quotas().await.unwrap();
    let of_me = BTreeMap::from([("producer_byte_rate".to_owned(), 6.0)]);
    assert_eq!(all[&QuotaEntity::user("me")], of_me, "others are never touched");
}
