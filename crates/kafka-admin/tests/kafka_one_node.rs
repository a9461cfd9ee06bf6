//! Every call that one node can answer, against a real Kafka.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use common::{admin, node, some};
use kafka_admin::{
    AclBinding, AclFilter, AclOperation, Admin, AdminConfig, AdminError, ConfigChange, ConfigResource,
    ConfigSelection, ConfigSource, Election, ErrorCode, FeatureUpdate, FeatureUpdateKind, NewPartitions,
    NewTopic, PatternType, Permission, QuotaEntity, QuotaName, ResourceType, Sasl, ScramChange,
    ScramMechanism, TlsConfig, TopicPartition,
};
use test_support::wait::until;

// A broker needs some milliseconds for each new partition, and tests share the machine.
const SOON: Duration = Duration::from_mins(2);

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}-{index:04}")).collect()
}

fn topic(name: &str, partitions: i32) -> NewTopic {
    NewTopic { partitions: Some(partitions), replication_factor: Some(1), ..NewTopic::new(name) }
}

#[tokio::test]
async fn two_thousand_topics_are_created_listed_described_and_deleted_with_few_requests() {
    let admin = admin();
    let names = names("many", 2_000);
    let retention = BTreeMap::from([("retention.ms".to_owned(), "3600000".to_owned())]);
    let topics = names.iter().map(|name| NewTopic { configs: retention.clone(), ..topic(name, 1) }).collect();
    admin.describe_cluster().await.unwrap();

    let before = admin.requests_sent();
    let began = Instant::now();
    let created = admin.create_topics(topics, false).await.unwrap();
    eprintln!("2,000 topics created in {:?}", began.elapsed());
    assert_eq!(created.len(), 2_000);
    assert!(created.values().all(Result::is_ok), "{:?}", created.values().find(|outcome| outcome.is_err()));
    assert!(admin.requests_sent() - before <= 4, "{} requests", admin.requests_sent() - before);

    let all = until(SOON, "all topics are listed", || async {
        let all = admin.list_topics().await.unwrap();
        names.iter().all(|name| all.contains_key(name)).then_some(all)
    });
    let all = all.await.unwrap();
    assert_eq!(Some(all["many-0000"].id), some(&created["many-0000"]).map(|topic| topic.id));

    let before = admin.requests_sent();
    admin.list_topics().await.unwrap();
    assert_eq!(admin.requests_sent() - before, 1);
    let described = admin.describe_topics(names.iter().cloned()).await.unwrap();
    assert_eq!(described.len(), 2_000);
    assert!(described.values().all(|topic| topic.as_ref().is_ok_and(|topic| topic.partitions.len() == 1)));
    let resources = names.iter().cloned().map(ConfigResource::Topic);
    let configs = admin.describe_configs(resources, ConfigSelection::Dynamic).await.unwrap();
    assert_eq!(configs.len(), 2_000);
    for (resource, entries) in &configs {
        let entries = entries.as_ref().unwrap();
        assert_eq!(entries.keys().collect::<Vec<_>>(), ["retention.ms"], "{resource:?}");
        assert_eq!(entries["retention.ms"].value.as_deref(), Some("3600000"));
        assert_eq!(entries["retention.ms"].source, ConfigSource::DynamicTopic);
    }
    assert!(admin.requests_sent() - before <= 1 + 1 + 2, "{} requests", admin.requests_sent() - before);

    let changes = names.iter().map(|name| {
        (ConfigResource::Topic(name.clone()), vec![ConfigChange::set("retention.ms", "7200000")])
    });
    let altered = admin.incremental_alter_configs(changes.collect(), false).await.unwrap();
    assert!(altered.len() == 2_000 && altered.values().all(Result::is_ok));
    let deleted = admin.delete_topics(names.iter().cloned()).await.unwrap();
    assert!(deleted.len() == 2_000 && deleted.values().all(Result::is_ok));
    until(SOON, "no topic is left", || async {
        let all = admin.list_topics().await.unwrap();
        (!all.keys().any(|name| name.starts_with("many-"))).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn each_topic_of_a_batch_has_its_own_result() {
    let admin = admin();
    let too_wide = NewTopic { replication_factor: Some(5), ..topic("batch-wide", 1) };
    let odd = NewTopic {
        configs: BTreeMap::from([("no.such.key".to_owned(), "1".to_owned())]),
        ..topic("batch-odd", 1)
    };
    let topics =
        vec![topic("batch-good", 3), too_wide, odd, topic("batch bad name", 1), topic("batch-zero", 0)];
    let created = admin.create_topics(topics.clone(), false).await.unwrap();
    let exception = |name: &str| created[name].as_ref().unwrap_err().exception();
    assert_eq!(created["batch-good"].as_ref().unwrap().partitions, 3);
    assert_eq!(created["batch-good"].as_ref().unwrap().replication_factor, 1);
    assert_eq!(exception("batch-wide"), "InvalidReplicationFactorException");
    assert_eq!(exception("batch-odd"), "InvalidConfigurationException");
    assert_eq!(exception("batch bad name"), "InvalidTopicException");
    assert_eq!(exception("batch-zero"), "InvalidPartitionsException");
    assert!(created["batch-wide"].as_ref().unwrap_err().message.contains('5'));

    let again = admin.create_topics(topics, false).await.unwrap();
    assert_eq!(again["batch-good"].as_ref().unwrap_err().code, ErrorCode::TOPIC_ALREADY_EXISTS);
    let deleted = admin.delete_topics(["batch-good".to_owned(), "batch-none".to_owned()]).await.unwrap();
    assert_eq!(deleted["batch-good"], Ok(()));
    assert_eq!(deleted["batch-none"].as_ref().unwrap_err().code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
}

#[tokio::test]
async fn a_validated_topic_is_not_created_and_a_described_one_that_is_missing_says_so() {
    let admin = admin();
    let created = admin.create_topics(vec![topic("validated", 1)], true).await.unwrap();
    assert!(created["validated"].is_ok());
    let described = admin.describe_topics(["validated".to_owned()]).await.unwrap();
    assert_eq!(described["validated"].as_ref().unwrap_err().exception(), "UnknownTopicOrPartitionException");
}

#[tokio::test]
async fn partitions_are_added_and_assignments_and_defaults_are_honoured() {
    let admin = admin();
    let assigned =
        NewTopic { assignments: BTreeMap::from([(0, vec![0]), (1, vec![0])]), ..NewTopic::new("grow") };
    let created = admin.create_topics(vec![assigned, NewTopic::new("defaults")], false).await.unwrap();
    assert_eq!(created["grow"].as_ref().unwrap().partitions, 2);
    assert_eq!(created["defaults"].as_ref().unwrap().partitions, 1);

    let grow = |count| NewPartitions { topic: "grow".to_owned(), total_count: count, assignments: vec![] };
    assert_eq!(admin.create_partitions(vec![grow(5)], true).await.unwrap()["grow"], Ok(()));
    assert_eq!(admin.create_partitions(vec![grow(4)], false).await.unwrap()["grow"], Ok(()));
    let fewer = admin.create_partitions(vec![grow(1)], false).await.unwrap();
    assert_eq!(fewer["grow"].as_ref().unwrap_err().exception(), "InvalidPartitionsException");
    let described = until(SOON, "the topic has four partitions with leaders", || async {
        let described = admin.describe_topics(["grow".to_owned()]).await.unwrap().remove("grow")?.ok()?;
        (described.partitions.len() == 4
            && described.partitions.iter().all(|partition| partition.leader == Some(0)))
        .then_some(described)
    });
    let described = described.await.unwrap();
    assert_eq!(described.replication_factor(), 1);
    assert_eq!(
        described.partitions.iter().map(|partition| partition.index).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!(described.partitions[3].isr, [0]);
}

#[tokio::test]
async fn configuration_of_topics_brokers_loggers_and_the_cluster_is_altered_and_described() {
    let admin = admin();
    admin.create_topics(vec![topic("configured", 1)], false).await.unwrap()["configured"].as_ref().unwrap();
    let of_topic = ConfigResource::Topic("configured".to_owned());
    let logger = "kafka.server.KafkaApis";
    let changes = BTreeMap::from([
        (
            of_topic.clone(),
            vec![ConfigChange::set("cleanup.policy", "compact"), ConfigChange::set("retention.ms", "5")],
        ),
        (ConfigResource::Broker(0), vec![ConfigChange::set("log.cleaner.threads", "2")]),
        (ConfigResource::ClusterDefault, vec![ConfigChange::set("message.max.bytes", "2000000")]),
        (ConfigResource::BrokerLogger(0), vec![ConfigChange::set(logger, "WARN")]),
    ]);
    let altered = admin.incremental_alter_configs(changes, false).await.unwrap();
    assert_eq!(altered.len(), 4);
    assert!(altered.values().all(Result::is_ok), "{altered:?}");

    until(SOON, "the new values are in force", || async {
        let wanted = ["cleanup.policy", "retention.ms", "log.cleaner.threads", "message.max.bytes", logger];
        let select = ConfigSelection::Names(wanted.map(str::to_owned).into());
        let resources = altered.keys().cloned();
        let found = admin.describe_configs(resources, select).await.unwrap();
        let value = |resource: &ConfigResource, name: &str| {
            let entry = found[resource].as_ref().ok()?.get(name)?;
            Some((entry.value.clone()?, entry.source))
        };
        let all = value(&of_topic, "cleanup.policy")? == ("compact".to_owned(), ConfigSource::DynamicTopic)
            && value(&ConfigResource::Broker(0), "log.cleaner.threads")?
                == ("2".to_owned(), ConfigSource::DynamicBroker)
            && value(&ConfigResource::ClusterDefault, "message.max.bytes")?
                == ("2000000".to_owned(), ConfigSource::DynamicDefaultBroker)
            && value(&ConfigResource::BrokerLogger(0), logger)?
                == ("WARN".to_owned(), ConfigSource::DynamicBrokerLogger);
        all.then_some(())
    })
    .await
    .unwrap();

    let back = BTreeMap::from([
        (of_topic.clone(), vec![ConfigChange::delete("retention.ms")]),
        (ConfigResource::Topic("not-there".to_owned()), vec![ConfigChange::set("retention.ms", "5")]),
        (ConfigResource::Broker(0), vec![ConfigChange::set("log.cleaner.threads", "many")]),
        (ConfigResource::Broker(77), vec![ConfigChange::set("log.cleaner.threads", "2")]),
    ]);
    let altered = admin.incremental_alter_configs(back, false).await.unwrap();
    assert_eq!(altered[&of_topic], Ok(()));
    let missing = altered[&ConfigResource::Topic("not-there".to_owned())].as_ref().unwrap_err();
    assert_eq!(missing.code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let wrong = altered[&ConfigResource::Broker(0)].as_ref().unwrap_err();
    assert!(wrong.message.contains("log.cleaner.threads"), "{wrong}");
    let unknown = altered[&ConfigResource::Broker(77)].as_ref().unwrap_err();
    assert!(unknown.message.contains("77"), "{unknown}");
    until(SOON, "only the other value is left on the topic", || async {
        let found = admin.describe_configs([of_topic.clone()], ConfigSelection::Dynamic).await.unwrap();
        let keys: Vec<_> = found[&of_topic].as_ref().unwrap().keys().cloned().collect();
        (keys == ["cleanup.policy"]).then_some(())
    })
    .await
    .unwrap();
    let all = admin.describe_configs([of_topic.clone()], ConfigSelection::All).await.unwrap();
    assert!(all[&of_topic].as_ref().unwrap().len() > 20);
}

#[tokio::test]
async fn access_rules_are_created_described_and_deleted_in_bulk() {
    let admin = admin();
    let rule = |user: usize, operation| AclBinding {
        resource_type: ResourceType::Topic,
        resource_name: format!("acl-{user}").into(),
        pattern: PatternType::Prefixed,
        principal: format!("User:CN=acl-{user}"),
        host: "*".to_owned(),
        operation,
        permission: Permission::Allow,
    };
    let rules: BTreeSet<_> = (0..500)
        .flat_map(|user| [rule(user, AclOperation::Read), rule(user, AclOperation::Describe)])
        .collect();
    let odd = AclBinding { principal: "nobody".to_owned(), ..rule(0, AclOperation::Read) };
    let before = admin.requests_sent();
    let created = admin.create_acls(rules.iter().cloned().chain([odd.clone()])).await.unwrap();
    assert!(admin.requests_sent() - before <= 3);
    assert_eq!(created.len(), 1_001);
    assert!(created[&odd].is_err(), "a principal without a type is refused");
    assert!(rules.iter().all(|rule| created[rule].is_ok()));

    let ours = |found: &BTreeSet<AclBinding>| -> BTreeSet<AclBinding> {
        found.iter().filter(|rule| rule.resource_name.starts_with("acl-")).cloned().collect()
    };
    until(SOON, "all rules are described", || async {
        (ours(&admin.describe_acls(AclFilter::any()).await.unwrap()) == rules).then_some(())
    })
    .await
    .unwrap();
    let of_one = admin.describe_acls(AclFilter::principal("User:CN=acl-7")).await.unwrap();
    assert_eq!(of_one, BTreeSet::from([rule(7, AclOperation::Read), rule(7, AclOperation::Describe)]));

    let exact = AclFilter::from(&rule(7, AclOperation::Read));
    let of_user = AclFilter::principal("User:CN=acl-8");
    let deleted = admin.delete_acls([exact.clone(), of_user.clone()]).await.unwrap();
    assert_eq!(deleted[&exact], Ok(BTreeSet::from([rule(7, AclOperation::Read)])));
    assert_eq!(deleted[&of_user].as_ref().unwrap().len(), 2);
    let rest = rules.iter().map(AclFilter::from);
    assert!(admin.delete_acls(rest).await.unwrap().values().all(Result::is_ok));
    until(SOON, "no rule is left", || async {
        ours(&admin.describe_acls(AclFilter::any()).await.unwrap()).is_empty().then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn quotas_are_set_described_and_removed() {
    let admin = admin();
    let user = QuotaEntity::user("CN=quota-user");
    let default_user = QuotaEntity { user: Some(QuotaName::Default), ..QuotaEntity::default() };
    let set = BTreeMap::from([
        (
            user.clone(),
            BTreeMap::from([
                ("producer_byte_rate".to_owned(), Some(1_048_576.0)),
                ("request_percentage".to_owned(), Some(55.0)),
                ("controller_mutation_rate".to_owned(), Some(10.5)),
            ]),
        ),
        (default_user.clone(), BTreeMap::from([("consumer_byte_rate".to_owned(), Some(1000.0))])),
    ]);
    let altered = admin.alter_client_quotas(set, false).await.unwrap();
    assert_eq!(altered, BTreeMap::from([(user.clone(), Ok(())), (default_user.clone(), Ok(()))]));
    until(SOON, "the quotas are described", || async {
        let found = admin.describe_client_quotas().await.unwrap();
        (found.get(&user)?.len() == 3 && found[&user]["controller_mutation_rate"] > 10.4).then_some(())?;
        (found.get(&default_user)?["consumer_byte_rate"] > 999.0).then_some(())
    })
    .await
    .unwrap();

    let wrong = BTreeMap::from([(user.clone(), BTreeMap::from([("no_such_quota".to_owned(), Some(1.0))]))]);
    let refused = admin.alter_client_quotas(wrong, false).await.unwrap();
    assert!(refused[&user].as_ref().unwrap_err().message.contains("no_such_quota"));
    let remove = ["producer_byte_rate", "request_percentage", "controller_mutation_rate"];
    let remove = BTreeMap::from([
        (user.clone(), remove.map(|key| (key.to_owned(), None)).into()),
        (default_user, BTreeMap::from([("consumer_byte_rate".to_owned(), None)])),
    ]);
    assert!(admin.alter_client_quotas(remove, false).await.unwrap().values().all(Result::is_ok));
    until(SOON, "the quotas are gone", || async {
        (!admin.describe_client_quotas().await.unwrap().contains_key(&user)).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_user_with_a_scram_password_can_log_in_until_it_is_removed() {
    let admin = admin();
    let upsert = |user: &str, mechanism, iterations| ScramChange::Upsert {
        user: user.to_owned(),
        mechanism,
        iterations,
        password: "open, sesame=1".to_owned(),
    };
    let changes = vec![
        upsert("scram,user", ScramMechanism::Sha512, 4096),
        upsert("scram,user", ScramMechanism::Sha256, 8192),
        upsert("scram-weak", ScramMechanism::Sha512, 10),
        ScramChange::Delete { user: "scram-none".to_owned(), mechanism: ScramMechanism::Sha512 },
    ];
    let altered = admin.alter_scram_credentials(changes).await.unwrap();
    assert_eq!(altered["scram,user"], Ok(()));
    assert!(altered["scram-weak"].as_ref().unwrap_err().message.contains("iterations"), "{altered:?}");
    assert_eq!(altered["scram-none"].as_ref().unwrap_err().code, ErrorCode::RESOURCE_NOT_FOUND);
    let both = BTreeMap::from([(ScramMechanism::Sha256, 8192), (ScramMechanism::Sha512, 4096)]);
    until(SOON, "the user is described with both mechanisms", || async {
        let known = admin.describe_scram_credentials().await.unwrap().remove("scram,user")?;
        (known == Ok(both.clone())).then_some(())
    })
    .await
    .unwrap();

    let client = |sasl| {
        let config =
            AdminConfig::brokers([node().scram_bootstrap()]).with_tls(TlsConfig::new(node().ca_pem()));
        Admin::new(config.with_sasl(sasl)).unwrap()
    };
    let (username, password) = ("scram,user".to_owned(), "open, sesame=1".to_owned());
    let good = [
        Sasl::ScramSha512 { username: username.clone(), password: password.clone() },
        Sasl::ScramSha256 { username: username.clone(), password: password.clone() },
    ];
    for sasl in good {
        assert_eq!(client(sasl).describe_cluster().await.unwrap().nodes.len(), 1);
    }
    let wrong = Sasl::ScramSha512 { username: username.clone(), password: "wrong".to_owned() };
    let error = client(wrong).describe_cluster().await.unwrap_err();
    assert!(matches!(error, AdminError::Authentication { .. }) && !error.is_retriable(), "{error}");
    assert!(error.to_string().contains("refused the login with SCRAM-SHA-512"), "{error}");
    let error =
        client(Sasl::Plain { username: username.clone(), password }).describe_cluster().await.unwrap_err();
    assert!(error.to_string().contains("offers only ["), "{error}");

    let delete = |mechanism| ScramChange::Delete { user: username.clone(), mechanism };
    let gone = vec![delete(ScramMechanism::Sha512), delete(ScramMechanism::Sha256)];
    assert_eq!(admin.alter_scram_credentials(gone).await.unwrap()[&username], Ok(()));
    until(SOON, "the user is gone", || async {
        (!admin.describe_scram_credentials().await.unwrap().contains_key(&username)).then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn tls_works_with_the_right_certificates_and_explains_the_wrong_ones() {
    let node = node();
    let config = |tls| AdminConfig::brokers([node.tls_bootstrap()]).with_tls(tls);
    let identity = |name| node.client_identity(name).unwrap();
    let with = |tls: TlsConfig, name| {
        let identity = identity(name);
        tls.with_identity(identity.certificate, identity.key)
    };
    let good = with(TlsConfig::new(node.ca_pem()), "admin");
    let admin = Admin::new(config(good.clone())).unwrap();
    assert_eq!(admin.describe_cluster().await.unwrap().cluster_id.len(), 22);

    let stranger = test_support::kafka::Authority::new("stranger").unwrap();
    let wrong_ca = with(TlsConfig::new(stranger.certificate()), "admin");
    let error = Admin::new(config(wrong_ca)).unwrap().describe_cluster().await.unwrap_err();
    assert!(matches!(error, AdminError::Tls { .. }) && !error.is_retriable(), "{error}");
    assert!(error.to_string().contains("not signed by a trusted certificate authority"), "{error}");
    assert!(error.to_string().contains(&node.tls_bootstrap()), "{error}");

    let unknown = stranger.client("admin").unwrap();
    let unknown = TlsConfig::new(node.ca_pem()).with_identity(unknown.certificate, unknown.key);
    for tls in [unknown, TlsConfig::new(node.ca_pem())] {
        let error = Admin::new(config(tls)).unwrap().describe_cluster().await.unwrap_err();
        assert!(error.to_string().contains("check the client certificate"), "{error}");
    }
    let plain = AdminConfig::brokers([node.tls_bootstrap()]).with_request_timeout(Duration::from_secs(1));
    let error = Admin::new(plain).unwrap().describe_cluster().await.unwrap_err();
    assert!(error.to_string().contains("is this a listener with tls"), "{error}");
    let plain =
        AdminConfig::brokers([node.bootstrap()]).with_request_timeout(Duration::from_secs(1)).with_tls(good);
    let error = Admin::new(plain).unwrap().describe_cluster().await.unwrap_err();
    assert!(error.to_string().contains("is this a listener with tls"), "{error}");
}

#[tokio::test]
async fn a_new_identity_is_used_without_a_new_client() {
    let node = node();
    let tls = |name: &str| {
        let identity = node.client_identity(name).unwrap();
        TlsConfig::new(node.ca_pem()).with_identity(identity.certificate, identity.key)
    };
    let admin = Admin::new(AdminConfig::brokers([node.tls_bootstrap()]).with_tls(tls("nobody"))).unwrap();
    let error = admin.describe_acls(AclFilter::any()).await.unwrap_err();
    assert_eq!(error.kafka_error().unwrap().exception(), "ClusterAuthorizationException");
    admin.update_tls(&tls("admin")).unwrap();
    admin.describe_acls(AclFilter::any()).await.unwrap();
    assert!(admin.update_tls(&TlsConfig::new("broken")).is_err());
    admin.describe_acls(AclFilter::any()).await.unwrap();
}

#[tokio::test]
async fn a_replica_moves_between_the_disks_of_a_broker() {
    let admin = admin();
    admin.create_topics(vec![topic("disks", 1)], false).await.unwrap()["disks"].as_ref().unwrap();
    let partition = TopicPartition::new("disks", 0);
    let place = || async {
        let dirs = admin.describe_log_dirs([0]).await.unwrap().remove(&0).unwrap().unwrap();
        assert_eq!(dirs.len(), 2);
        assert!(dirs.iter().all(|dir| dir.error.is_none() && dir.total_bytes.is_some_and(|bytes| bytes > 0)));
        dirs.into_iter().find(|dir| dir.replicas.get(&partition).is_some_and(|replica| !replica.future))
    };
    let first = until(SOON, "the replica is on a disk", place).await.unwrap().path;
    let (one, two) = (node().log_dir(0).display().to_string(), node().log_dir(1).display().to_string());
    let other = if first == one { two } else { one };
    let moved =
        admin.alter_replica_log_dirs(0, BTreeMap::from([(partition.clone(), other.clone())])).await.unwrap();
    assert_eq!(moved[&partition], Ok(()));
    until(SOON, "the replica is on the other disk", || async {
        place().await.is_some_and(|dir| dir.path == other).then_some(())
    })
    .await
    .unwrap();
    let absent = admin.describe_log_dirs([0, 55]).await.unwrap();
    assert!(absent[&0].is_ok() && matches!(absent[&55], Err(AdminError::UnknownNode(55))));
}

#[tokio::test]
async fn an_election_that_is_not_needed_is_a_success() {
    let admin = admin();
    admin.create_topics(vec![topic("elected", 1)], false).await.unwrap()["elected"].as_ref().unwrap();
    let partitions = vec![TopicPartition::new("elected", 0), TopicPartition::new("not-there", 0)];
    let elected = admin.elect_leaders(Election::Preferred, Some(partitions.clone())).await.unwrap();
    assert_eq!(elected[&partitions[0]], Ok(()));
    assert!(elected[&partitions[1]].is_err());
    admin.elect_leaders(Election::Preferred, None).await.unwrap();
}

#[tokio::test]
async fn cluster_features_and_quorum_are_described_by_broker_and_by_controller() {
    let controllers = Admin::new(AdminConfig::controllers([node().controller_bootstrap()])).unwrap();
    for admin in [admin(), controllers] {
        let cluster = admin.describe_cluster().await.unwrap();
        assert_eq!((cluster.controller_id, cluster.nodes.len()), (Some(0), 1));
        let features = admin.describe_features().await.unwrap();
        let level = features.finalized["metadata.version"];
        assert!(level >= 25 && features.supported["metadata.version"].1 >= level, "{features:?}");
        let quorum = admin.describe_quorum().await.unwrap();
        assert_eq!(quorum.leader_id, Some(0));
        assert_eq!(quorum.voters.len(), 1);
        assert_eq!(quorum.voters[0].directory_id.map(kafka_admin::format_uuid), node().directory_id().ok());
        assert_eq!(quorum.endpoints[&0][0].port, node().controller_port());
        assert!(quorum.voters[0].log_end_offset > 0 && quorum.voters[0].lag == 0);

        let update = |level| {
            vec![FeatureUpdate {
                name: "metadata.version".to_owned(),
                level,
                kind: FeatureUpdateKind::Upgrade,
            }]
        };
        admin.update_features(update(level), true).await.unwrap();
        let error = admin.update_features(update(9_999), true).await.unwrap_err();
        assert!(error.kafka_error().unwrap().message.contains("9999"), "{error}");
        let error = admin.unregister_broker(99).await.unwrap_err();
        assert_eq!(error.kafka_error().unwrap().code, ErrorCode::BROKER_ID_NOT_REGISTERED);
        let error = admin.remove_raft_voter(9, kafka_admin::Uuid::from_u128(5)).await.unwrap_err();
        assert_eq!(error.kafka_error().unwrap().code, ErrorCode::VOTER_NOT_FOUND, "{error}");
        let default = BTreeMap::from([(
            ConfigResource::ClusterDefault,
            vec![ConfigChange::set("log.retention.check.interval.ms", "300000")],
        )]);
        let altered = admin.incremental_alter_configs(default, true).await.unwrap();
        assert_eq!(altered.len(), 1);
    }
}

#[tokio::test]
async fn a_hundred_calls_at_once_share_one_connection() {
    let admin = admin();
    admin.describe_cluster().await.unwrap();
    let before = admin.requests_sent();
    let calls = (0..100).map(|_| admin.describe_cluster());
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(admin.requests_sent() - before, 100, "a second connection would have sent more");
}
