//! What the quorum and the partitions allow.

use super::*;

#[path = "roll_unresponsive_tests.rs"]
mod unresponsive_nodes;

const FETCH_TIMEOUT_MS: i64 = 2000;

fn node(id: i32, controller: bool, broker: bool) -> RollNode {
    RollNode {
        id,
        pod: format!("c-p-{id}"),
        controller,
        broker,
        served: true,
        reasons: BTreeSet::from([RestartReason::ManualRollingUpdate]),
        ..RollNode::default()
    }
}

fn follower(id: i32, lag_ms: Option<i64>) -> RollVoter {
    RollVoter { id, lag_ms }
}

fn quorum(voters: &[(i32, i64)], observers: &[(i32, i64)]) -> RollQuorum {
    let all = |some: &[(i32, i64)]| some.iter().map(|(id, lag)| follower(*id, Some(*lag))).collect();
    RollQuorum { leader: voters[0].0, voters: all(voters), observers: all(observers), dynamic: true }
}

fn kafka(quorum: Option<RollQuorum>, partitions: &[(&[i32], &[i32], usize)]) -> RollKafka {
    let partition = |(index, (replicas, isr, min_isr)): (usize, &(&[i32], &[i32], usize))| RollPartition {
        name: format!("orders-{index}"),
        replicas: replicas.to_vec(),
        leader: isr.first().copied(),
        isr: isr.to_vec(),
        min_isr: *min_isr,
        ..RollPartition::default()
    };
    let partitions = partitions.iter().enumerate().map(partition).collect();
    let registered = (0..6).map(|id| (id, None)).collect();
    RollKafka {
        asked_at: None,
        quorum: Ok(quorum),
        brokers: Ok(RollBrokers { partitions, registered, told_by: None }),
    }
}

fn obstacle(nodes: &[RollNode], kafka: &RollKafka, batch: &[i32]) -> Option<String> {
    Rules::new(nodes, kafka, FETCH_TIMEOUT_MS).obstacle(&batch.iter().copied().collect())
}

fn says(obstacle: Option<&String>, words: &str) -> bool {
    obstacle.is_some_and(|why| why.contains(words))
}

#[test]
fn a_lagging_controller_holds_the_others_and_may_go_itself() {
    let nodes = [node(0, true, false), node(1, true, false), node(2, true, false)];
    let kafka = kafka(Some(quorum(&[(0, 0), (1, 0), (2, 5000)], &[])), &[]);
    assert!(says(obstacle(&nodes, &kafka, &[1]).as_ref(), "caught up"));
    assert_eq!(obstacle(&nodes, &kafka, &[2]), None);
}

#[test]
fn how_far_a_voter_may_lag_is_what_the_resource_says() {
    let nodes = [node(0, true, false), node(1, true, false), node(2, true, false)];
    let kafka = kafka(Some(quorum(&[(0, 0), (1, 0), (2, 1500)], &[])), &[]);
    let fits = |timeout| Rules::new(&nodes, &kafka, timeout).obstacle(&BTreeSet::from([1])).is_none();
    assert!(fits(2000) && !fits(1000));
}

#[test]
fn a_controller_that_has_not_joined_yet_holds_the_others() {
    // The disk of controller 2 is new: its old vote was taken away, the new one is not there yet.
    let nodes = [node(0, true, true), node(1, true, true), node(2, true, true)];
    let joining = quorum(&[(0, 0), (1, 0)], &[(2, 0)]);
    let why = obstacle(&nodes, &kafka(Some(joining.clone()), &[]), &[1]);
    assert!(says(why.as_ref(), "controller 2 has not joined"), "{why:?}");
    // Where voters stand in the configuration, a new one becomes a voter only when the others were restarted.
    let fixed = RollQuorum { dynamic: false, ..quorum(&[(0, 0), (1, 0), (3, 0)], &[(2, 0)]) };
    assert_eq!(obstacle(&nodes, &kafka(Some(fixed), &[]), &[1]), None);
    // One that is down is left to the count of those that are up.
    let mut down = nodes.clone();
    down[2].state = PodState::Unready;
    let three = quorum(&[(0, 0), (1, 0), (3, 0)], &[]);
    assert_eq!(obstacle(&down, &kafka(Some(three), &[]), &[1]), None);
}

