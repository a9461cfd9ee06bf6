#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_admin::PatternType;

use super::*;
use crate::secret_view::SecretView;
use crate::snapshot::Held;

pub(crate) fn user(name: &str, spec: &Value) -> KafkaUser {
    serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": name, "namespace": "ns", "uid": "u", "generation": 1, "labels": {"strimzi.io/cluster": "c", "team": "a"}},
        "spec": spec,
    }))
    .unwrap()
}

pub(crate) fn settings() -> PlanSettings {
    test_settings()
}

/// What stands in the way, in one.
fn problem(plan: &Plan) -> Option<Refusal> {
    Refusal::joined(&plan.refusals)
}

pub(crate) fn now() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

pub(crate) fn days(days: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + days * 86_400).unwrap()
}

pub(crate) fn view(user: &KafkaUser, certificate: Certificate) -> SecretView {
    let metadata = Metadata::of(user).unwrap();
    let keys = if matches!(certificate, Certificate::Missing) { 0b110_0000 } else { 0b1_1111 };
    SecretView {
        version: 1,
        uid: "s".into(),
        owner: Some((user.name_any(), "u".into())),
        labels: metadata.labels,
        annotations: metadata.annotations,
        own_metadata: None,
        keys,
        certificate,
        since: None,
        mark: Some(1).filter(|_| certificate != Certificate::Missing),
        offer: Certificate::Missing,
        offer_mark: None,
        authority: Some(7),
        password: None,
        jaas_fits: false,
    }
}

pub(crate) fn password_view(user: &KafkaUser, password: &str) -> SecretView {
    SecretView {
        password: Some(Password::new(password)),
        jaas_fits: true,
        authority: None,
        ..view(user, Certificate::Missing)
    }
}

pub(crate) fn kafka() -> UserInKafka {
    UserInKafka { acls_supported: true, ..UserInKafka::default() }
}

pub(crate) fn seen(secret: Option<&SecretView>) -> Observed {
    let secret = secret.cloned().map(Arc::new);
    Observed { secret, kafka: Some(kafka()), authority: Some(Ok(7)), ..Observed::default() }
}

fn acl(resource: &Value, operations: &[&str]) -> Value {
    json!({"type": "simple", "acls": [{"resource": resource, "operations": operations}]})
}

#[test]
fn a_new_tls_user_gets_a_certificate_rules_and_quotas_under_its_common_name() {
    let user = user(
        "bob",
        &json!({
            "authentication": {"type": "tls"},
            "authorization": acl(&json!({"type": "topic", "name": "t-", "patternType": "prefix"}), &["Read", "Describe"]),
            "quotas": {"producerByteRate": 1000, "controllerMutationRate": 0.5},
        }),
    );
    let plan = plan(&user, &seen(None), &settings(), now());
    assert_eq!(problem(&plan), None);
    assert_eq!(plan.secret, SecretStep::Issue { validity_days: 365, reasons: vec![LeafReason::Missing] });
    assert_eq!(plan.kafka.create.len(), 2);
    assert_eq!(plan.kafka.create[0].principal, "User:CN=bob");
    assert_eq!(plan.kafka.create[0].pattern, PatternType::Prefixed);
    assert_eq!(plan.kafka.create[0].host, "*");
    let quotas = &plan.kafka.quotas[&QuotaEntity::user("CN=bob")];
    assert_eq!(quotas["producer_byte_rate"], Some(1000.0));
    assert_eq!(quotas["controller_mutation_rate"], Some(0.5));
    assert!(!plan.kafka.set_password && !plan.kafka.delete_password);
    let labels = plan.metadata.unwrap().labels;
    assert_eq!(labels["strimzi.io/kind"], "KafkaUser");
    assert_eq!(labels["app.kubernetes.io/part-of"], "strimzi-bob");
    assert_eq!(labels["team"], "a");
}

#[test]
fn a_certificate_that_ends_with_its_authority_is_not_renewed_again_and_again() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}}));
    let secret = view(&tls, Certificate::Valid(days(20)));
    let is_issued = |ends| {
        let seen = Observed { authority_ends: Some(days(ends)), ..seen(Some(&secret)) };
        matches!(plan(&tls, &seen, &settings(), now()).secret, SecretStep::Issue { .. })
    };
    assert!(is_issued(300));
    assert!(!is_issued(20));
}

