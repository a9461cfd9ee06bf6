//! Restarts of nodes that answer nothing.

use super::*;

/// Three ready brokers, of which the first answers nothing.
fn brokers_of_which_one_is_silent() -> [RollNode; 3] {
    let mut nodes = brokers();
    (nodes[0].state, nodes[0].long) = (PodState::Unready, true);
    (nodes[0].unresponsive, nodes[0].unresponsive_broker) = (true, true);
    nodes[0].reasons = BTreeSet::from([RestartReason::PodUnresponsive]);
    nodes
}

#[test]
fn a_partition_that_is_led_by_a_silent_broker_is_handed_over_to_an_eligible_one_that_is_there() {
    let nodes = brokers_of_which_one_is_silent();
    let of = |eligible: &[i32], failed: &[i32]| {
        let mut kafka = with_failed(&[0, 1, 2], &[0], 2, failed);
        kafka.brokers.as_mut().unwrap().partitions[0].eligible = eligible.to_vec();
        kafka
    };
    assert_eq!(obstacle(&nodes, &of(&[1, 2], &[]), &[0]), None);
    assert_eq!(obstacle(&nodes, &of(&[2], &[1]), &[0]), None);
    for (eligible, failed) in [(&[][..], &[][..]), (&[1], &[1]), (&[0], &[])] {
        let why = obstacle(&nodes, &of(eligible, failed), &[0]);
        let by_hand = "it answers nothing: kubectl delete pod c-p-0 restarts it all the same";
        assert!(why.as_ref().is_some_and(|why| why.ends_with(by_hand)), "{eligible:?} {failed:?}: {why:?}");
    }
    // The eligible broker is not ready, does not follow, or is not registered.
    let mut down = nodes.clone();
    (down[1].state, down[1].long) = (PodState::Unready, false);
    assert!(obstacle(&down, &of(&[1], &[]), &[0]).is_some());
    let mut behind = of(&[1], &[]);
    behind.quorum.as_mut().unwrap().as_mut().unwrap().observers[1].lag_ms = Some(5000);
    assert!(obstacle(&nodes, &behind, &[0]).is_some());
    let mut gone = of(&[1], &[]);
    gone.brokers.as_mut().unwrap().registered.remove(&1);
    assert!(obstacle(&nodes, &gone, &[0]).is_some());
    // With another reason it answers as little.
    let mut due = nodes.clone();
    due[0].reasons = BTreeSet::from([RestartReason::ConfigChangeRequiresRestart]);
    assert_eq!(obstacle(&due, &of(&[1, 2], &[]), &[0]), None);
    assert!(!says(obstacle(&due, &of(&[], &[]), &[0]).as_ref(), "kubectl"));
    // Only the listener of its controller is silent: others follow it.
    let mut leads = nodes.clone();
    leads[0].unresponsive_broker = false;
    assert!(says(obstacle(&leads, &of(&[1, 2], &[]), &[0]).as_ref(), "only copy in sync"));
    // A broker that answers is not restarted for that.
    let mut ready = brokers();
    ready[0].reasons = BTreeSet::from([RestartReason::ConfigChangeRequiresRestart]);
    assert!(says(obstacle(&ready, &of(&[1, 2], &[]), &[0]).as_ref(), "only copy in sync"));
}

#[test]
fn a_silent_broker_that_follows_others_is_needed_as_ever() {
    let nodes = brokers_of_which_one_is_silent();
    // Its fetchers have threads of their own: it is in sync.
    let mut kafka = with_failed(&[0, 1, 2], &[1, 0], 2, &[]);
    assert!(says(obstacle(&nodes, &kafka, &[0]).as_ref(), "min.insync.replicas"));
    kafka.brokers.as_mut().unwrap().partitions[0].isr = vec![1, 0, 2];
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
}