#[test]
fn a_broker_waits_for_a_quorum_that_takes_its_registration() {
    let nodes = [node(0, false, true), node(3, true, false), node(4, true, false), node(5, true, false)];
    assert!(says(obstacle(&nodes, &kafka(None, &[]), &[0]).as_ref(), "no leader"));
    let lost = quorum(&[(3, 0), (4, 9000), (5, 9000)], &[(0, 0)]);
    assert!(says(obstacle(&nodes, &kafka(Some(lost), &[]), &[0]).as_ref(), "no majority"));
    let works = quorum(&[(3, 0), (4, 0), (5, 9000)], &[(0, 0)]);
    assert_eq!(obstacle(&nodes, &kafka(Some(works), &[]), &[0]), None);
    let mut silent = kafka(None, &[]);
    silent.quorum = Err(Silence::new(SilenceKind::Late, "they take their time"));
    assert!(says(obstacle(&nodes, &silent, &[0]).as_ref(), "they take their time"));
}

#[test]
fn a_controller_that_is_down_goes_when_there_is_no_leader() {
    let mut nodes = [node(0, true, false), node(1, true, false)];
    assert!(says(obstacle(&nodes, &kafka(None, &[]), &[0]).as_ref(), "no leader"));
    nodes[0].state = PodState::Unready;
    assert_eq!(obstacle(&nodes, &kafka(None, &[]), &[0]), None);
    nodes[0].loses_storage = true;
    assert!(says(obstacle(&nodes, &kafka(None, &[]), &[0]).as_ref(), "destroy"));
    assert_eq!(obstacle(&nodes[..1], &kafka(None, &[]), &[0]), None, "a single one may always go");
}

#[test]
fn a_broker_that_no_longer_follows_the_metadata_does_not_count_as_in_sync() {
    // The broker that was asked has lost the controllers and still believes that all are in sync.
    let nodes = [node(0, false, true), node(1, false, true), node(2, false, true)];
    let partitions: &[(&[i32], &[i32], usize)] = &[(&[0, 1, 2], &[0, 1, 2], 2)];
    let all = quorum(&[(5, 0)], &[(0, 0), (1, 0), (2, 0)]);
    assert_eq!(obstacle(&nodes, &kafka(Some(all), partitions), &[0]), None);
    for cut_off in [vec![(0, 0), (1, 0), (2, 15_000)], vec![(0, 0), (1, 0)]] {
        let cut_off = quorum(&[(5, 0)], &cut_off);
        let why = obstacle(&nodes, &kafka(Some(cut_off), partitions), &[0]);
        assert!(says(why.as_ref(), "2 of 3 replicas in sync"), "{why:?}");
    }
}

#[test]
fn what_does_not_share_a_partition_goes_together_and_what_does_goes_apart() {
    let nodes = [node(0, false, true), node(1, false, true), node(2, false, true), node(3, false, true)];
    let all = quorum(&[(5, 0)], &[(0, 0), (1, 0), (2, 0), (3, 0)]);
    let apart = kafka(Some(all.clone()), &[(&[0, 1], &[0, 1], 1), (&[2, 3], &[2, 3], 1)]);
    assert_eq!(obstacle(&nodes, &apart, &[0, 2]), None);
    assert!(says(obstacle(&nodes, &apart, &[0, 1]).as_ref(), "orders-0"));
    let pairs = kafka(Some(all), &[(&[0, 1], &[0, 1], 2)]);
    assert!(says(obstacle(&nodes, &pairs, &[0, 1]).as_ref(), "only copy"), "one after the other they may go");
    assert_eq!(obstacle(&nodes, &pairs, &[0]), None);
}