#[test]
fn certificates_are_renewed_for_each_reason_and_only_then() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}}));
    let own_days =
        user("bob", &json!({"authentication": {"type": "tls", "validityDays": 100, "renewalDays": 50}}));
    let closed =
        PlanSettings { windows: vec![pki::MaintenanceWindow::parse("* * 3 * * ?").unwrap()], ..settings() };
    let reasons = |user: &KafkaUser, view: &SecretView, settings: &PlanSettings| match plan(
        user,
        &seen(Some(view)),
        settings,
        now(),
    )
    .secret
    {
        SecretStep::Issue { reasons, .. } => reasons,
        SecretStep::Keep => Vec::new(),
        other => panic!("{other:?}"),
    };
    let valid = |left: i64| view(&tls, Certificate::Valid(days(left)));
    assert_eq!(reasons(&tls, &valid(31), &settings()), []);
    assert_eq!(reasons(&tls, &valid(30), &settings()), [LeafReason::Expiring]);
    assert_eq!(reasons(&own_days, &valid(49), &settings()), [LeafReason::Expiring]);
    assert_eq!(reasons(&tls, &valid(30), &closed), []);
    assert_eq!(reasons(&tls, &valid(-1), &closed), [LeafReason::Expired]);
    assert_eq!(reasons(&tls, &view(&tls, Certificate::Broken), &settings()), [LeafReason::Broken]);
    let other_ca = SecretView { authority: Some(8), ..valid(300) };
    assert_eq!(reasons(&tls, &other_ca, &closed), [LeafReason::AuthorityChanged]);
    let mut forced = valid(300);
    forced.annotations.insert("strimzi.io/force-renew".into(), "true".into());
    assert_eq!(reasons(&tls, &forced, &closed), [LeafReason::Forced]);
}

#[test]
fn a_broken_authority_stands_only_in_the_way_of_new_certificates() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": 5}}));
    let planned = |view: &SecretView| {
        let mut observed = seen(Some(view));
        observed.authority = Some(Err("Secret ca has no key ca.key".into()));
        plan(&tls, &observed, &settings(), now())
    };
    let mut valid = view(&tls, Certificate::Valid(days(300)));
    let kept = planned(&valid);
    assert_eq!((problem(&kept), kept.secret, kept.kafka.quotas.len()), (None, SecretStep::Keep, 1));
    valid.annotations.insert("strimzi.io/force-renew".into(), "true".into());
    assert_eq!(problem(&planned(&valid)), None);
    for certificate in [Certificate::Valid(days(20)), Certificate::Valid(days(-1)), Certificate::Broken] {
        let problem = problem(&planned(&view(&tls, certificate))).unwrap();
        assert!(problem.message.contains("no key ca.key"), "{problem:?}");
    }
}

#[test]
fn lost_labels_and_stores_are_put_back_without_a_new_key() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}}));
    let mut bare = view(&tls, Certificate::Valid(days(300)));
    bare.labels.remove("team");
    assert_eq!(plan(&tls, &seen(Some(&bare)), &settings(), now()).secret, SecretStep::Refresh);
    let mut without_store = view(&tls, Certificate::Valid(days(300)));
    without_store.keys &= 0b0_0111;
    assert_eq!(plan(&tls, &seen(Some(&without_store)), &settings(), now()).secret, SecretStep::Refresh);
    let off = PlanSettings { pkcs12: false, ..settings() };
    assert_eq!(plan(&tls, &seen(Some(&without_store)), &off, now()).secret, SecretStep::Keep);
}

