use super::*;
use crate::config::{Alterable, Kinds};
use crate::test_resources::{partition, resource};
use proptest::prelude::*;

/// Whether nothing has to be written to Kafka.
fn is_quiet(plan: &Plan) -> bool {
    plan.create.is_none()
        && plan.config.set.is_empty()
        && plan.config.remove.is_empty()
        && plan.grow_to.is_none()
        && !matches!(plan.replicas, Replicas::Ended | Replicas::Start { .. })
}

fn settings() -> PlanSettings {
    PlanSettings {
        use_finalizers: true,
        alterable: Alterable::All,
        cruise_control: false,
        cluster_namespace: "ns".into(),
    }
}

fn owner() -> Claim {
    Claim::Owner { heir: None }
}

fn with_finalizer(name: &str) -> TopicResource {
    let mut r = resource(name);
    r.finalizers = [api::annotations::FINALIZER_TOPIC_OPERATOR.into()].into();
    r
}

fn observed(partitions: Vec<PartitionState>) -> ObservedTopic {
    ObservedTopic { id: "id".into(), partitions, config: Config::default(), kinds: Kinds::new() }
}

fn brokers(count: i32) -> Vec<Broker> {
    (0..count).map(|id| Broker { id, rack: None }).collect()
}

fn decide(r: &TopicResource, claim: &Claim) -> Intent {
    intent(r, claim, false)
}

#[test]
fn a_managed_resource_is_compared_with_kafka() {
    assert_eq!(decide(&resource("t"), &owner()), Intent::Reconcile);
}

#[test]
fn deletion_deletes_the_topic_the_resource_managed() {
    let mut r = with_finalizer("t");
    r.deleting = true;
    assert_eq!(decide(&r, &owner()), Intent::Delete("t".into()));
    r.status.topic_name = Some("old".into());
    assert_eq!(decide(&r, &owner()), Intent::Delete("old".into()));
    r.paused = true;
    assert_eq!(decide(&r, &owner()), Intent::Delete("old".into()));
}

#[test]
fn deletion_never_deletes_what_another_resource_manages_or_wants() {
    let mut r = with_finalizer("t");
    r.deleting = true;
    assert_eq!(decide(&r, &Claim::TakenBy(ResourceRef::new("ns", "other"))), Intent::Release);
    let heir = ResourceRef::new("ns", "heir");
    assert_eq!(decide(&r, &Claim::Owner { heir: Some(heir.clone()) }), Intent::HandOver(heir));
}

#[test]
fn only_a_resource_that_stays_inherits_a_topic() {
    let heir = resource("t");
    assert!(is_heir(&heir, "t") && !is_heir(&heir, "other"));
    for spoil in [
        |r: &mut TopicResource| r.deleting = true,
        |r: &mut TopicResource| r.managed = false,
        |r: &mut TopicResource| r.selected = false,
    ] {
        let mut heir = resource("t");
        spoil(&mut heir);
        assert!(!is_heir(&heir, "t"));
    }
}

#[test]
fn kafkas_own_topics_outlive_their_resources() {
    for topic in ["__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata"] {
        let mut r = with_finalizer("t");
        r.topic_name = topic.into();
        assert_eq!(intent_of_unwatched(&r, None, false, true), None, "{topic}");
        r.deleting = true;
        assert_eq!(decide(&r, &owner()), Intent::Release, "{topic}");
    }
    let mut r = with_finalizer("t");
    r.topic_name = "__strimzi_store_topic".into();
    r.deleting = true;
    assert_eq!(decide(&r, &owner()), Intent::Delete("__strimzi_store_topic".into()));
}

#[test]
fn deletion_of_an_unmanaged_resource_leaves_the_topic() {
    let mut r = with_finalizer("t");
    r.deleting = true;
    r.managed = false;
    assert_eq!(decide(&r, &owner()), Intent::Release);
    r.finalizers = Box::default();
    assert_eq!(decide(&r, &owner()), Intent::Nothing);
}

#[test]
fn a_cluster_that_goes_away_takes_the_finalizers_with_it() {
    let mut r = with_finalizer("t");
    assert_eq!(intent(&r, &owner(), true), Intent::Release);
    r.deleting = true;
    assert_eq!(intent(&r, &owner(), true), Intent::Release);
}

#[test]
fn a_namespace_that_ends_is_not_held_up() {
    let mut r = with_finalizer("t");
    let lets_go = |r: &TopicResource, ends, kafka_answers| lets_go(r, ends, kafka_answers, &settings());
    assert!(!lets_go(&r, false, true) && !lets_go(&r, false, false));
    assert!(lets_go(&r, true, true), "the cluster ends with its own namespace");
    // Watched or granted: what counts is where the cluster is.
    for home in [true, false] {
        r.reference = ResourceRef::new("another", "t");
        r.home = home;
        assert!(!lets_go(&r, true, true), "another namespace has its topics deleted");
        assert!(lets_go(&r, true, false), "but does not wait for Kafka");
    }
}

