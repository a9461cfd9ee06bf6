//! Trusted certificates of a KafkaConnect: a list of references makes no more of a Secret than it holds.

use crate::common::connect::{Connect, certificate, object, secret, verdict};
use crate::common::reference;
use serde_json::json;

fn with_list(list: &serde_json::Value) -> Connect {
    let mut connect = Connect::new(&reference("connect.input.yaml"));
    connect.resource["spec"]["tls"]["trustedCertificates"] = list.clone();
    connect
}

#[test]
fn a_certificate_that_is_named_many_times_is_trusted_once() {
    let one = json!({"secretName": "shop-cluster-ca-cert", "pattern": "*.crt"});
    let plan = with_list(&json!(vec![one; 50])).plan();
    let trusted = object(&plan, "Secret", "pipes-connect-tls-trusted-certs")["data"]["ca.crt"].clone();
    let bytes: k8s_openapi::ByteString = serde_json::from_value(trusted).unwrap();
    assert_eq!(String::from_utf8(bytes.0).unwrap().matches("BEGIN CERTIFICATE").count(), 1);
}

#[test]
fn lists_and_patterns_that_are_too_long_and_certificates_that_are_too_many_are_refused() {
    let one = json!({"secretName": "shop-cluster-ca-cert", "pattern": "*.crt"});
    let (type_, words) = verdict(&with_list(&json!(vec![one; 5000])).plan());
    assert!(type_ == "NotReady" && words.contains("spec.tls.trustedCertificates: 5000"), "{words}");
    let long = json!([{"secretName": "shop-cluster-ca-cert", "pattern": "*".repeat(100_000)}]);
    let (_, words) = verdict(&with_list(&long).plan());
    assert!(words.contains("trustedCertificates[0].pattern") && words.len() < 2000, "{words}");

    let mut connect = with_list(&json!([{"secretName": "all", "pattern": "*"}]));
    let pem: Vec<(String, String)> = (0..40).map(|number| (format!("c{number}"), certificate().0)).collect();
    let texts: Vec<(&str, &str)> = pem.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
    connect.refer(secret("all", &texts));
    let mut settings = connect.observed.settings.as_ref().clone();
    settings.largest_config_map = 4096;
    connect.observed.settings = std::sync::Arc::new(settings);
    let (type_, words) = verdict(&connect.plan());
    assert!(type_ == "NotReady" && words.contains("KASTELLAN_MAX_SECRET_KIB"), "{words}");
}