#[test]
fn passwords_are_kept_and_told_to_kafka_when_it_may_not_know_them() {
    let scram = user("bob", &json!({"authentication": {"type": "scram-sha-512"}}));
    let fresh = plan(&scram, &seen(None), &settings(), now());
    assert_eq!(fresh.secret, SecretStep::Password(None));
    assert!(fresh.kafka.set_password);
    let secret = password_view(&scram, "old");
    let mut observed = seen(Some(&secret));
    observed.kafka =
        Some(UserInKafka { plain: Held { scram: Some(SCRAM_ITERATIONS), ..Held::default() }, ..kafka() });
    let after_a_start = plan(&scram, &observed, &settings(), now());
    assert_eq!(after_a_start.secret, SecretStep::Keep);
    assert!(after_a_start.kafka.set_password);
    observed.acknowledged = Some(Password::new("old"));
    assert_eq!(plan(&scram, &observed, &settings(), now()).kafka, KafkaChanges::default());
    let mut foreign = observed.clone();
    let other_rounds = Held { scram: Some(8192), ..Held::default() };
    foreign.kafka = Some(UserInKafka { plain: other_rounds, ..kafka() });
    assert!(plan(&scram, &foreign, &settings(), now()).kafka.set_password, "somebody else set a password");
    observed.desired_password = Some(Ok(Password::new("new")));
    let changed = plan(&scram, &observed, &settings(), now());
    assert_eq!(changed.secret, SecretStep::Password(Some(Password::new("new"))));
    assert!(changed.kafka.set_password);
}

#[test]
fn changing_the_kind_of_authentication_clears_what_the_other_left() {
    let held = Held {
        rules: rights::wanted(
            &user("bob", &json!({"authorization": acl(&json!({"type": "group", "name": "g"}), &["Read"])})),
            &settings(),
            None,
        )
        .unwrap()
        .rules,
        quotas: [("producer_byte_rate".to_owned(), 5.0)].into(),
        scram: Some(SCRAM_ITERATIONS),
    };
    let external = user("bob", &json!({"authentication": {"type": "tls-external"}}));
    let secret = password_view(&external, "old");
    let mut observed = seen(Some(&secret));
    observed.kafka = Some(UserInKafka { plain: held.clone(), ..kafka() });
    let to_certificate = plan(&external, &observed, &settings(), now());
    assert_eq!(to_certificate.secret, SecretStep::Delete);
    assert!(to_certificate.kafka.delete_password);
    assert_eq!(to_certificate.kafka.delete[0].principal, "User:bob");
    assert_eq!(to_certificate.kafka.quotas[&QuotaEntity::user("bob")]["producer_byte_rate"], None);

    let scram = user("bob", &json!({"authentication": {"type": "scram-sha-512"}}));
    let secret = view(&scram, Certificate::Valid(days(300)));
    let mut observed = seen(Some(&secret));
    observed.kafka = Some(UserInKafka { certificate: Held { scram: None, ..held }, ..kafka() });
    let to_password = plan(&scram, &observed, &settings(), now());
    assert_eq!(to_password.secret, SecretStep::Password(None));
    assert_eq!(to_password.kafka.delete[0].principal, "User:CN=bob");
}

#[test]
fn what_cannot_be_done_is_refused_by_name_and_nothing_is_done() {
    let long = "a".repeat(65);
    let mut broken_ca = seen(None);
    broken_ca.authority = Some(Err("Secret ca has no key ca.crt".into()));
    let mut no_password = seen(None);
    no_password.desired_password =
        Some(Err(Refusal::invalid("the Secret p with the password does not exist")));
    let mut no_acls = seen(None);
    no_acls.kafka = Some(UserInKafka::default());
    let nameless = json!({"authorization": acl(&json!({"type": "topic"}), &["Read"])});
    let cases = [
        (user(&long, &json!({"authentication": {"type": "tls"}})), seen(None), "at most 64 characters"),
        (user("b", &json!({"authentication": {"type": "tls"}})), broken_ca, "no key ca.crt"),
        (user("b", &json!({"authentication": {"type": "scram-sha-512"}})), no_password, "does not exist"),
        (user("b", &nameless), seen(None), "spec.authorization.acls[0].resource.name"),
        (user("b", &nameless), no_acls, "does not manage ACLs"),
        (user("b", &json!({"quotas": {"producerByteRate": -1}})), seen(None), "spec.quotas.producerByteRate"),
        (
            user("b", &json!({"authentication": {"type": "tls", "validityDays": 20}})),
            seen(None),
            "renewalDays (30) has to be less than validityDays (20)",
        ),
    ];
    // An authority outside the cluster has limits of its own.
    let external = user(&long, &json!({"authentication": {"type": "tls-external"}}));
    assert!(plan(&external, &seen(None), &settings(), now()).refusals.is_empty());
    for (user, observed, expected) in cases {
        let plan = plan(&user, &observed, &settings(), now());
        let problem = problem(&plan).unwrap();
        assert!(problem.message.contains(expected), "{problem:?}");
        assert_eq!((plan.secret, plan.kafka), (SecretStep::Keep, KafkaChanges::default()));
    }
    let scram = user(&long, &json!({"authentication": {"type": "scram-sha-512"}}));
    assert!(plan(&scram, &seen(None), &settings(), now()).refusals.is_empty());
}

