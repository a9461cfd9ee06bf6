//! The decisions of `pki` about certificates that were really issued.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use issuer::{Authority, AuthorityRequest, KeyAlgorithm};
use jiff::Timestamp;
use pki::*;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
}

fn certificate(validity_days: u32) -> CertificateInfo {
    let request = AuthorityRequest {
        common_name: "cluster-ca v0".into(),
        organization: "io.strimzi".into(),
        validity_days,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    Authority::generate(&request, at(0)).unwrap().info().clone()
}

fn state(certificate: &CertificateInfo) -> AuthorityState<'_> {
    AuthorityState {
        certificate: CertificateState::Present(certificate),
        has_key: true,
        force_renew: false,
        force_replace: false,
        renewal_days: 30,
        policy: RenewalPolicy::RenewCertificate,
        in_window: true,
    }
}

#[test]
fn authorities_are_made_anew_for_each_reason_and_only_then() {
    use AuthorityAction as A;
    use AuthorityReason as R;
    let info = certificate(365);
    let of = |state: AuthorityState<'_>, day: i64| {
        let decision = authority_decision(&state, at(day));
        (decision.action, decision.reason, decision.postponed)
    };
    let good = state(&info);
    let replacing = AuthorityState { policy: RenewalPolicy::ReplaceKey, ..good };
    assert_eq!(of(good, 334), (A::None, None, None));
    assert_eq!(of(good, 335), (A::Renew, Some(R::Expiring), None));
    assert_eq!(of(replacing, 335), (A::Replace, Some(R::Expiring), None));
    assert_eq!(of(AuthorityState { has_key: false, ..good }, 0), (A::Create, Some(R::KeyMissing), None));
    let missing = AuthorityState { certificate: CertificateState::Missing, in_window: false, ..good };
    assert_eq!(of(missing, 0), (A::Renew, Some(R::CertificateMissing), None));
    assert_eq!(of(AuthorityState { force_renew: true, ..good }, 0), (A::Renew, Some(R::ForceRenew), None));
    assert_eq!(
        of(AuthorityState { force_replace: true, ..good }, 0),
        (A::Replace, Some(R::ForceReplace), None)
    );
    let closed = AuthorityState { in_window: false, force_replace: true, ..good };
    assert_eq!(of(closed, 0), (A::None, None, Some((A::Replace, R::ForceReplace))));
    let late = AuthorityState { in_window: false, ..good };
    assert_eq!(of(late, 340), (A::None, None, Some((A::Renew, R::Expiring))));
    assert_eq!(of(late, 366), (A::Renew, Some(R::Expired), None));
}

#[test]
fn old_authorities_are_kept_under_the_time_of_their_end() {
    assert_eq!(dated_certificate_key(&certificate(1)), "ca-2027-01-16T08-00-00Z.crt");
}

#[test]
fn only_a_renewal_for_age_waits_for_a_window() {
    let info = certificate(100);
    let (dns_names, ip_addresses) = (BTreeSet::new(), BTreeSet::new());
    let other_names = BTreeSet::from(["a".to_owned()]);
    let wanted = LeafWanted {
        dns_names: &dns_names,
        ip_addresses: &ip_addresses,
        renewal_days: 30,
        in_window: false,
        forced: false,
    };
    let good = LeafState {
        certificate: CertificateState::Present(&info),
        current_authority: true,
        has_chain: true,
        authority_ends: at(1000),
    };
    assert!(!leaf_decision(&good, &wanted, at(69)).reissue());
    let aged = leaf_decision(&good, &wanted, at(71));
    assert_eq!((aged.reissue(), aged.postponed), (false, vec![LeafReason::Expiring]));
    let open = LeafWanted { in_window: true, ..wanted };
    assert_eq!(leaf_decision(&good, &open, at(71)).reasons, [LeafReason::Expiring]);
    assert_eq!(leaf_decision(&good, &wanted, at(101)).reasons, [LeafReason::Expired]);
    let renamed = LeafWanted { dns_names: &other_names, forced: true, ..wanted };
    let foreign = LeafState { current_authority: false, has_chain: false, ..good };
    assert_eq!(
        leaf_decision(&foreign, &renamed, at(1)).reasons,
        [
            LeafReason::AuthorityChanged,
            LeafReason::ChainMissing,
            LeafReason::NamesChanged,
            LeafReason::Forced
        ]
    );
    let broken = LeafState { certificate: CertificateState::Broken, ..good };
    assert_eq!(leaf_decision(&broken, &wanted, at(1)).reasons, [LeafReason::Broken]);
}

#[test]
fn a_certificate_that_lasts_as_long_as_its_authority_cannot_be_prolonged() {
    let request = AuthorityRequest {
        common_name: "mine".into(),
        organization: "o".into(),
        validity_days: 100,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    let authority = Authority::generate(&request, at(0)).unwrap();
    let leaf = issuer::LeafRequest { common_name: "node".into(), validity_days: 365, ..Default::default() };
    let issued = authority.issue(&leaf, at(80)).unwrap();
    let info = parse_certificate(&issued.certificate).unwrap();
    assert_eq!(info.not_after, authority.info().not_after, "it does not outlive its authority");
    assert_eq!(issued.not_after, info.not_after);
    let none = BTreeSet::new();
    let wanted = LeafWanted {
        dns_names: &none,
        ip_addresses: &BTreeSet::new(),
        renewal_days: 30,
        in_window: true,
        forced: false,
    };
    let state = LeafState {
        certificate: CertificateState::Present(&info),
        current_authority: true,
        has_chain: true,
        authority_ends: authority.info().not_after,
    };
    assert!(!leaf_decision(&state, &wanted, at(81)).reissue(), "a new one would end at the same time");
    assert!(leaf_decision(&LeafState { authority_ends: at(200), ..state }, &wanted, at(81)).reissue());
    let error = authority.issue(&leaf, at(101)).unwrap_err().to_string();
    assert!(error.contains("CN=mine") && error.contains("ended at"), "{error}");
}

#[test]
fn a_certificate_is_read_once_for_all_that_ask_for_its_text() {
    let request = AuthorityRequest {
        common_name: "cluster-ca v0".into(),
        organization: "io.strimzi".into(),
        validity_days: 365,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    let text = Authority::generate(&request, at(0)).unwrap().certificate().as_str().to_owned();
    let (read, other) = (ReadChains::default(), ReadChains::default());
    let chain = read.parse(&text).unwrap();
    assert_eq!(chain, CertificateChain::parse(&text).unwrap());
    let same = |again: &CertificateChain| std::sync::Arc::ptr_eq(&chain.first().info, &again.first().info);
    assert!(same(&read.clone().parse(&text).unwrap()));
    assert!(!same(&other.parse(&text).unwrap()));
    assert!(read.parse("no certificate").is_err());
}
