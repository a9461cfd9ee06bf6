//! Kafka's default quotas of users are what the resource says while it says something, and are gone when it does not.

use std::collections::BTreeMap;

use kafka_admin::QuotaEntity;
use serde_json::{Value, json};

use crate::world::World;

async fn by_hand(world: &World, entity: QuotaEntity, name: &str, value: f64) {
    let changes = BTreeMap::from([(entity.clone(), BTreeMap::from([(name.to_owned(), Some(value))]))]);
    let mut answer = world.admin.alter_client_quotas(changes, false).await.unwrap();
    answer.remove(&entity).unwrap().unwrap();
}

async fn quotas(world: &World) -> BTreeMap<String, f64> {
    world.admin.describe_default_user_quotas().await.unwrap()
}

#[tokio::test]
async fn default_quotas_come_stay_and_go_with_the_section() {
    let mut world = World::start(&[]).await;
    // Before there is a section they are whoever's set them, and those of single users always are.
    by_hand(&world, QuotaEntity::default_user(), "consumer_byte_rate", 5.0).await;
    by_hand(&world, QuotaEntity::user("me"), "producer_byte_rate", 6.0).await;
    world.pass().await;
    assert_eq!(quotas(&world).await, BTreeMap::from([("consumer_byte_rate".to_owned(), 5.0)]));

    let section = json!({"type": "kafka", "producerByteRate": 1000, "controllerMutationRate": 10.5});
    world.paper.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = section);
    world.pass().await;
    let wanted: BTreeMap<String, f64> =
        [("producer_byte_rate".to_owned(), 1000.0), ("controller_mutation_rate".to_owned(), 10.5)].into();
    assert_eq!(quotas(&world).await, wanted);
    by_hand(&world, QuotaEntity::default_user(), "producer_byte_rate", 7.0).await;
    world.pass().await;
    assert_eq!(quotas(&world).await, wanted);
    assert!(world.pass().await.calls.is_empty(), "what is right is left alone");

    world.paper.kafka(|kafka| kafka["spec"]["kafka"]["quotas"] = Value::Null);
    world.pass().await;
    assert_eq!(quotas(&world).await, BTreeMap::new());
    world.pass().await;
    by_hand(&world, QuotaEntity::default_user(), "request_percentage", 9.0).await;
    world.pass().await;
    assert_eq!(quotas(&world).await, BTreeMap::from([("request_percentage".to_owned(), 9.0)]));
    let all = world.admin.describe_client_quotas().await.unwrap();
    let of_me = BTreeMap::from([("producer_byte_rate".to_owned(), 6.0)]);
    assert_eq!(all[&QuotaEntity::user("me")], of_me, "others are never touched");
}