#[test]
fn a_users_credentials_are_looked_after_while_its_rights_are_refused() {
    let nameless = acl(&json!({"type": "topic"}), &["Read"]);
    let scram = user("bob", &json!({"authentication": {"type": "scram-sha-512"}, "authorization": nameless}));
    let secret = password_view(&scram, "p");
    let told = plan(&scram, &seen(Some(&secret)), &settings(), now());
    assert!(told.kafka.set_password && told.kafka.create.is_empty());
    assert!(problem(&told).unwrap().message.contains("resource.name"));

    let tls = user("bob", &json!({"authentication": {"type": "tls"}, "authorization": nameless}));
    let due = view(&tls, Certificate::Valid(days(20)));
    assert!(matches!(plan(&tls, &seen(Some(&due)), &settings(), now()).secret, SecretStep::Issue { .. }));
    assert!(plan(&tls, &seen(None), &settings(), now()).is_empty(), "a new user gets nothing yet");
}

#[test]
fn rights_are_taken_away_while_no_certificate_can_be_made() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}, "quotas": {"consumerByteRate": 7}}));
    let rule = rights::wanted(
        &user("bob", &json!({"authorization": acl(&json!({"type": "group", "name": "g"}), &["Read"])})),
        &settings(),
        None,
    );
    let held = Held { rules: rule.unwrap().rules, ..Held::default() };
    let due = view(&tls, Certificate::Valid(days(20)));
    let mut observed = seen(Some(&due));
    observed.authority = Some(Err("Secret ca has no key ca.key".into()));
    // The user had a password before, and still works with it.
    observed.kafka = Some(UserInKafka {
        certificate: held.clone(),
        plain: Held { scram: Some(SCRAM_ITERATIONS), ..held },
        acls_supported: true,
    });
    let plan = plan(&tls, &observed, &settings(), now());
    assert_eq!(plan.secret, SecretStep::Keep);
    assert!(problem(&plan).unwrap().message.contains("ca.key"));
    let principals: BTreeSet<&str> = plan.kafka.delete.iter().map(|rule| rule.principal.as_str()).collect();
    assert_eq!(principals, BTreeSet::from(["User:CN=bob"]));
    assert!(!plan.kafka.delete_password && plan.kafka.quotas.len() == 1);
}

#[test]
fn a_new_certificate_waits_until_all_nodes_trust_its_authority() {
    let tls = user("bob", &json!({"authentication": {"type": "tls"}}));
    let step = |view: Option<&SecretView>, untrusted_yet| {
        plan(&tls, &Observed { untrusted_yet, ..seen(view) }, &settings(), now()).secret
    };
    let mut old = SecretView { authority: Some(8), ..view(&tls, Certificate::Valid(days(300))) };
    assert_eq!(step(Some(&old), true), SecretStep::Keep);
    assert!(matches!(step(Some(&old), false), SecretStep::Issue { .. }));
    old.annotations.insert("strimzi.io/force-renew".into(), "true".into());
    assert_eq!(step(Some(&old), true), SecretStep::Keep, "the request stays");
    // Without a certificate that is good for anything there is nothing to wait for.
    for certificate in [Certificate::Missing, Certificate::Broken, Certificate::Valid(days(-1))] {
        assert!(matches!(step(Some(&view(&tls, certificate)), true), SecretStep::Issue { .. }));
    }
    assert!(matches!(step(None, true), SecretStep::Issue { .. }));
}

