use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::certificate_view::CertificateView;
use crate::plan::tests::{days, now, seen, user, view};
use crate::plan::{Plan, plan, test_settings};

fn settings() -> PlanSettings {
    let issuer = ObjectReference {
        group: "cert-manager.io".to_owned(),
        kind: "ClusterIssuer".to_owned(),
        name: "company".to_owned(),
    };
    PlanSettings { issuer: Some(issuer), ..test_settings() }
}

fn bob() -> KafkaUser {
    user("bob", &json!({"authentication": {"type": "tls"}}))
}

/// The Secret of cert-manager with a certificate that is told from others by `mark`.
fn offer(certificate: Certificate, mark: u64) -> SecretView {
    let none = view(&bob(), Certificate::Missing);
    SecretView { offer: certificate, offer_mark: Some(mark), ..none }
}

/// What was seen of a user with its Certificate as it should be.
fn observed(secret: Option<&SecretView>, offer: Option<&SecretView>) -> Observed {
    let observed = Observed { offer: offer.cloned().map(Arc::new), ..seen(secret) };
    let CertificateStep::Apply(spec) = plan(&bob(), &observed, &settings(), now()).certificate else {
        panic!("there is no Certificate yet")
    };
    let issued = CertificateView {
        spec: *spec,
        owner: Some("u".to_owned()),
        not_ready: None,
        uid: String::new(),
        bytes: 0,
    };
    Observed { issued: Some(Arc::new(issued)), ..observed }
}

fn refused(plan: &Plan) -> &str {
    plan.refusals.first().map_or("", |refusal| &refusal.message)
}

#[test]
fn a_new_user_gets_a_certificate_of_the_issuer_once_it_is_there() {
    let first = plan(&bob(), &seen(None), &settings(), now());
    let CertificateStep::Apply(spec) = &first.certificate else { panic!("{:?}", first.certificate) };
    assert_eq!((spec.secret_name.as_str(), spec.common_name.as_str()), ("bob-cm", "bob"));
    assert_eq!((&spec.subject, &spec.dns_names), (&None, &None), "Kafka knows the user by its name alone");
    assert_eq!(spec.usages, ["digital signature", "key encipherment", "client auth"]);
    assert_eq!((spec.duration.as_str(), spec.renew_before.as_str()), ("8760h0m0s", "720h0m0s"));
    assert_eq!(spec.issuer_ref.kind, "ClusterIssuer");
    let labels = spec.secret_template.clone().unwrap().labels.unwrap();
    assert_eq!(labels["strimzi.io/kind"], "KafkaUser", "by which the operator watches the Secret");
    assert_eq!(first.secret, SecretStep::Keep);
    assert_eq!(refused(&first), "cert-manager has not issued the certificate yet");

    let waiting = observed(None, None);
    let plan_of = |observed: &Observed| plan(&bob(), observed, &settings(), now());
    assert_eq!(plan_of(&waiting).certificate, CertificateStep::Keep, "nothing is written twice");
    let mut why = CertificateView::clone(waiting.issued.as_ref().unwrap());
    why.not_ready = Some("Issuer company not found".to_owned());
    let waiting = Observed { issued: Some(Arc::new(why)), ..waiting };
    assert!(refused(&plan_of(&waiting)).ends_with("yet (Issuer company not found)"));

    let offered = offer(Certificate::Valid(days(365)), 2);
    let there = plan_of(&observed(None, Some(&offered)));
    assert_eq!((there.secret, there.certificate), (SecretStep::Take, CertificateStep::Keep));
    for useless in [Certificate::Broken, Certificate::Valid(days(-1))] {
        let plan = plan_of(&observed(None, Some(&offer(useless, 2))));
        assert_eq!(plan.secret, SecretStep::Keep);
        assert!(!refused(&plan).is_empty(), "{useless:?}");
    }
}

#[test]
fn a_certificate_is_taken_when_it_is_another_one_and_every_node_accepts_it() {
    let own = view(&bob(), Certificate::Valid(days(20)));
    let (same, other) = (offer(Certificate::Valid(days(20)), 1), offer(Certificate::Valid(days(365)), 2));
    let step = |change: &dyn Fn(&mut Observed), offer: &SecretView, settings: &PlanSettings| {
        let mut observed = observed(Some(&own), Some(offer));
        change(&mut observed);
        plan(&bob(), &observed, settings, now()).secret
    };
    let closed =
        PlanSettings { windows: vec![pki::MaintenanceWindow::parse("* * 3 * * ?").unwrap()], ..settings() };
    let nothing = |_: &mut Observed| {};
    assert_eq!(step(&nothing, &same, &settings()), SecretStep::Keep);
    assert_eq!(step(&nothing, &other, &settings()), SecretStep::Take);
    assert_eq!(step(&nothing, &other, &closed), SecretStep::Keep, "a renewal waits for a window");
    let another_authority = |observed: &mut Observed| observed.authority = Some(Ok(8));
    assert_eq!(step(&another_authority, &other, &closed), SecretStep::Take);
    let not_yet_trusted = |observed: &mut Observed| {
        observed.authority = Some(Ok(8));
        observed.untrusted_yet = true;
    };
    assert_eq!(step(&not_yet_trusted, &other, &settings()), SecretStep::Keep);
    let without_authority = |observed: &mut Observed| observed.authority = Some(Err("gone".to_owned()));
    assert_eq!(step(&without_authority, &other, &settings()), SecretStep::Keep);
}

