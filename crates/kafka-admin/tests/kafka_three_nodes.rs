//! What needs several nodes: replicas that move, leaders, voters, nodes that are away.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use kafka_admin::{
    Admin, AdminConfig, ConfigChange, ConfigResource, ConfigSelection, Election, Endpoint, ErrorCode,
    NewTopic, TopicDescription, TopicPartition, Voter, parse_uuid,
};
use test_support::kafka::{KafkaCluster, KafkaOptions, Roles};
use test_support::wait::until;
use tokio::sync::{Mutex, MutexGuard};

const SOON: Duration = Duration::from_mins(1);

/// One cluster for all tests of this file, each of which has it for itself.
async fn cluster() -> MutexGuard<'static, KafkaCluster> {
    static CLUSTER: OnceLock<Mutex<KafkaCluster>> = OnceLock::new();
    let start = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() };
        Mutex::new(runtime.block_on(KafkaCluster::start(3, options)).unwrap())
    };
    CLUSTER.get_or_init(|| std::thread::spawn(start).join().unwrap()).lock().await
}

fn brokers(cluster: &KafkaCluster) -> Admin {
    Admin::new(AdminConfig::brokers(cluster.bootstrap())).unwrap()
}

fn controllers(cluster: &KafkaCluster) -> Admin {
    Admin::new(AdminConfig::controllers(cluster.controller_bootstrap())).unwrap()
}

async fn topic_when(
    admin: &Admin,
    name: &str,
    what: &str,
    is: impl Fn(&TopicDescription) -> bool,
) -> TopicDescription {
    until(SOON, what, || async {
        let topic = admin.describe_topics([name.to_owned()]).await.unwrap().remove(name)?.ok()?;
        is(&topic).then_some(topic)
    })
    .await
    .unwrap()
}

async fn create(admin: &Admin, name: &str, assignments: &[&[i32]]) {
    let assignments = (0..).zip(assignments.iter().map(|brokers| brokers.to_vec())).collect();
    let created =
        admin.create_topics(vec![NewTopic { assignments, ..NewTopic::new(name) }], false).await.unwrap();
    created[name].as_ref().unwrap();
}

#[tokio::test]
async fn replicas_move_and_the_replication_factor_grows_and_the_preferred_leader_is_elected() {
    let cluster = cluster().await;
    let admin = brokers(&cluster);
    create(&admin, "moved", &[&[0], &[1], &[2]]).await;
    let targets: [&[i32]; 3] = [&[0, 1], &[2, 1], &[0, 1]];
    let mut changes: BTreeMap<_, _> = (0..)
        .zip(targets)
        .map(|(index, brokers)| (TopicPartition::new("moved", index), Some(brokers.to_vec())))
        .collect();
    changes.insert(TopicPartition::new("moved", 9), Some(vec![0]));
    changes.insert(TopicPartition::new("not-there", 0), Some(vec![0]));
    let altered = admin.alter_partition_reassignments(changes).await.unwrap();
    assert_eq!(altered.len(), 5);
    for (partition, outcome) in &altered {
        let known = partition.topic == "moved" && partition.partition < 3;
        assert_eq!(outcome.is_ok(), known, "{partition}: {outcome:?}");
    }
    let moved = topic_when(&admin, "moved", "all replicas have moved", |topic| {
        (0..).zip(&topic.partitions).all(|(index, partition): (usize, _)| {
            partition.replicas == targets[index] && partition.isr.len() == 2
        })
    });
    assert_eq!(moved.await.replication_factor(), 2);
    until(SOON, "no move is under way", || async {
        admin.list_partition_reassignments(None).await.unwrap().is_empty().then_some(())
    })
    .await
    .unwrap();

    // Partition 1 was led by broker 1, which is now only the second choice.
    let partition = TopicPartition::new("moved", 1);
    let elected = admin.elect_leaders(Election::Preferred, Some(vec![partition.clone()])).await.unwrap();
    assert_eq!(elected, BTreeMap::from([(partition, Ok(()))]));
    topic_when(&admin, "moved", "broker 2 leads", |topic| topic.partitions[1].leader == Some(2)).await;
}

