//! What exists in Kafka without a resource, and what was changed there.

use std::collections::{BTreeMap, HashSet};

use kafka_admin::{
    AclBinding, AclFilter, AclOperation, Admin, AdminConfig, PatternType, Permission, QuotaEntity, QuotaName,
    ResourceType, ScramChange, ScramMechanism,
};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World};

fn acl(principal: &str) -> AclBinding {
    AclBinding {
        resource_type: ResourceType::Topic,
        resource_name: "foreign".into(),
        pattern: PatternType::Literal,
        principal: principal.into(),
        host: "*".into(),
        operation: AclOperation::Read,
        permission: Permission::Allow,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn users_without_a_resource_are_removed_but_nothing_that_is_not_a_users() {
    let w = World::get().await;
    let kept = ["User:*", "User:CN=my-kafka,O=io.strimzi", "User:ignored-a", "User:CN=ignored-b"];
    let removed = ["User:stranger", "User:CN=stranger"];
    let all = kept.iter().chain(&removed).map(|principal| acl(principal));
    for outcome in w.admin.create_acls(all).await.unwrap().into_values() {
        outcome.unwrap();
    }
    let quota = BTreeMap::from([("producer_byte_rate".to_owned(), Some(1e6))]);
    let default = QuotaEntity { user: Some(QuotaName::Default), ..QuotaEntity::default() };
    let client = QuotaEntity { client_id: Some(QuotaName::Named("c".into())), ..QuotaEntity::default() };
    let pair = QuotaEntity { client_id: Some(QuotaName::Named("c".into())), ..QuotaEntity::user("stranger") };
    let entities = [default.clone(), client.clone(), pair.clone(), QuotaEntity::user("stranger")];
    let changes = entities.iter().map(|entity| (entity.clone(), quota.clone())).collect();
    for outcome in w.admin.alter_client_quotas(changes, false).await.unwrap().into_values() {
        outcome.unwrap();
    }
    let mut upserts = Vec::new();
    for user in ["stranger", "ignored-a"] {
        upserts.push(ScramChange::Upsert {
            user: user.into(),
            mechanism: ScramMechanism::Sha512,
            iterations: 4096,
            password: "p".into(),
        });
    }
    for outcome in w.admin.alter_scram_credentials(upserts).await.unwrap().into_values() {
        outcome.unwrap();
    }
    w.gone_from_kafka("stranger").await;
    w.passes(2.0).await;
    for principal in kept {
        assert_eq!(w.acls(&principal["User:".len()..]).await.len(), 1, "{principal}");
    }
    assert!(w.has_password("ignored-a").await);
    let quotas = w.admin.describe_client_quotas().await.unwrap();
    for entity in [default, client, pair] {
        assert!(quotas.contains_key(&entity), "{entity:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_made_in_kafka_are_undone_and_changes_of_the_resource_replace_rules() {
    let w = World::get().await;
    let rules = |operations: &[&str]| {
        json!({"type": "simple", "acls": [
            {"resource": {"type": "topic", "name": "drift"}, "operations": operations, "host": "10.0.0.1"},
            {"resource": {"type": "cluster"}, "operations": ["All"], "type": "deny"},
            {"resource": {"type": "transactionalId", "name": "t", "patternType": "prefix"}, "operations": ["Write"]},
        ]})
    };
    w.create("drift", json!({"authorization": rules(&["Read"]), "quotas": {"controllerMutationRate": 2.5}}))
        .await;
    w.ready("drift").await;
    let wanted = w.until_rules("drift", 3).await;
    assert!(
        wanted
            .iter()
            .any(|rule| rule.permission == Permission::Deny && &*rule.resource_name == "kafka-cluster")
    );
    w.until_quotas("drift", &[("controller_mutation_rate", 2.5)]).await;

    w.admin.delete_acls([AclFilter::from(&wanted[0])]).await.unwrap();
    w.admin.create_acls([acl("User:drift")]).await.unwrap();
    wait::until(DEADLINE, "the rules are as they were", || async {
        (w.acls("drift").await == wanted).then_some(())
    })
    .await
    .unwrap();

    w.patch("drift", json!({"spec": {"authorization": rules(&["Write", "Describe"]), "quotas": null}})).await;
    w.ready("drift").await;
    wait::until(DEADLINE, "the rules and quotas are the new ones", || async {
        let operations = w.acls("drift").await.iter().filter(|rule| &*rule.resource_name == "drift").count();
        (operations == 2 && w.quotas("drift").await.is_empty()).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_resource_and_quota_reaches_kafka() {
    let w = World::get().await;
    let operations = [
        "Read",
        "Write",
        "Create",
        "Delete",
        "Alter",
        "Describe",
        "ClusterAction",
        "AlterConfigs",
        "DescribeConfigs",
        "IdempotentWrite",
        "All",
    ];
    let resources = [
        json!({"type": "topic", "name": "t"}),
        json!({"type": "topic", "name": "*"}),
        json!({"type": "group", "name": "g", "patternType": "prefix"}),
        json!({"type": "transactionalId", "name": "x", "patternType": "literal"}),
        json!({"type": "cluster"}),
    ];
    let acls: Vec<_> = resources
        .iter()
        .map(|resource| json!({"resource": resource, "operations": operations, "host": "10.1.2.3"}))
        .collect();
    let quotas = json!({
        "producerByteRate": 1_048_576, "consumerByteRate": 2_097_152,
        "requestPercentage": 155, "controllerMutationRate": 10.5,
    });
    w.create(
        "everything",
        json!({"authentication": {"type": "tls-external"}, "authorization": {"type": "simple", "acls": acls}, "quotas": quotas}),
    )
    .await;
    w.ready("everything").await;
    let rules = w.until_rules("CN=everything", resources.len() * operations.len()).await;
    for resource_type in
        [ResourceType::Topic, ResourceType::Group, ResourceType::TransactionalId, ResourceType::Cluster]
    {
        let found: Vec<AclOperation> = rules
            .iter()
            .filter(|rule| {
                rule.resource_type == resource_type && rule.host == "10.1.2.3" && &*rule.resource_name != "*"
            })
            .map(|rule| rule.operation)
            .collect();
        assert_eq!(found.len(), operations.len(), "{resource_type:?}");
    }
    assert!(rules.iter().any(|rule| &*rule.resource_name == "g" && rule.pattern == PatternType::Prefixed));
    let quotas = [
        ("consumer_byte_rate", 2_097_152.0),
        ("controller_mutation_rate", 10.5),
        ("producer_byte_rate", 1_048_576.0),
        ("request_percentage", 155.0),
    ];
    w.until_quotas("CN=everything", &quotas).await;
    w.delete("everything").await;
    w.gone_from_kafka("everything").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_are_too_many_for_one_answer_are_read_user_by_user() {
    let w = World::own().await;
    let bootstrap = [w.node.bootstrap()];
    let names = ["User:first", "User:CN=second", "User:unknown"];
    let mut rules: Vec<AclBinding> = Vec::new();
    for principal in names {
        rules.extend((0..20).map(|i| AclBinding {
            resource_name: format!("{i}-{}{}", "x".repeat(1000), &principal["User:".len()..]).into(),
            ..acl(principal)
        }));
    }
    for outcome in w.admin.create_acls(rules).await.unwrap().into_values() {
        outcome.unwrap();
    }
    let narrow = AdminConfig::brokers(bootstrap).with_max_answer_bytes(40_000);
    let narrow = Admin::new(narrow).unwrap();
    let known = || HashSet::from(["first".to_owned(), "CN=second".to_owned(), "third".to_owned()]);
    let w = &w;
    wait::until(DEADLINE, "the broker knows all rules", || async move {
        (w.acls("first").await.len() + w.acls("CN=second").await.len() == 40).then_some(())
    })
    .await
    .unwrap();
    let reading = user_operator::snapshot::read(&narrow, true, known).await.unwrap();
    assert!(reading.user_by_user);
    for username in ["first", "CN=second"] {
        assert_eq!(reading.held(username).unwrap().rules.len(), 20, "{username}");
    }
    assert!(reading.held("unknown").is_none());
    let whole = user_operator::snapshot::read(&w.admin, true, known).await.unwrap();
    assert!(!whole.user_by_user && whole.held("unknown").is_some());
}