#[test]
fn a_resource_that_left_the_watch_is_deleted_only_when_it_is_really_gone() {
    let kept = settings();
    let without = PlanSettings { use_finalizers: false, ..settings() };
    let (plain, held) = (resource("t"), with_finalizer("t"));
    assert!(wants_lookup(&held, false, false, &kept) && !wants_lookup(&plain, true, false, &kept));
    assert!(wants_lookup(&plain, true, false, &without) && !wants_lookup(&plain, false, false, &without));
    assert!(wants_lookup(&held, false, true, &kept), "a cluster that goes away leaves no finalizer");
    assert!(!wants_lookup(&plain, true, true, &without), "but no topic is deleted any more");
    assert_eq!(intent_of_unwatched(&plain, None, false, true), Some(Intent::Delete("t".into())));
    assert_eq!(intent_of_unwatched(&plain, None, true, true), None, "somebody wants the topic");
    assert_eq!(intent_of_unwatched(&plain, None, false, false), None, "the finalizer would have told");
    assert_eq!(intent_of_unwatched(&plain, Some(&plain), false, true), None, "it is still there");
    let mut relabelled = held.clone();
    relabelled.selected = false;
    assert_eq!(intent_of_unwatched(&held, Some(&relabelled), false, false), Some(Intent::Release));
    let (mut managed, mut adopted) = (held.clone(), relabelled.clone());
    (managed.status.topic_id, adopted.status.topic_id) = (Some("ours".into()), Some("theirs".into()));
    assert_eq!(
        intent_of_unwatched(&managed, Some(&adopted), false, false),
        None,
        "it is another operator's by now"
    );
    let despite_finalizer = intent_of_unwatched(&held, None, false, true);
    assert_eq!(despite_finalizer, Some(Intent::Delete("t".into())), "the finalizer came too late");
    relabelled.uid = "another".into();
    assert_eq!(intent_of_unwatched(&held, Some(&relabelled), false, false), None);
}

#[test]
fn a_resource_whose_label_left_is_released() {
    let mut r = with_finalizer("t");
    r.selected = false;
    assert_eq!(decide(&r, &owner()), Intent::Release);
}

#[test]
fn unmanaged_comes_before_paused_and_paused_before_everything_else() {
    let mut r = resource("a b");
    r.managed = false;
    r.paused = true;
    assert_eq!(decide(&r, &owner()), Intent::ReportUnmanaged);
    r.managed = true;
    assert_eq!(decide(&r, &owner()), Intent::ReportPaused);
}

