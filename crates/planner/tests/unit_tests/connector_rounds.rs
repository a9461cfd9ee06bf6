//! Rounds over all connectors of a Connect cluster: what is removed, over which resources a pass is brought, and when the next round is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use planner::completion::complete;
use planner::kafka_connector::round::{Declared, Keeps, Look, Names, ObservedRound, Removal, RoundPlan};
use planner::plan::Occasion;

const INTERVAL: Duration = Duration::from_secs(30);

fn names(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

/// A cluster that has the connectors `a` and `b`; `a` is declared, and a pass has seen it as it is.
fn round() -> ObservedRound {
    ObservedRound {
        look: Look::Here(BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)])),
        absent: 0,
        declared: BTreeMap::from([("a".to_owned(), Declared { shown: Some(1), waits: false })]),
        unreadable: BTreeSet::new(),
        left: BTreeSet::new(),
        names: Names::NotNeeded,
        keeps_all: None,
        // It was the turn of `a`, and is that of `b`.
        last_turn: Some("a".to_owned()),
        interval: INTERVAL,
    }
}

fn plan_with(observed: ObservedRound, listed: Option<&BTreeSet<String>>) -> RoundPlan {
    complete(observed, Timestamp::UNIX_EPOCH, |_| listed.cloned()).unwrap().1
}

fn plan(observed: ObservedRound) -> RoundPlan {
    plan_with(observed, None)
}

fn removed(plan: &RoundPlan) -> BTreeSet<String> {
    plan.calls.iter().map(|Removal(name)| name.clone()).collect()
}

#[test]
fn what_no_resource_declares_is_removed_with_an_event_for_each() {
    let planned = plan(round());
    assert_eq!(removed(&planned), names(&["b"]));
    assert!(planned.is_complete && planned.wake.is_empty(), "{planned:?}");
    assert_eq!(planned.look_again, Some(INTERVAL));
    let [event] = &planned.events[..] else { panic!("{:?}", planned.events) };
    assert_eq!(event.reason, "ConnectorRemoved");
    assert!(event.text.contains("connector b "), "{}", event.text);
    assert!(matches!(event.occasion, Occasion::Called { call: 0, is_warning: false, .. }));
    let unreadable = ObservedRound { unreadable: names(&["b"]), ..round() };
    assert!(removed(&plan(unreadable)).is_empty(), "a resource that cannot be read is a declaration");
}

#[test]
fn nothing_is_removed_where_that_is_not_sure_and_passes_go_on() {
    for keeps in [Keeps::Paused, Keeps::Unlisted, Keeps::Shared] {
        let mut observed = ObservedRound { keeps_all: Some(keeps), names: Names::Needed, ..round() };
        observed.declared.insert("b".to_owned(), Declared { shown: None, waits: false });
        let planned = plan(observed);
        assert!(planned.calls.is_empty() && !planned.is_complete, "{keeps:?}: {planned:?}");
        assert_eq!((planned.wake, planned.common.look_again), (names(&["b"]), Some(INTERVAL)));
    }
}

#[test]
fn names_without_a_state_are_listed_once_and_those_whose_resources_left_are_remembered() {
    let first = || ObservedRound { names: Names::Needed, left: names(&["b", "gone"]), ..round() };
    let planned = plan_with(first(), Some(&names(&["a", "b", "hangs"])));
    assert_eq!(removed(&planned), names(&["b", "gone", "hangs"]));
    assert_eq!(planned.forget, names(&["b"]), "it comes again with the list");
    assert!(planned.is_complete);
    let planned = plan_with(first(), None);
    assert_eq!(removed(&planned), names(&["b", "gone"]));
    assert!(!planned.is_complete);
    assert!(planned.look_again.unwrap() < INTERVAL, "the names are asked for again soon");
}

#[test]
fn a_round_removes_no_more_than_it_can_and_the_next_one_is_soon() {
    let many = (0..1500).map(|number| (format!("c{number}"), 1)).collect();
    let planned = plan(ObservedRound { look: Look::Here(many), ..round() });
    assert_eq!((planned.calls.len(), planned.events.len()), (1000, 1000));
    assert!(!planned.is_complete && planned.look_again.unwrap() < INTERVAL);
}

#[test]
fn a_pass_is_brought_over_what_changed_what_waits_and_what_is_asked_for_its_topics() {
    let mut observed = round();
    let shown = |shown, waits| Declared { shown, waits };
    observed.declared = BTreeMap::from([
        ("a".to_owned(), shown(Some(7), false)),
        ("b".to_owned(), shown(Some(2), false)),
        ("gone".to_owned(), shown(Some(3), false)),
        ("known-to-be-gone".to_owned(), shown(Some(0), false)),
        ("waiting".to_owned(), shown(Some(0), true)),
    ]);
    let planned = plan(observed);
    assert_eq!(planned.ask_topics, ["b"]);
    assert_eq!(planned.wake, names(&["a", "b", "gone", "waiting"]));
    assert!(planned.calls.is_empty());
}

#[test]
fn a_cluster_that_does_not_answer_keeps_everything_and_connectors_that_were_ready_are_told() {
    let mut observed = ObservedRound { look: Look::Away, ..round() };
    observed.declared.insert("waiting".to_owned(), Declared { shown: None, waits: true });
    let planned = plan(observed.clone());
    assert_eq!((planned.wake.clone(), planned.calls.len()), (names(&["a"]), 0));
    assert!(planned.look_again.unwrap() < INTERVAL);
    observed.look = Look::NoAddress;
    let planned = plan(observed);
    assert_eq!((planned.wake.clone(), planned.calls.len()), (names(&["a", "waiting"]), 0));
    assert_eq!(planned.look_again, None, "the event of its Service brings the next round");
}