#[test]
fn replicas_on_brokers_that_are_gone_are_named() {
    let nodes = [node(0, false, true), node(1, false, true)];
    let all = quorum(&[(5, 0)], &[(0, 0), (1, 0)]);
    let why = obstacle(&nodes, &kafka(Some(all), &[(&[0, 1, 7], &[0, 1], 2)]), &[0]).unwrap();
    assert!(why.contains("orders-0") && why.contains("brokers 7 are not registered"), "{why}");
}

#[test]
fn single_copies_on_storage_that_ends_with_the_pod_are_found() {
    let mut nodes = [node(0, false, true), node(1, false, true)];
    nodes[1].loses_storage = true;
    let all = quorum(&[(5, 0)], &[(0, 0), (1, 0)]);
    let partitions: &[(&[i32], &[i32], usize)] =
        &[(&[0], &[0], 1), (&[1], &[1], 1), (&[1, 7], &[1], 1), (&[0, 1], &[1], 1)];
    let kafka = kafka(Some(all), partitions);
    let rules = Rules::new(&nodes, &kafka, FETCH_TIMEOUT_MS);
    assert_eq!(rules.single_copies(), [("orders-1", 1), ("orders-2", 1)]);
    assert_eq!(rules.obstacle(&BTreeSet::from([0])), None, "nothing that is waited for keeps it");
}

#[test]
fn while_no_replica_is_in_sync_a_broker_keeps_what_the_restart_would_destroy() {
    let of_memory = |id| RollNode { loses_storage: true, state: PodState::Ready, ..node(id, false, true) };
    let mut nodes = [of_memory(0), of_memory(1), of_memory(2)];
    let quorum = || Some(quorum(&[(3, 0)], &[(0, 0), (1, 0), (2, 0)]));
    let leaderless = kafka(quorum(), &[(&[1, 2], &[], 2)]);
    let why = obstacle(&nodes, &leaderless, &[2]);
    assert!(says(why.as_ref(), "orders-0 has no other complete copy"), "{why:?}");
    assert_eq!(obstacle(&nodes, &leaderless, &[0]), None, "it has no replica of it");
    // A partition that has no other replica cannot be kept by waiting.
    assert_eq!(obstacle(&nodes, &kafka(quorum(), &[(&[2], &[], 1)]), &[2]), None);
    // Also of a broker that is down: the disk of the last leader may be gone. A pod that never was ready has nothing, and a volume outlives
    // the restart.
    (nodes[1].state, nodes[1].served) = (PodState::Unready, true);
    assert!(says(obstacle(&nodes, &leaderless, &[1]).as_ref(), "no other complete copy"));
    nodes[1].served = false;
    nodes[2].loses_storage = false;
    assert_eq!(obstacle(&nodes, &leaderless, &[1]), None);
    assert_eq!(obstacle(&nodes, &leaderless, &[2]), None);
}

/// What Kafka says where partition `orders-0` of brokers 1 and 2 has these eligible leaders and no replica in sync.
fn leaderless(eligible: &[i32], last_known: &[i32]) -> RollKafka {
    let quorum = quorum(&[(3, 0)], &[(0, 0), (1, 0), (2, 0)]);
    let mut kafka = kafka(Some(quorum), &[(&[1, 2], &[], 2)]);
    if let Ok(brokers) = &mut kafka.brokers {
        (brokers.partitions[0].eligible, brokers.partitions[0].last_known) =
            (eligible.to_vec(), last_known.to_vec());
    }
    kafka
}