#[tokio::test]
async fn a_move_to_a_broker_that_is_away_is_listed_and_can_be_cancelled() {
    let mut cluster = cluster().await;
    let admin = brokers(&cluster);
    create(&admin, "waiting", &[&[0, 1]]).await;
    cluster.node(2).stop().await.unwrap();
    let partition = TopicPartition::new("waiting", 0);
    until(SOON, "broker 2 is fenced", || async {
        admin.describe_cluster().await.unwrap().nodes.get(&2)?.fenced.then_some(())
    })
    .await
    .unwrap();
    let change = |replicas| BTreeMap::from([(partition.clone(), replicas)]);
    let altered = admin.alter_partition_reassignments(change(Some(vec![0, 2]))).await.unwrap();
    assert_eq!(altered[&partition], Ok(()));
    let listed = admin.list_partition_reassignments(Some(vec![partition.clone()])).await.unwrap();
    assert_eq!((&listed[&partition].adding, &listed[&partition].removing), (&vec![2], &vec![1]));
    assert_eq!(listed[&partition].target(), [0, 2]);
    assert_eq!(admin.alter_partition_reassignments(change(None)).await.unwrap()[&partition], Ok(()));
    assert!(admin.list_partition_reassignments(None).await.unwrap().is_empty());
    let again = admin.alter_partition_reassignments(change(None)).await.unwrap();
    assert_eq!(again[&partition].as_ref().unwrap_err().code, ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
    cluster.node(2).start_again().await.unwrap();
}

#[tokio::test]
async fn a_broker_names_the_eligible_leaders_and_how_much_of_the_metadata_it_knows() {
    let mut cluster = cluster().await;
    let admin = brokers(&cluster);
    let committed = controllers(&cluster).describe_quorum().await.unwrap().high_watermark;
    until(SOON, "broker 0 knows what was committed", || async {
        let known = admin.metadata_offset_of(0).await.unwrap().unwrap();
        (known + 1 >= committed).then_some(())
    })
    .await
    .unwrap();
    let minimum = BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]);
    let pair = NewTopic {
        assignments: BTreeMap::from([(0, vec![0, 1]), (1, vec![0, 2])]),
        configs: minimum,
        ..NewTopic::new("pair")
    };
    admin.create_topics(vec![pair], false).await.unwrap()["pair"].as_ref().unwrap();
    topic_when(&admin, "pair", "its replicas are in sync", |topic| topic.partitions[0].isr.len() == 2).await;
    cluster.node(1).stop().await.unwrap();
    let first = TopicPartition::new("pair", 0);
    let asked = [first.clone(), TopicPartition::new("pair", 7), TopicPartition::new("not-there", 0)].into();
    until(SOON, "the broker that left is eligible", || async {
        let found = admin.describe_leaderships_of(0, &asked).await.unwrap().unwrap();
        assert_eq!(found.len(), 1, "what there is not is left out, as what was not asked for: {found:?}");
        let leadership = &found[&first];
        (leadership.partition.isr == [0] && leadership.eligible == [1] && leadership.last_known.is_empty())
            .then_some(())
    })
    .await
    .unwrap();
    cluster.node(1).start_again().await.unwrap();
    topic_when(&admin, "pair", "all replicas are in sync again", |topic| topic.partitions[0].isr.len() == 2)
        .await;
}

#[tokio::test]
async fn each_broker_gets_its_own_configuration_and_tells_its_own_disks() {
    let cluster = cluster().await;
    let admin = brokers(&cluster);
    let threads = |id: i32| (id + 5).to_string();
    let changes =
        (0..3).map(|id| (ConfigResource::Broker(id), vec![ConfigChange::set("num.io.threads", threads(id))]));
    let altered = admin.incremental_alter_configs(changes.collect(), false).await.unwrap();
    assert!(altered.len() == 3 && altered.values().all(Result::is_ok), "{altered:?}");
    until(SOON, "each broker has its own value", || async {
        let resources = (0..3).map(ConfigResource::Broker);
        let found = admin.describe_configs(resources, ConfigSelection::Dynamic).await.unwrap();
        let own = |id: i32| {
            let entries = found[&ConfigResource::Broker(id)].as_ref().unwrap();
            entries.get("num.io.threads").is_some_and(|entry| entry.value.as_ref() == Some(&threads(id)))
        };
        (0..3).all(own).then_some(())
    })
    .await
    .unwrap();
    let dirs = admin.describe_log_dirs(0..3).await.unwrap();
    for (id, dirs) in dirs {
        let expected = cluster.nodes()[usize::try_from(id).unwrap()].log_dir(0).display().to_string();
        assert_eq!(dirs.unwrap()[0].path, expected);
    }
}