#[test]
fn a_silent_node_keeps_what_ends_with_its_pod_even_where_nobody_is_waited_for() {
    let mut nodes = brokers_of_which_one_is_silent();
    nodes[0].loses_storage = true;
    let alone = with_failed(&[0], &[0], 1, &[]);
    let why = obstacle(&nodes, &alone, &[0]);
    assert!(says(why.as_ref(), "which the restart would destroy"), "{why:?}");
    assert!(says(why.as_ref(), "the records that only it has are lost"), "{why:?}");
    nodes[0].reasons = BTreeSet::from([RestartReason::ManualRollingUpdate]);
    assert_eq!(obstacle(&nodes, &alone, &[0]), None, "a user asks for it");
    // The others have it all.
    nodes[0].reasons = BTreeSet::from([RestartReason::PodUnresponsive]);
    let mut kafka = with_failed(&[0, 1, 2], &[0], 2, &[]);
    kafka.brokers.as_mut().unwrap().partitions[0].eligible = vec![1, 2];
    assert_eq!(obstacle(&nodes, &kafka, &[0]), None);
    // What a change of the resource brings is no wish for the loss either.
    nodes[0].reasons = BTreeSet::from([RestartReason::PodHasOldRevision]);
    assert!(says(obstacle(&nodes, &alone, &[0]).as_ref(), "which the restart would destroy"));
    nodes[0].reasons = BTreeSet::from([RestartReason::PodUnresponsive]);
    kafka.brokers.as_mut().unwrap().partitions[0].offline = vec![1];
    assert!(obstacle(&nodes, &kafka, &[0]).is_some(), "one copy would be left, and writes need two");
}

#[test]
fn a_silent_controller_keeps_the_only_log_of_a_quorum() {
    let silent = |id: i32| RollNode {
        state: PodState::Unready,
        long: true,
        loses_storage: true,
        unresponsive: true,
        reasons: BTreeSet::from([RestartReason::PodUnresponsive]),
        ..node(id, true, false)
    };
    let one = kafka(Some(quorum(&[(0, 0)], &[])), &[]);
    assert!(says(obstacle(&[silent(0)], &one, &[0]).as_ref(), "the log of controller 0"));
    let nodes = [silent(0), node(1, true, false), node(2, true, false)];
    let three = kafka(Some(quorum(&[(1, 0), (0, 9000), (2, 0)], &[])), &[]);
    assert_eq!(obstacle(&nodes, &three, &[0]), None);
    // Nobody can be asked, and there is no other node of its kind.
    let nobody = RollKafka::silent(&Silence::new(SilenceKind::Late, "nobody answers"));
    assert!(says(obstacle(&[silent(0)], &nobody, &[0]).as_ref(), "would destroy"));
    let kept = RollNode { loses_storage: false, ..silent(0) };
    assert_eq!(obstacle(&[kept], &nobody, &[0]), None, "its log outlives it");
}

#[test]
fn where_nobody_answers_only_a_node_without_others_of_its_kind_restarts_for_that() {
    let mut nodes = brokers_of_which_one_is_silent();
    for node in &mut nodes[1..] {
        (node.state, node.long, node.unresponsive) = (PodState::Unready, true, true);
    }
    for kind in
        [SilenceKind::Late, SilenceKind::UnderWay, SilenceKind::Unreachable, SilenceKind::OtherCluster]
    {
        let silent = RollKafka::silent(&Silence::new(kind, "nobody answers"));
        let why = obstacle(&nodes, &silent, &[0]);
        assert!(says(why.as_ref(), "the cause lies around them"), "{kind:?}: {why:?}");
        assert_eq!(obstacle(&nodes[..1], &silent, &[0]), None, "{kind:?}");
    }
    // Others answer, but no quorum takes the registration of a broker that restarts.
    nodes = brokers_of_which_one_is_silent();
    let without_leader = kafka(None, &[(&[0, 1, 2], &[0, 1, 2], 2)]);
    assert!(says(obstacle(&nodes, &without_leader, &[0]).as_ref(), "has no leader"));
    // Its own controller may be what the quorum lacks.
    nodes[0].controller = true;
    assert_eq!(obstacle(&nodes, &without_leader, &[0]), None);
}
