//! What Kafka says before a restart of its quorum and its partitions, asked of real nodes, and what it refuses.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_operator::kafka::silent_brokers::SilentOfCluster;
use cluster_operator::kafka::{kafka_calls, roll_calls};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::need::SilenceKind;
use planner::kafka::observed::TieredTopics;
use planner::kafka::roll_view::{RollKafka, RollQuorum, RollVoter};
use test_support::kafka::{KafkaCluster, KafkaOptions, Roles};
use test_support::wait;

const DEADLINE: Duration = Duration::from_mins(1);

/// How long one call may take: longer than the brokers are asked alone.
const CALL: Duration = Duration::from_secs(5);

/// More than any node of a cluster that is well lags behind, on a busy machine too.
const FAR_MS: i64 = 4_000;

fn quorum(view: &RollKafka) -> Option<&RollQuorum> {
    view.quorum.as_ref().ok()?.as_ref()
}

fn ids(nodes: &[RollVoter]) -> BTreeSet<i32> {
    nodes.iter().map(|node| node.id).collect()
}

async fn look(brokers: Option<Admin>, controllers: Option<Admin>) -> RollKafka {
    roll_calls::roll_view(brokers, controllers, &SilentOfCluster::default()).await
}

/// Waits until Kafka's answer is as it should be.
async fn until(
    what: &str,
    brokers: &Admin,
    controllers: &Admin,
    right: impl Fn(&RollKafka) -> bool,
) -> RollKafka {
    let right = &right;
    let ask = || async {
        let view = look(Some(brokers.clone()), Some(controllers.clone())).await;
        right(&view).then_some(view)
    };
    wait::until(DEADLINE, what, ask).await.unwrap()
}

#[tokio::test]
async fn the_quorum_and_the_partitions_are_told_by_whoever_can_and_a_node_that_is_behind_is_seen() {
    let options = KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() };
    let mut cluster = KafkaCluster::start(3, options).await.unwrap();
    cluster.add(Roles::Broker).await.unwrap();
    let asking = |config: AdminConfig| Admin::new(config.with_request_timeout(CALL)).unwrap();
    let brokers = asking(AdminConfig::brokers(cluster.bootstrap()));
    let controllers = asking(AdminConfig::controllers(cluster.controller_bootstrap()));
    let mut spread = NewTopic { assignments: [(0, vec![0, 1, 2])].into(), ..NewTopic::new("spread") };
    spread.configs.insert("min.insync.replicas".to_owned(), "2".to_owned());
    let alone = NewTopic { assignments: [(0, vec![3])].into(), ..NewTopic::new("alone") };
    for created in brokers.create_topics(vec![spread, alone], false).await.unwrap().into_values() {
        created.unwrap();
    }

    let near = |node: &RollVoter| node.lag_ms.is_some_and(|lag| lag < FAR_MS);
    let view = until("all nodes are near", &brokers, &controllers, |view| {
        let all_near = |quorum: &RollQuorum| quorum.voters.iter().chain(&quorum.observers).all(near);
        let partitions = view.brokers.as_ref().map_or(0, |brokers| brokers.partitions.len());
        quorum(view).is_some_and(|quorum| quorum.observers.len() == 1 && all_near(quorum)) && partitions == 2
    });
    let view = view.await;
    let told = quorum(&view).unwrap();
    assert_eq!((ids(&told.voters), ids(&told.observers)), ([0, 1, 2].into(), [3].into()));
    assert!(told.dynamic && (0..3).contains(&told.leader), "{told:?}");
    let of_brokers = view.brokers.as_ref().unwrap();
    assert_eq!(of_brokers.registered.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3]);
    let partition = |name: &str| {
        let found = of_brokers.partitions.iter().find(|partition| partition.name == name).unwrap();
        (found.replicas.clone(), found.isr.len(), found.min_isr)
    };
    assert_eq!(partition("spread-0"), (vec![0, 1, 2], 3, 2));
    assert_eq!(partition("alone-0"), (vec![3], 1, 1));

    // Where no way leads to a broker, the controllers tell of the quorum, and nobody of the partitions.
    let nowhere = asking(AdminConfig::brokers(["127.0.0.1:1"]));
    let view =
        until("the controllers tell of the quorum", &nowhere, &controllers, |view| quorum(view).is_some())
            .await;
    assert_eq!(ids(&quorum(&view).unwrap().voters), [0, 1, 2].into());
    assert_eq!(view.brokers.as_ref().unwrap_err().kind, SilenceKind::Unreachable);
    let view = look(None, Some(controllers.clone())).await;
    assert_eq!(view.brokers.unwrap_err().kind, SilenceKind::Nobody);
    assert!(view.quorum.unwrap().is_some());

    // A voter and an observer whose time stands still fall behind; they are not asked for the partitions.
    let still = (0..3).find(|id| *id != told.leader).unwrap();
    for id in [still, 3] {
        cluster.nodes()[usize::try_from(id).unwrap()].pause().unwrap();
    }
    let view = until("both are behind", &brokers, &controllers, |view| {
        let Some(quorum) = quorum(view) else { return false };
        let far = |node: &&RollVoter| !near(node);
        let behind: BTreeSet<i32> =
            quorum.voters.iter().chain(&quorum.observers).filter(far).map(|node| node.id).collect();
        behind == [still, 3].into() && view.brokers.is_ok()
    });
    let partitions = view.await.brokers.unwrap().partitions;
    assert_eq!(partitions.iter().find(|partition| partition.name == "alone-0").unwrap().replicas, [3]);
    for id in [still, 3] {
        cluster.nodes()[usize::try_from(id).unwrap()].resume().unwrap();
    }

    // None of the topics has remote storage.
    assert!(!brokers.list_topics().await.unwrap().is_empty());
    assert_eq!(kafka_calls::tiered_topics(&brokers).await.unwrap(), TieredTopics::default());

    // What Kafka refuses is told with what was tried and in Kafka's own words; the status has this text.
    for (call, tried, words) in [
        (AdminCall::UnregisterBroker { broker: 77 }, "cannot unregister broker 77", "77"),
        (
            AdminCall::UpdateMetadataVersion { version: "9.9".to_owned(), level: 9_999, downgrade: false },
            "cannot set the metadata version to 9.9",
            "9999",
        ),
        // Kafka does not lower past 4.3-IV0, as `upgrade.rs` and docs/extensions.md say.
        (
            AdminCall::UpdateMetadataVersion { version: "4.2-IV1".to_owned(), level: 29, downgrade: true },
            "cannot set the metadata version to 4.2-IV1",
            "might delete metadata information",
        ),
        (
            AdminCall::RemoveVoter { controller: 78, directory_id: "AAAAAAAAAAAAAAAAAAAAAQ".to_owned() },
            "cannot remove controller 78 from the quorum",
            "78",
        ),
    ] {
        let refused = kafka_calls::make(&brokers, &call).await.unwrap_err().to_string();
        assert!(refused.starts_with(tried) && refused[tried.len()..].contains(words), "{refused}");
    }
}