#[tokio::test]
async fn a_controller_gets_a_vote_and_loses_it() {
    let mut cluster = cluster().await;
    let admin = controllers(&cluster);
    let quorum = admin.describe_quorum().await.unwrap();
    assert_eq!(quorum.voters.iter().map(|voter| voter.id).collect::<Vec<_>>(), [0, 1, 2]);
    let seen = admin.describe_cluster().await.unwrap();
    assert_eq!(seen.nodes.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(seen.controller_id, quorum.leader_id);

    let node = cluster.add(Roles::Controller).await.unwrap();
    let (id, port) = (node.id(), node.controller_port());
    let directory_id = parse_uuid(&node.directory_id().unwrap()).unwrap();
    until(SOON, "the new controller follows", || async {
        let quorum = admin.describe_quorum().await.unwrap();
        quorum.observers.into_iter().find(|observer| observer.id == id && observer.lag == 0)
    })
    .await
    .unwrap();
    let endpoint = Endpoint { listener: "CONTROLLER".to_owned(), host: "127.0.0.1".to_owned(), port };
    let voter = Voter { id, directory_id, endpoints: vec![endpoint.clone()] };
    admin.add_raft_voter(voter.clone()).await.unwrap();
    let quorum = admin.describe_quorum().await.unwrap();
    let added = quorum.voters.iter().find(|voter| voter.id == id).unwrap();
    assert_eq!(added.directory_id, Some(directory_id));
    assert_eq!(quorum.endpoints[&id], [endpoint]);
    let twice = admin.add_raft_voter(voter).await.unwrap_err();
    assert_eq!(twice.kafka_error().unwrap().code, ErrorCode::DUPLICATE_VOTER, "{twice}");

    // Through the brokers, too.
    let brokers = brokers(&cluster);
    brokers.remove_raft_voter(id, directory_id).await.unwrap();
    let quorum = brokers.describe_quorum().await.unwrap();
    assert_eq!(quorum.voters.iter().map(|voter| voter.id).collect::<Vec<_>>(), [0, 1, 2]);
    let index = cluster.nodes().len() - 1;
    cluster.node(index).stop().await.unwrap();
}

#[tokio::test]
async fn calls_find_the_next_active_controller() {
    let mut cluster = cluster().await;
    let admin = controllers(&cluster);
    let leader = admin.describe_quorum().await.unwrap().leader_id.unwrap();
    let index = usize::try_from(leader).unwrap();
    cluster.node(index).kill();
    let entry = ConfigChange::set("log.cleaner.threads", "1");
    let changes = BTreeMap::from([(ConfigResource::ClusterDefault, vec![entry])]);
    let altered = admin.incremental_alter_configs(changes, false).await.unwrap();
    assert_eq!(altered[&ConfigResource::ClusterDefault], Ok(()));
    let next = admin.describe_quorum().await.unwrap().leader_id.unwrap();
    assert_ne!(next, leader);
    cluster.node(index).start_again().await.unwrap();
}

#[tokio::test]
async fn a_broker_that_is_gone_for_good_is_unregistered() {
    let mut cluster = cluster().await;
    let id = cluster.add(Roles::Broker).await.unwrap().id();
    let admin = brokers(&cluster);
    until(SOON, "every broker knows the new one", || async {
        let registered = admin.describe_cluster().await.unwrap();
        registered.nodes.get(&id).is_some_and(|node| !node.fenced).then_some(())
    })
    .await
    .unwrap();
    let index = cluster.nodes().len() - 1;
    cluster.node(index).stop().await.unwrap();
    let admin = controllers(&cluster);
    admin.unregister_broker(id).await.unwrap();
    let brokers = brokers(&cluster);
    until(SOON, "the broker is not listed any more", || async {
        (!brokers.describe_cluster().await.unwrap().nodes.contains_key(&id)).then_some(())
    })
    .await
    .unwrap();
}