#[test]
fn of_the_eligible_leaders_of_a_partition_that_has_none_in_sync_one_keeps_what_it_has() {
    let of_memory = |id| RollNode { loses_storage: true, state: PodState::Ready, ..node(id, false, true) };
    let mut nodes = [of_memory(0), of_memory(1), of_memory(2)];
    for state in [PodState::Ready, PodState::Unready, PodState::Stuck] {
        nodes[2].state = state;
        let only = leaderless(&[2], &[]);
        let why = obstacle(&nodes, &only, &[2]);
        assert!(says(why.as_ref(), "destroy what broker 2 has of it"), "{state:?}: {why:?}");
        assert_eq!(
            obstacle(&nodes, &only, &[1]),
            None,
            "it lacks committed records, and broker 2 has them all"
        );
        // Either may go, and not both.
        let both = leaderless(&[1, 2], &[]);
        assert_eq!(obstacle(&nodes, &both, &[2]), None);
        assert!(obstacle(&nodes, &both, &[1, 2]).is_some());
    }
}

#[test]
fn what_kafka_remembers_of_a_pod_that_was_made_anew_is_no_copy() {
    let of_memory = |id| RollNode { loses_storage: true, state: PodState::Ready, ..node(id, false, true) };
    let mut nodes = [of_memory(0), of_memory(1), of_memory(2)];
    // The controller counts broker 1 as eligible until its new process registers; its storage went with the old pod.
    (nodes[1].state, nodes[1].served) = (PodState::Unready, false);
    assert!(obstacle(&nodes, &leaderless(&[1, 2], &[]), &[2]).is_some());
    nodes[1] = RollNode { state: PodState::Missing, ..of_memory(1) };
    assert!(obstacle(&nodes, &leaderless(&[1, 2], &[]), &[2]).is_some());
    // Nor is what a broker says that has not heard of it yet.
    let all = quorum(&[(3, 0)], &[(0, 0), (1, 0), (2, 0)]);
    let stale = kafka(Some(all), &[(&[1, 2], &[1, 2], 1)]);
    assert!(obstacle(&nodes, &stale, &[2]).is_some());
    // On a volume the records of broker 2 outlive its pod.
    nodes[2].loses_storage = false;
    assert_eq!(obstacle(&nodes, &leaderless(&[1, 2], &[]), &[2]), None);
}

#[test]
fn where_nobody_leads_a_copy_that_comes_back_with_nothing_is_not_counted_on() {
    let of_memory = |id| RollNode { loses_storage: true, state: PodState::Ready, ..node(id, false, true) };
    let nodes = [of_memory(0), of_memory(1), of_memory(2)];
    let quorum = quorum(&[(3, 0)], &[(0, 0), (1, 0), (2, 0)]);
    // Broker 1 restarted while the machine of broker 2 was silent: Kafka keeps it as the only one in sync, and it has nothing.
    let mut kafka = kafka(Some(quorum), &[(&[1, 2], &[1], 1)]);
    assert_eq!(obstacle(&nodes, &kafka, &[2]), None, "broker 1 leads");
    if let Ok(brokers) = &mut kafka.brokers {
        brokers.partitions[0].leader = None;
    }
    let why = obstacle(&nodes, &kafka, &[2]);
    assert!(says(why.as_ref(), "destroy what broker 2 has of it"), "{why:?}");
    let on_volumes = nodes.map(|node| RollNode { loses_storage: false, ..node });
    assert_eq!(obstacle(&on_volumes, &kafka, &[2]), None);
}

#[test]
fn a_broker_that_fell_silent_a_moment_ago_is_not_what_outlives_the_end_of_another_copy() {
    let of_memory = |id| RollNode { loses_storage: true, state: PodState::Ready, ..node(id, false, true) };
    let nodes = [of_memory(0), of_memory(1), of_memory(2)];
    for (lag_ms, goes) in [(500, true), (2999, true), (3000, false), (8999, false)] {
        let quorum = quorum(&[(3, 0)], &[(0, 0), (1, 0), (2, lag_ms)]);
        let kafka = kafka(Some(quorum), &[(&[1, 2], &[1, 2], 1)]);
        assert_eq!(obstacle(&nodes, &kafka, &[1]).is_none(), goes, "{lag_ms}");
        let on_volumes = nodes.clone().map(|node| RollNode { loses_storage: false, ..node });
        assert_eq!(obstacle(&on_volumes, &kafka, &[1]), None, "{lag_ms}");
    }
}

