use super::*;
use crate::env::Env;

const LEASE: Duration = Duration::from_secs(15);

fn config(identity: &str) -> LeaderConfig {
    LeaderConfig {
        lease_name: "l".into(),
        lease_namespace: "n".into(),
        identity: identity.into(),
        lease_duration: LEASE,
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(2),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

#[test]
fn a_free_lease_or_our_own_is_taken() {
    let lease = held(None, &config("a"), at(0));
    assert_eq!(decide(&lease, &config("a"), Duration::ZERO, at(1)), Decision::Take);
    let free = released(&lease, at(1));
    assert_eq!(decide(&free, &config("b"), Duration::ZERO, at(1)), Decision::Take);
    assert_eq!(decide(&Lease::default(), &config("b"), Duration::ZERO, at(1)), Decision::Take);
}

#[test]
fn a_foreign_lease_is_taken_when_it_did_not_change_for_its_duration() {
    let lease = held(None, &config("a"), at(0));
    assert_eq!(
        decide(&lease, &config("b"), Duration::from_secs(4), at(5)),
        Decision::Wait(Duration::from_secs(11))
    );
    assert_eq!(decide(&lease, &config("b"), Duration::from_secs(15), at(16)), Decision::Take);
}

#[test]
fn clocks_that_differ_by_half_a_minute_do_not_matter() {
    let lease = held(None, &config("a"), at(0));
    for clock in [-30, 30] {
        let decision = decide(&lease, &config("b"), Duration::from_secs(1), at(clock));
        assert_eq!(decision, Decision::Wait(Duration::from_secs(14)));
    }
}

#[test]
fn a_lease_that_nobody_renewed_for_minutes_is_taken_soon() {
    let lease = held(None, &config("a"), at(0));
    assert_eq!(decide(&lease, &config("b"), Duration::from_secs(10), at(65)), Decision::Take);
}

#[test]
fn a_clock_that_is_minutes_ahead_does_not_take_the_lease_from_a_leader_that_renews_it() {
    let lease = held(None, &config("a"), at(0));
    for unchanged in 0..10 {
        let decision = decide(&lease, &config("b"), Duration::from_secs(unchanged), at(300));
        assert_eq!(decision, Decision::Wait(Duration::from_secs(10 - unchanged)));
    }
}

#[test]
fn the_record_keeps_what_java_operators_read() {
    let first = held(None, &config("a"), at(0)).spec.unwrap();
    assert_eq!(
        (first.holder_identity.as_deref(), first.lease_duration_seconds, first.lease_transitions),
        (Some("a"), Some(15), Some(0))
    );
    let lease = held(None, &config("a"), at(0));
    let renewed = held(Some(&lease), &config("a"), at(2)).spec.unwrap();
    assert_eq!(renewed.acquire_time.unwrap().0, at(0));
    assert_eq!((renewed.renew_time.unwrap().0, renewed.lease_transitions), (at(2), Some(0)));
    let taken = held(Some(&lease), &config("b"), at(20)).spec.unwrap();
    assert_eq!((taken.acquire_time.unwrap().0, taken.lease_transitions), (at(20), Some(1)));
}

#[test]
fn durations_that_allow_two_leaders_are_refused() {
    let env = Env::from_map([
        ("STRIMZI_LEADER_ELECTION_ENABLED", "true"),
        ("STRIMZI_LEADER_ELECTION_LEASE_NAME", "l"),
        ("STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE", "n"),
        ("STRIMZI_LEADER_ELECTION_LEASE_DURATION_MS", "5000"),
    ]);
    LeaderConfig::from_env(&env);
    let text = env.finish().unwrap_err().to_string();
    assert!(text.contains("STRIMZI_LEADER_ELECTION_IDENTITY is not set"), "{text}");
    assert!(text.contains("STRIMZI_LEADER_ELECTION_LEASE_DURATION_MS='5000'"), "{text}");
}

#[test]
fn the_lease_has_to_outlast_the_leader_in_the_whole_seconds_that_others_read() {
    let judged = |lease: &str, renew: &str| {
        let env = Env::from_map([
            ("STRIMZI_LEADER_ELECTION_ENABLED", "true"),
            ("STRIMZI_LEADER_ELECTION_LEASE_NAME", "l"),
            ("STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE", "n"),
            ("STRIMZI_LEADER_ELECTION_IDENTITY", "a"),
            ("STRIMZI_LEADER_ELECTION_LEASE_DURATION_MS", lease),
            ("STRIMZI_LEADER_ELECTION_RENEW_DEADLINE_MS", renew),
        ]);
        LeaderConfig::from_env(&env);
        env.finish().map_err(|error| error.to_string())
    };
    let text = judged("15900", "15200").unwrap_err();
    assert!(text.contains("LEASE_DURATION_MS='15900'") && text.contains("16000 or more"), "{text}");
    assert!(judged("15900", "15000").unwrap_err().contains("16000 or more"));
    assert!(judged("16000", "15200").is_ok());
    assert!(judged("15900", "14900").is_ok());
}
