//! Certificates and trust that nodes take up without a restart, and those that do not.

use std::collections::BTreeSet;

use api::annotations;
use planner::kafka::certificates::taking_up::PATIENCE;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;

use crate::common::World;
use crate::common::at_work::AtWork;

const PODS: [&str; 3] = ["my-dual-0", "my-dual-1", "my-dual-2"];

fn at_work() -> AtWork {
    let mut cluster = AtWork::settled(World::load("dual-role.input.yaml"));
    cluster.reads_again = PODS.map(str::to_owned).into();
    cluster
}

/// Passes, and between them the processes read what is mounted; restarts that are wanted are made. Returns the last plan.
fn go_on(cluster: &mut AtWork, reading: &[&str]) -> Plan {
    cluster.restarted.clear();
    let mut idle = 0;
    for _ in 0..300 {
        let plan = cluster.pass();
        if let [pod] = plan.roll.now.as_slice() {
            cluster.restarted.push(pod.clone());
            cluster.restart(pod);
            continue;
        }
        for pod in reading {
            cluster.read_again(pod);
        }
        idle = if plan.roll.wanted.is_empty() && plan.taking_up.is_empty() { idle + 1 } else { 0 };
        if idle > 2 {
            return plan;
        }
        let waits = plan.look_again.map_or(1, |pause| pause.as_secs());
        cluster.world.now += jiff::SignedDuration::from_secs(i64::try_from(waits.min(10)).unwrap());
    }
    panic!("it has no end: {:?}", cluster.restarted);
}

#[test]
fn another_key_of_the_authority_restarts_nothing_where_kafka_reads_certificates_again() {
    let mut cluster = at_work();
    cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    let first = cluster.pass();
    assert_eq!(cluster.trusted_authorities(), 2);
    assert!(first.roll.wanted.is_empty(), "{:?}", first.roll.wanted);
    assert_eq!(first.taking_up.keys().map(String::as_str).collect::<Vec<_>>(), PODS);
    assert!(
        first.waiting_for.iter().any(|what| what.contains("my-dual-0 does not use its new certificates yet"))
    );
    go_on(&mut cluster, &PODS);
    assert_eq!(cluster.restarted, Vec::<String>::new());
    cluster.assert_only_the_present_authority();
}

#[test]
fn a_renewed_leaf_and_a_renewed_authority_restart_nothing_either() {
    for (secret, annotation) in
        [("my-cluster-ca-cert", annotations::FORCE_RENEW), ("my-clients-ca-cert", annotations::FORCE_RENEW)]
    {
        let mut cluster = at_work();
        cluster.world.annotate_secret(secret, annotation, "true");
        go_on(&mut cluster, &PODS);
        assert_eq!(cluster.restarted, Vec::<String>::new(), "{secret}");
    }
}

#[test]
fn nothing_is_signed_before_every_node_trusts_the_new_key_and_the_slow_one_restarts() {
    let mut cluster = at_work();
    cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    let begun = cluster.world.now;
    // Two nodes read again at once; the third says so and never gets there.
    let plan = go_on(&mut cluster, &["my-dual-0", "my-dual-1"]);
    assert!(plan.taking_up.is_empty());
    let once_for_each_phase = ["my-dual-2"; 3];
    assert_eq!(
        cluster.restarted, once_for_each_phase,
        "to trust, to be signed anew, to forget the former key"
    );
    assert!(cluster.world.now.duration_since(begun) >= jiff::SignedDuration::try_from(PATIENCE * 3).unwrap());
    cluster.assert_only_the_present_authority();
}

#[test]
fn a_node_that_does_not_get_there_says_why_it_restarts() {
    let mut cluster = at_work();
    cluster.world.annotate_secret("my-cluster-ca-cert", annotations::FORCE_RENEW, "true");
    let mut plan = cluster.pass();
    while plan.roll.wanted.is_empty() {
        cluster.world.now += jiff::SignedDuration::from_secs(60);
        plan = cluster.pass();
    }
    let notes = plan.roll.wanted[0].notes.join("; ");
    assert!(notes.contains("it has not taken them up within 5 minutes"), "{notes}");
    // Whatever keeps the restarts from being made now, they stay due, and the agents are asked now and then.
    let mut questions = 0;
    for _ in 0..20 {
        assert_eq!(plan.roll.wanted.len(), 3);
        cluster.world.now += jiff::SignedDuration::from_secs(20);
        plan = cluster.pass();
        let is_question = |need: &&Need| matches!(need, Need::CertificatesInUse(_));
        questions += cluster.world.asked.iter().filter(is_question).count();
    }
    assert!((5..=7).contains(&questions), "asked {questions} times in 400 seconds");
}

#[test]
fn a_node_that_was_late_and_got_there_before_its_turn_does_not_restart() {
    let mut cluster = at_work();
    cluster.world.annotate_secret("my-cluster-ca-cert", annotations::FORCE_RENEW, "true");
    let mut plan = cluster.pass();
    while plan.roll.wanted.is_empty() {
        cluster.world.now += jiff::SignedDuration::from_secs(60);
        plan = cluster.pass();
    }
    assert_eq!(plan.roll.wanted.len(), 3);
    for pod in PODS {
        cluster.read_again(pod);
    }
    cluster.world.now += jiff::SignedDuration::from_secs(60);
    let plan = cluster.pass();
    assert!(plan.roll.wanted.is_empty() && plan.taking_up.is_empty(), "{:?}", plan.roll.wanted);
    go_on(&mut cluster, &PODS);
    assert_eq!(cluster.restarted, Vec::<String>::new());
}

#[test]
fn a_node_whose_agent_knows_nothing_of_it_restarts_at_once() {
    let mut cluster = at_work();
    cluster.reads_again = BTreeSet::from(["my-dual-0".to_owned(), "my-dual-2".to_owned()]);
    cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    let plan = cluster.pass();
    let wanted: Vec<&str> = plan.roll.wanted.iter().map(|restart| restart.pod.as_str()).collect();
    assert_eq!(wanted, ["my-dual-1"]);
}

#[test]
fn an_authority_that_comes_back_while_trust_in_it_is_taken_away_spreads_anew() {
    let mut cluster = at_work();
    let former =
        ["my-cluster-ca", "my-cluster-ca-cert"].map(|name| cluster.world.observed.secrets[name].clone());
    cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
    while cluster.trusted_authorities() == 1
        || cluster.generation("my-cluster-ca", "strimzi.io/ca-key-generation") == 0
    {
        cluster.pass();
    }
    // On until the Secret trusts the new one alone, and no process has read that yet.
    for _ in 0..100 {
        if cluster.trusted_authorities() == 1 {
            break;
        }
        for pod in PODS {
            cluster.read_again(pod);
        }
        cluster.pass();
    }
    assert_eq!(cluster.trusted_authorities(), 1);
    // One node does at once; then somebody restores the former Secrets. The check of each pass is that nobody shows what another refuses.
    cluster.read_again("my-dual-0");
    for secret in former {
        cluster.world.observed.secrets.insert(secret.metadata.name.clone().unwrap(), secret);
    }
    for _ in 0..4 {
        cluster.pass();
    }
    go_on(&mut cluster, &PODS);
    cluster.assert_only_the_present_authority();
}