#[test]
fn where_no_replica_is_complete_the_last_leader_keeps_what_it_has_although_it_is_down() {
    let of_memory = |id, state| RollNode { loses_storage: true, state, ..node(id, false, true) };
    let nodes = [of_memory(1, PodState::Unready), of_memory(2, PodState::Unready)];
    assert!(obstacle(&nodes, &leaderless(&[], &[2]), &[2]).is_some());
    // That disk may be gone, and then the other copy is all that there is: Kafka does not know which.
    assert!(obstacle(&nodes, &leaderless(&[], &[2]), &[1]).is_some());
    let never_ready = nodes.map(|node| RollNode { served: false, ..node });
    assert_eq!(obstacle(&never_ready, &leaderless(&[], &[2]), &[1]), None, "it has nothing");
}

/// Three brokers with two of three copies needed, of which these run without the disk of their replica.
fn with_failed(replicas: &[i32], isr: &[i32], min_isr: usize, failed: &[i32]) -> RollKafka {
    let mut kafka = kafka(Some(quorum(&[(9, 0)], &[(0, 0), (1, 0), (2, 0)])), &[(replicas, isr, min_isr)]);
    let brokers = kafka.brokers.as_mut().unwrap();
    brokers.partitions[0].failed = failed.to_vec();
    brokers.partitions[0].offline = failed.to_vec();
    brokers.partitions[0].leader = isr.iter().copied().find(|id| !failed.contains(id));
    kafka
}

fn brokers() -> [RollNode; 3] {
    [0, 1, 2].map(|id| RollNode { state: PodState::Ready, ..node(id, false, true) })
}

#[test]
fn a_restart_that_may_bring_a_replica_on_a_failed_disk_back_waits_for_nothing() {
    let nodes = brokers();
    // The disks of two brokers are full: only a restart brings these replicas back.
    let kafka = with_failed(&[0, 1, 2], &[2], 2, &[0, 1]);
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
    assert_eq!(obstacle(&nodes, &kafka, &[1]), None);
    assert!(says(obstacle(&nodes, &kafka, &[2]).as_ref(), "only copy in sync"));
    // All three, with and without eligible leaders, and both of two. Kafka goes on naming the last one.
    for (replicas, isr, min_isr) in [(&[0, 1, 2][..], &[2][..], 2), (&[0, 1, 2], &[], 2), (&[0, 1], &[1], 1)]
    {
        let kafka = with_failed(replicas, isr, min_isr, replicas);
        for id in replicas {
            assert_eq!(obstacle(&nodes, &kafka, &[*id]), None, "{replicas:?} {isr:?}, broker {id}");
        }
    }
    // A replica on a disk that works is needed for writes.
    let kafka = with_failed(&[0, 1, 2], &[1, 2], 2, &[0]);
    assert!(says(obstacle(&nodes, &kafka, &[1]).as_ref(), "min.insync.replicas"));
}

#[test]
fn a_disk_is_given_up_only_while_another_complete_copy_is_on_a_disk_that_works() {
    let mut nodes = brokers();
    (nodes[0].loses_storage, nodes[0].loses_claims) = (true, true);
    let kafka = with_failed(&[0, 1, 2], &[2], 2, &[0, 1]);
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None, "broker 2 has all of it");
    // Nobody has it in sync, and the other eligible copy is on a disk that failed, too.
    let mut kafka = with_failed(&[0, 1], &[], 2, &[0, 1]);
    kafka.brokers.as_mut().unwrap().partitions[0].eligible = vec![0, 1];
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "no other complete copy"));
    // Kafka names the copy in sync that is on the disk of another one.
    let kafka = with_failed(&[0, 1], &[1], 1, &[0, 1]);
    assert!(obstacle(&nodes, &kafka, &[0]).is_some());
    // And its own is the only one.
    let kafka = with_failed(&[0, 1], &[0], 1, &[0, 1]);
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "only copy in sync"));
}