#[test]
fn several_problems_are_told_together() {
    let passing = Refusal { reason: reasons::KAFKA_ERROR, message: "no answer".into(), retry: true };
    let all = [Refusal::invalid("a"), passing.clone(), passing, Refusal::invalid("b")];
    let joined = Refusal::joined(&all).unwrap();
    assert_eq!((joined.reason, joined.message.as_str()), (reasons::INVALID_RESOURCE, "a; no answer; b"));
    assert!(joined.retry);
    assert_eq!(Refusal::joined(&[]), None);
}

#[test]
fn a_name_without_a_resource_loses_everything() {
    let held = Held {
        quotas: [("request_percentage".to_owned(), 5.0)].into(),
        scram: Some(SCRAM_ITERATIONS),
        ..Held::default()
    };
    let kafka = UserInKafka { certificate: held.clone(), plain: held, acls_supported: true };
    let observed = Observed { kafka: Some(kafka), ..Observed::default() };
    let changes = plan_absent("bob", &observed, &settings(), &Whereabouts::Gone).kafka;
    assert!(changes.delete_password);
    assert_eq!(changes.quotas.len(), 2);
    let ignored = PlanSettings { ignored_users: Some(regex::Regex::new("^(?:b.*)$").unwrap()), ..settings() };
    assert_eq!(plan_absent("bob", &observed, &ignored, &Whereabouts::Gone).kafka, KafkaChanges::default());
    // Before Kafka was read, nothing is known to be there.
    let unread = plan_absent("bob", &Observed::default(), &settings(), &Whereabouts::Gone);
    assert_eq!((unread.kafka, unread.secret), (KafkaChanges::default(), SecretStep::Keep));
}

#[test]
fn a_user_that_only_lost_its_label_loses_its_rights_and_keeps_its_secret() {
    let bob = user("bob", &json!({}));
    let secret = password_view(&bob, "p");
    let held = Held { scram: Some(SCRAM_ITERATIONS), ..Held::default() };
    let mut observed = seen(Some(&secret));
    observed.kafka = Some(UserInKafka { plain: held, ..kafka() });
    let absent = |resource: &Whereabouts| plan_absent("bob", &observed, &settings(), resource);
    let gone = absent(&Whereabouts::Gone);
    assert!(gone.secret == SecretStep::Delete && gone.kafka.delete_password);
    let relabelled = absent(&Whereabouts::Relabelled);
    assert!(relabelled.secret == SecretStep::Keep && relabelled.kafka.delete_password);
    assert!(absent(&Whereabouts::Ours).is_empty());
    let unknown = absent(&Whereabouts::Unknown("no answer".into()));
    assert!(unknown.is_empty() && problem(&unknown).is_some_and(|problem| problem.retry));
}

#[test]
fn only_a_secret_that_was_made_for_a_user_goes_with_it() {
    let bob = user("bob", &json!({}));
    let step =
        |view: &SecretView| plan_absent("bob", &seen(Some(view)), &settings(), &Whereabouts::Gone).secret;
    let made = password_view(&bob, "p");
    assert_eq!(step(&made), SecretStep::Delete);
    let of_another = SecretView { owner: Some(("alice".into(), "u".into())), ..made.clone() };
    assert_eq!(step(&of_another), SecretStep::Keep);
    let without_owner = SecretView { owner: None, ..made.clone() };
    assert_eq!(step(&without_owner), SecretStep::Keep);
    let mut foreign = made;
    foreign.labels.insert("strimzi.io/kind".into(), "Kafka".into());
    assert_eq!(step(&foreign), SecretStep::Keep);
}

#[test]
fn a_paused_user_is_left_alone_even_if_it_could_not_be() {
    let mut paused = user("bob", &json!({"quotas": {"producerByteRate": -1}}));
    paused.annotations_mut().insert("strimzi.io/pause-reconciliation".into(), "true".into());
    let plan = plan(&paused, &seen(None), &settings(), now());
    assert!(plan.is_empty() && plan.refusals.is_empty());
}