fn refusal(r: &TopicResource) -> Refusal {
    match decide(r, &owner()) {
        Intent::Refuse(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_input_is_refused_with_the_field_and_the_value() {
    let mut r = resource("t");
    r.topic_name = "a b".into();
    assert_eq!(refusal(&r).reason, reasons::KAFKA_ERROR);
    let mut r = resource("t");
    r.partitions = Some(0);
    assert!(refusal(&r).message.contains("spec.partitions is 0"));
    let mut r = resource("t");
    r.replicas = Some(40_000);
    assert!(refusal(&r).message.contains("spec.replicas is 40000"));
    let mut r = resource("t");
    r.config = Err("spec.config.x is null".into());
    assert_eq!(refusal(&r), Refusal::new(reasons::INVALID_RESOURCE, "spec.config.x is null"));
    let mut r = resource("t");
    r.status.topic_name = Some("before".into());
    assert_eq!(refusal(&r).reason, reasons::NOT_SUPPORTED);
    assert!(refusal(&r).message.contains("manages topic 'before'"));
}

#[test]
fn a_topic_that_another_resource_manages_is_a_conflict() {
    match decide(&resource("t"), &Claim::TakenBy(ResourceRef::new("ns", "other"))) {
        Intent::Refuse(f) => {
            assert_eq!(f.reason, reasons::RESOURCE_CONFLICT);
            assert_eq!(f.message, "Managed by Ref{namespace='ns', name='other'}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_missing_topic_is_created_with_the_brokers_defaults_where_nothing_is_said() {
    let mut r = resource("t");
    r.partitions = Some(6);
    let p = plan(&r, None, &[], &settings());
    assert_eq!(p.create, Some(Creation { partitions: Some(6), replicas: None, config: Config::default() }));
}

#[test]
fn partitions_grow_and_never_shrink() {
    let mut r = resource("t");
    r.partitions = Some(3);
    let p = plan(&r, Some(&observed(vec![partition(0, &[0])])), &[], &settings());
    assert_eq!(p.grow_to, Some(3));
    r.partitions = Some(1);
    let topic = observed(vec![partition(0, &[0]), partition(1, &[0])]);
    let p = plan(&r, Some(&topic), &[], &settings());
    assert_eq!(p.grow_to, None);
    assert_eq!(p.refusals[0].reason, reasons::NOT_SUPPORTED);
    assert!(p.refusals[0].message.contains("spec.partitions is 1, the topic has 2"));
}

#[test]
fn partitions_that_wait_for_the_end_of_a_move_are_told_of() {
    let mut r = resource("t");
    (r.partitions, r.replicas) = (Some(2), Some(1));
    let mut moving = partition(0, &[0, 1]);
    (moving.adding, moving.removing) = (vec![1], vec![0]);
    let p = plan(&r, Some(&observed(vec![moving])), &brokers(2), &settings());
    assert_eq!((p.grow_to, p.refusals.len()), (None, 1));
    assert_eq!(p.refusals[0].reason, reasons::KAFKA_ERROR);
    let why = &p.refusals[0].message;
    assert!(why.contains("spec.partitions is 2, the topic has 1") && why.contains("move"), "{why}");
}

#[test]
fn a_refused_partition_count_does_not_hold_up_the_configuration() {
    let mut r = resource("t");
    r.partitions = Some(1);
    r.config = Ok(Config::from_pairs([("retention.ms", "1")]));
    let topic = observed(vec![partition(0, &[0]), partition(1, &[0])]);
    let p = plan(&r, Some(&topic), &[], &settings());
    assert_eq!(p.refusals.len(), 1);
    assert_eq!(p.config.set.len(), 1);
}

#[test]
fn a_replication_factor_change_starts_runs_and_ends() {
    let mut r = resource("t");
    r.replicas = Some(2);
    let before = observed(vec![partition(0, &[0]), partition(1, &[1])]);
    let Replicas::Start { moves, throttles } = plan(&r, Some(&before), &brokers(3), &settings()).replicas
    else {
        panic!("no moves");
    };
    assert_eq!(moves.len(), 2);
    assert!(!throttles.followers.is_empty());

    // The operator was restarted; Kafka is at it.
    let mut during = before.clone();
    for (p, m) in during.partitions.iter_mut().zip(&moves) {
        p.replicas.clone_from(&m.replicas);
        p.adding = vec![m.replicas[1]];
    }
    let p = plan(&r, Some(&during), &brokers(3), &settings());
    assert_eq!(p.replicas, Replicas::Moving { left: 2 });

    r.status.replicas_change = Some(Box::new(ReplicasChange {
        target: 2,
        state: ChangeState::Ongoing,
        message: None,
        session: None,
    }));
    let mut after = during.clone();
    for p in &mut after.partitions {
        p.adding.clear();
    }
    after.config = Config::from_pairs([(THROTTLE_KEYS[0], "0:0"), (THROTTLE_KEYS[1], "0:1")]);
    for cruise_control in [false, true] {
        let p = plan(&r, Some(&after), &brokers(3), &PlanSettings { cruise_control, ..settings() });
        assert_eq!(p.replicas, Replicas::Ended);
        assert_eq!(p.config.remove.len(), 2, "throttles are removed");
    }
    r.status.replicas_change = None;
    after.config = Config::default();
    assert!(is_quiet(&plan(&r, Some(&after), &brokers(3), &settings())));
}

#[test]
fn a_change_is_reported_with_its_target_until_it_ends() {
    let known = ReplicasChange { target: 3, state: ChangeState::Pending, message: None, session: None };
    assert_eq!(Replicas::AsWanted.report(Some(3), Some(&known)), None);
    assert_eq!(Replicas::Ended.report(Some(3), Some(&known)), None);
    let waiting = Replicas::Wait.report(Some(2), None).unwrap();
    assert_eq!((waiting.target, waiting.state), (2, ChangeState::Pending));
    // The factor left the resource in the middle of the change.
    let moving = Replicas::Moving { left: 4 }.report(None, Some(&known)).unwrap();
    assert_eq!((moving.target, moving.state), (3, ChangeState::Ongoing));
    assert_eq!(moving.message.as_deref(), Some("4 partitions are being moved"));
}

#[test]
fn more_replicas_than_brokers_is_told_apart_from_a_move() {
    let mut r = resource("t");
    r.replicas = Some(3);
    let p = plan(&r, Some(&observed(vec![partition(0, &[0])])), &brokers(2), &settings());
    assert_eq!(p.refusals[0].reason, reasons::KAFKA_ERROR);
    assert!(p.refusals[0].message.contains("spec.replicas is 3 but only 2 brokers"));
    assert_eq!(p.replicas, Replicas::AsWanted);
}

#[test]
fn new_partitions_come_before_new_replicas() {
    let mut r = resource("t");
    r.replicas = Some(2);
    r.partitions = Some(2);
    let p = plan(&r, Some(&observed(vec![partition(0, &[0])])), &brokers(2), &settings());
    assert_eq!(p.grow_to, Some(2));
    assert_eq!(p.replicas, Replicas::Wait);
}

#[test]
fn cruise_controls_throttles_are_left_alone_and_the_resources_own_are_warned_about() {
    let mut topic = observed(vec![partition(0, &[0])]);
    topic.config = Config::from_pairs([(THROTTLE_KEYS[0], "*")]);
    let mut r = resource("t");
    let cc = PlanSettings { cruise_control: true, ..settings() };
    assert!(is_quiet(&plan(&r, Some(&topic), &[], &cc)));
    assert_eq!(plan(&r, Some(&topic), &[], &settings()).config.remove, [THROTTLE_KEYS[0]]);
    r.config = Ok(Config::from_pairs([(THROTTLE_KEYS[1], "*")]));
    let p = plan(&r, Some(&topic), &[], &cc);
    assert_eq!(p.config.set.len(), 1);
    assert_eq!(p.warnings.len(), 1);
}

#[test]
fn a_key_that_is_not_alterable_is_a_warning() {
    let mut r = resource("t");
    r.config = Ok(Config::from_pairs([("retention.ms", "1")]));
    let strict = PlanSettings { alterable: Alterable::None, ..settings() };
    let p = plan(&r, Some(&observed(vec![partition(0, &[0])])), &[], &strict);
    assert!(is_quiet(&p));
    assert!(p.warnings[0].contains("spec.config.retention.ms"));
}

proptest! {
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_do(
        partitions in proptest::option::of(1..6_i32),
        replicas in proptest::option::of(1..4_i32),
        have in 1..6_i32,
        have_replicas in 1..4_i32,
        config in proptest::collection::btree_map("[a-c]", "[0-2]", 0..3),
        actual in proptest::collection::btree_map("[a-c]", "[0-2]", 0..3),
    ) {
        let mut r = resource("t");
        r.partitions = partitions;
        r.replicas = replicas;
        r.config = Ok(Config::from_pairs(config));
        let ids: Vec<i32> = (0..have_replicas).collect();
        let mut topic = observed((0..have).map(|i| partition(i, &ids)).collect());
        topic.config = Config::from_pairs(actual);
        let mut refused = false;
        for _ in 0..3 {
            let p = plan(&r, Some(&topic), &brokers(3), &settings());
            refused |= !p.refusals.is_empty();
            if let Some(count) = p.grow_to {
                for i in topic.partitions.len() as i32..count {
                    topic.partitions.push(partition(i, &ids));
                }
            }
            if let Replicas::Start { moves, .. } = p.replicas {
                for m in moves {
                    topic.partitions[m.partition as usize] = partition(m.partition, &m.replicas);
                }
            }
            topic.config = r.config.clone().unwrap();
        }
        let last = plan(&r, Some(&topic), &brokers(3), &settings());
        prop_assert!(is_quiet(&last), "{:?}", last);
        prop_assert_eq!(refused, partitions.is_some_and(|n| n < have));
        if let Some(n) = replicas {
            prop_assert!(topic.partitions.iter().all(|p| p.replicas.len() as i32 == n));
        }
    }
}

#[test]
fn what_kafka_needs_of_its_own_topics_is_neither_taken_out_nor_outgrown() {
    let mut r = resource("offsets");
    r.topic_name = "__consumer_offsets".into();
    r.partitions = Some(60);
    r.config = Ok(Config::from_pairs([("segment.bytes", "2")]));
    let mut topic = observed((0..50).map(|i| partition(i, &[1])).collect());
    topic.config = Config::from_pairs([("cleanup.policy", "compact"), ("segment.bytes", "1")]);
    let p = plan(&r, Some(&topic), &[], &settings());
    // Without compaction, the offsets of all groups would be deleted after a week.
    assert_eq!((p.config.set, p.config.remove), (vec![("segment.bytes".into(), "2".into())], vec![]));
    // With more partitions, groups would look for their offsets in others.
    assert_eq!((p.grow_to, p.refusals.len()), (None, 1));
    assert!(p.refusals[0].message.contains("spec.partitions is 60"), "{:?}", p.refusals);
    r.partitions = Some(50);
    assert!(plan(&r, Some(&topic), &[], &settings()).refusals.is_empty());
    // Those of programs are the programs' own matter.
    r.topic_name = "__amazon_msk_canary".into();
    r.partitions = Some(60);
    let p = plan(&r, Some(&topic), &[], &settings());
    assert_eq!((p.grow_to, p.config.remove), (Some(60), vec!["cleanup.policy".to_owned()]));
}