#[test]
fn a_replica_on_a_failed_disk_that_may_be_the_last_complete_one_keeps_its_standing_until_a_user_asks() {
    let mut nodes = brokers();
    nodes[0].reasons = BTreeSet::from([RestartReason::ConfigChangeRequiresRestart]);
    let mut kafka = with_failed(&[0, 1, 2], &[], 2, &[0]);
    kafka.brokers.as_mut().unwrap().partitions[0].eligible = vec![0];
    let why = obstacle(&nodes, &kafka, &[0]);
    assert!(says(why.as_ref(), "strimzi.io/manual-rolling-update: \"true\""), "{why:?}");
    nodes[0].reasons.insert(RestartReason::ManualRollingUpdate);
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
    // Another eligible replica has its disk.
    nodes[0].reasons = BTreeSet::from([RestartReason::ConfigChangeRequiresRestart]);
    kafka.brokers.as_mut().unwrap().partitions[0].eligible = vec![0, 1];
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
}

#[test]
fn a_broker_that_ended_for_a_moment_is_not_known_to_have_a_complete_copy_where_claims_are_given_up() {
    let mut nodes = brokers();
    (nodes[0].loses_storage, nodes[0].loses_claims) = (true, true);
    (nodes[1].state, nodes[1].served) = (PodState::Unready, true);
    let mut kafka = with_failed(&[0, 1], &[], 2, &[0]);
    let partition = &mut kafka.brokers.as_mut().unwrap().partitions[0];
    (partition.eligible, partition.offline) = (vec![0, 1], vec![0, 1]);
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "no other complete copy"));
    kafka.brokers.as_mut().unwrap().partitions[0].offline = vec![0];
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
}

#[test]
fn a_replica_that_moved_to_another_disk_counts_although_kafka_calls_it_offline_for_a_moment() {
    // It is in sync again, and Kafka has not heard yet where it lies.
    let kafka = with_failed(&[0, 1, 2], &[0, 1], 2, &[1]);
    assert!(says(obstacle(&brokers(), &kafka, &[1]).as_ref(), "min.insync.replicas"));
}

#[test]
fn where_the_last_one_in_sync_is_on_a_failed_disk_the_others_may_restart() {
    let kafka = with_failed(&[0, 1], &[1], 1, &[1]);
    assert_eq!(obstacle(&brokers(), &kafka, &[0]), None, "it cannot come in sync before broker 1 is back");
    let mut nodes = brokers();
    nodes[0].loses_storage = true;
    assert!(obstacle(&nodes, &kafka, &[0]).is_some(), "what it has may be all that is left");
}

#[test]
fn what_ends_with_a_pod_stays_while_the_other_complete_copy_is_on_a_failed_disk() {
    let mut nodes = brokers();
    nodes[0].loses_storage = true;
    let mut kafka = with_failed(&[0, 1], &[], 2, &[1]);
    kafka.brokers.as_mut().unwrap().partitions[0].eligible = vec![0, 1];
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "no other complete copy"));
    // Kafka may have elected what it cannot use.
    let mut kafka = with_failed(&[0, 1, 2], &[1, 2], 1, &[1]);
    let partition = &mut kafka.brokers.as_mut().unwrap().partitions[0];
    (partition.leader, partition.isr) = (Some(1), vec![1, 0]);
    assert!(obstacle(&nodes, &kafka, &[0]).is_some());
    let partition = &mut kafka.brokers.as_mut().unwrap().partitions[0];
    (partition.leader, partition.isr, partition.failed) = (Some(1), vec![1, 2], vec![1]);
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "no other complete copy"));
}