#[test]
fn a_renewal_that_cert_manager_owes_is_said_and_the_certificate_stays() {
    for (left, said) in [(16, false), (14, true)] {
        let own = view(&bob(), Certificate::Valid(days(left)));
        let plan = plan(&bob(), &observed(Some(&own), None), &settings(), now());
        assert_eq!(
            (plan.secret.clone(), refused(&plan).contains("not renewed")),
            (SecretStep::Keep, said),
            "{left}"
        );
    }
}

#[test]
fn a_new_certificate_is_asked_for_once_by_annotation() {
    let mut own = view(&bob(), Certificate::Valid(days(300)));
    own.annotations.insert("strimzi.io/force-renew".into(), "true".into());
    let step = |offer: Option<&SecretView>| {
        let plan = plan(&bob(), &observed(Some(&own), offer), &settings(), now());
        (plan.certificate, plan.secret)
    };
    let same = offer(Certificate::Valid(days(300)), 1);
    assert_eq!(step(Some(&same)).0, CertificateStep::IssueAnew);
    assert_eq!(step(None).0, CertificateStep::Keep, "until cert-manager has another");
    assert_eq!(
        step(Some(&offer(Certificate::Valid(days(365)), 2))),
        (CertificateStep::Keep, SecretStep::Take)
    );
}

#[test]
fn what_cert_manager_keeps_goes_when_the_user_logs_in_otherwise() {
    let there = observed(None, None);
    for authentication in [json!({"type": "scram-sha-512"}), json!({"type": "tls-external"})] {
        let changed = user("bob", &json!({ "authentication": authentication }));
        assert_eq!(plan(&changed, &there, &settings(), now()).certificate, CertificateStep::Delete);
        assert_eq!(plan(&changed, &seen(None), &settings(), now()).certificate, CertificateStep::Keep);
    }
    // A Certificate that another owner made under the name stays.
    let mut foreign = CertificateView::clone(there.issued.as_ref().unwrap());
    foreign.owner = None;
    let there = Observed { issued: Some(Arc::new(foreign)), ..there };
    let changed = user("bob", &json!({"authentication": {"type": "scram-sha-512"}}));
    assert_eq!(plan(&changed, &there, &settings(), now()).certificate, CertificateStep::Keep);
}

#[test]
fn no_user_can_have_the_secret_that_holds_the_key_of_another() {
    for authentication in [json!({"type": "tls"}), json!({"type": "scram-sha-512"})] {
        let thief = user("bob-cm", &json!({ "authentication": authentication }));
        let plan_of = |settings: &PlanSettings| plan(&thief, &seen(None), settings, now());
        let refusal = plan_of(&settings());
        assert!(refused(&refusal).contains("rename the user"), "{refusal:?}");
        assert_eq!((refusal.secret, refusal.certificate), (SecretStep::Keep, CertificateStep::Keep));
        assert_eq!(refused(&plan_of(&test_settings())), "", "without an issuer it is a name as any");
    }
}

#[test]
fn what_cert_manager_keeps_for_one_user_never_becomes_anothers() {
    // Another user's Secret has the name in which cert-manager would keep the certificate of this one.
    let mut taken = offer(Certificate::Missing, 2);
    taken.owner = Some(("bob-cm".to_owned(), "another".to_owned()));
    let refusal = plan(&bob(), &Observed { offer: Some(Arc::new(taken)), ..seen(None) }, &settings(), now());
    assert!(
        refused(&refusal).contains("Secret bob-cm exists and was not made for this KafkaUser"),
        "{refusal:?}"
    );
    assert_eq!((refusal.secret, refusal.certificate), (SecretStep::Keep, CertificateStep::Keep));
    // The Secret was left over, and a user comes that has its name.
    let thief = user("bob-cm", &json!({"authentication": {"type": "tls"}}));
    let left = offer(Certificate::Valid(days(300)), 2);
    let refusal = plan(&thief, &seen(Some(&left)), &test_settings(), now());
    assert!(refused(&refusal).contains("is kept by cert-manager"), "{refusal:?}");
    assert_eq!(refusal.secret, SecretStep::Keep);
}

#[test]
fn a_damaged_key_is_taken_over_again_and_one_that_is_to_be_replaced_does_not_wait() {
    let closed =
        PlanSettings { windows: vec![pki::MaintenanceWindow::parse("* * 3 * * ?").unwrap()], ..settings() };
    let good = offer(Certificate::Valid(days(300)), 1);
    let damaged = SecretView { mark: Some(1), ..view(&bob(), Certificate::Broken) };
    assert_eq!(plan(&bob(), &observed(Some(&damaged), Some(&good)), &closed, now()).secret, SecretStep::Take);
    let mut leaked = view(&bob(), Certificate::Valid(days(300)));
    leaked.annotations.insert("strimzi.io/force-renew".into(), "true".into());
    let new = offer(Certificate::Valid(days(365)), 2);
    assert_eq!(plan(&bob(), &observed(Some(&leaked), Some(&new)), &closed, now()).secret, SecretStep::Take);
}
