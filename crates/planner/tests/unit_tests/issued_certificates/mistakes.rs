//! Certificates and settings that are of no use: they are named, and what runs stays as it is.

use crate::common::cert_manager::{authority, offer, trust_text};
use crate::common::warning_with;
use issuer::LeafRequest;
use jiff::SignedDuration;
use serde_json::json;

use super::{refusal, settled, shown, take_up};

#[test]
fn a_certificate_that_is_of_no_use_stays_where_it_is_and_why_is_said() {
    let mut cluster = settled();
    let before = shown(&cluster, "my-dual-0");
    let company = cluster.cert_manager.take().unwrap().authority;
    let names = before.first().info.dns_names.clone();
    let whole = LeafRequest {
        common_name: "my-kafka".to_owned(),
        organization: Some("io.strimzi".to_owned()),
        dns_names: names.clone(),
        validity_days: 365,
        ..LeafRequest::default()
    };
    let now = cluster.world.now;
    let other_key = company.issue(&whole, now).unwrap().key;
    let issue = |request: LeafRequest, at| company.issue(&request, at).unwrap();
    let good = issue(whole.clone(), now);
    let another = LeafRequest { common_name: "admin".to_owned(), ..whole.clone() };
    let without = LeafRequest { organization: None, ..whole.clone() };
    let fewer = LeafRequest { dns_names: names.iter().skip(1).cloned().collect(), ..whole.clone() };
    let ended =
        issue(LeafRequest { validity_days: 1, ..whole.clone() }, now - SignedDuration::from_hours(72));
    let early = issue(whole.clone(), now + SignedDuration::from_hours(72));
    for (chain, key, why) in [
        ("not a certificate".to_owned(), good.key.expose().to_owned(), "cannot be used"),
        (good.certificate.as_str().to_owned(), "not a key".to_owned(), "cannot read the private key"),
        (good.certificate.as_str().to_owned(), other_key.expose().to_owned(), "that of another certificate"),
        (ended.certificate.as_str().to_owned(), ended.key.expose().to_owned(), "ended at"),
        (early.certificate.as_str().to_owned(), early.key.expose().to_owned(), "is not valid before"),
    ]
    .into_iter()
    .chain(
        [(another, "\"O=io.strimzi, CN=admin\""), (without, "\"CN=my-kafka\""), (fewer, "these names yet")]
            .map(|(request, why)| {
                let issued = issue(request, now);
                (issued.certificate.as_str().to_owned(), issued.key.expose().to_owned(), why)
            }),
    ) {
        offer(&mut cluster.world, "my-dual-0-cm", "my-dual-0", &chain, &key);
        let plan = cluster.pass();
        assert_eq!(shown(&cluster, "my-dual-0"), before, "{why}");
        let said = warning_with(&plan, "CertificateNotIssued").unwrap();
        assert!(said.contains(why) && said.contains("my-dual-0"), "{why:?} in {said}");
        assert!(!said.contains("PRIVATE"), "{said}");
    }
    offer(&mut cluster.world, "my-dual-0-cm", "my-dual-0", good.certificate.as_str(), good.key.expose());
    let plan = take_up(&mut cluster);
    assert_ne!(shown(&cluster, "my-dual-0"), before, "and a good one is taken");
    assert!(plan.status.kafka.clone().unwrap().conditions.unwrap().iter().all(|one| one.type_ != "Warning"));
}

#[test]
fn what_is_wrong_with_the_section_or_its_secret_is_named_and_nothing_changes() {
    for (change, path, why) in [
        (
            json!({"generateCertificateAuthority": true}),
            "spec.clusterCa.generateCertificateAuthority",
            "must be false",
        ),
        (json!({"certManager": null}), "spec.clusterCa.certManager", "name the issuer"),
        (
            json!({"certManager": {"issuerRef": {"name": ""}, "caCert": {"secretName": "issuer-ca", "certificate": "roots.pem"}}}),
            "spec.clusterCa.certManager.issuerRef.name",
            "is empty",
        ),
        (
            json!({"certManager": {"issuerRef": {"name": "a"}, "caCert": {"secretName": "other", "certificate": "roots.pem"}}}),
            "spec.clusterCa.certManager.caCert.secretName",
            "\"other\" does not exist",
        ),
        (
            json!({"certManager": {"issuerRef": {"name": "a"}, "caCert": {"secretName": "issuer-ca", "certificate": "ca.crt"}}}),
            "spec.clusterCa.certManager.caCert.certificate",
            "no text under the key \"ca.crt\"",
        ),
    ] {
        let mut cluster = settled();
        let before = shown(&cluster, "my-dual-0");
        cluster.world.kafka(|kafka| {
            for (key, value) in change.as_object().unwrap() {
                kafka["spec"]["clusterCa"][key] = value.clone();
            }
        });
        let message = refusal(&mut cluster.world);
        assert!(message.contains(path) && message.contains(why), "{message}");
        cluster.pass();
        assert_eq!(shown(&cluster, "my-dual-0"), before);
    }
    let mut cluster = settled();
    let leaf = shown(&cluster, "my-dual-0").first().pem().to_owned();
    let many: String = (0..33)
        .map(|number| authority(&format!("a{number}"), cluster.world.now).certificate().as_str().to_owned())
        .collect();
    for (pem, why) in [
        ("nothing".to_owned(), "cannot be used"),
        (leaf, "not a certificate authority"),
        (many, "at most 32 are allowed"),
    ] {
        trust_text(&mut cluster.world, &pem);
        let message = refusal(&mut cluster.world);
        assert!(message.contains(why), "{message}");
    }
}
