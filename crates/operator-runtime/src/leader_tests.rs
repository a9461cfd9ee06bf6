use super::*;

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
    assert_eq!(decide(&lease, "a", Duration::ZERO, at(1), LEASE), Decision::Take);
    let free = released(&lease, at(1));
    assert_eq!(decide(&free, "b", Duration::ZERO, at(1), LEASE), Decision::Take);
    assert_eq!(decide(&Lease::default(), "b", Duration::ZERO, at(1), LEASE), Decision::Take);
}

#[test]
fn a_foreign_lease_is_taken_when_it_did_not_change_for_its_duration() {
    let lease = held(None, &config("a"), at(0));
    assert_eq!(
        decide(&lease, "b", Duration::from_secs(4), at(5), LEASE),
        Decision::Wait(Duration::from_secs(11))
    );
    assert_eq!(decide(&lease, "b", Duration::from_secs(15), at(16), LEASE), Decision::Take);
}

#[test]
fn clocks_that_differ_by_half_a_minute_do_not_matter() {
    let lease = held(None, &config("a"), at(0));
    for clock in [-30, 30] {
        let decision = decide(&lease, "b", Duration::from_secs(1), at(clock), LEASE);
        assert_eq!(decision, Decision::Wait(Duration::from_secs(14)));
    }
}

#[test]
fn a_lease_that_nobody_renewed_for_minutes_is_taken_at_once() {
    let lease = held(None, &config("a"), at(0));
    assert_eq!(decide(&lease, "b", Duration::ZERO, at(61), LEASE), Decision::Take);
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
