//! Users whose certificates an issuer of cert-manager signs, with cert-manager's own controllers and a real Kafka.

use kube::api::{DeleteParams, PostParams};
use pki::CertificateChain;
use serde_json::json;
use test_support::{CertManager, wait};
use test_world::entity_operator_rights;

use crate::world::{DEADLINE, World};

/// A world in which the authority of the Kafka node signs by an issuer, of which the operator has no key.
async fn world() -> (World, CertManager) {
    let mut w = World::own().await;
    let namespace = w.variables["STRIMZI_NAMESPACE"].clone();
    let cert_manager = CertManager::start(w.server, &namespace).await.unwrap();
    w.secrets.delete("my-clients-ca", &DeleteParams::default()).await.unwrap();
    w.variables.remove("STRIMZI_CA_KEY_NAME");
    w.set("STRIMZI_CA_TYPE", "cert-manager.io");
    w.set("STRIMZI_CM_ISSUER_NAME", "clients");
    // Under the rights that the cluster operator gives to it, and no others.
    let section = json!({
        "type": "cert-manager.io", "generateCertificateAuthority": false,
        "certManager": {"issuerRef": {"name": "clients"}, "caCert": {"secretName": "a", "certificate": "b"}},
    });
    let spec = json!({"entityOperator": {"userOperator": {}}, "clientsCa": section});
    let (roles, bindings) = entity_operator_rights::generated("my", &namespace, &namespace, &spec);
    entity_operator_rights::apply(&w.client, &[roles, bindings].concat()).await;
    w.account = Some((namespace, "my-entity-operator".to_owned()));
    w.start_operator().await;
    (w, cert_manager)
}

async fn issuer(w: &World, cert_manager: &CertManager) {
    let (certificate, key) = (w.node.ca_pem().to_owned(), w.node.authority().key());
    w.make_secret("clients-authority", &[("tls.crt", certificate.as_bytes()), ("tls.key", key.as_bytes())])
        .await;
    cert_manager.issuer_of_secret("clients", "clients-authority").await.unwrap();
}

fn serial(certificate: &str) -> String {
    CertificateChain::parse(certificate).unwrap().first().info.serial.clone()
}

/// Waits until the status of a user says that it has no certificate, with these words.
async fn says(w: &World, user: &str, words: &str) {
    let is_said = |user: &api::KafkaUser| {
        let conditions = user.status.iter().flat_map(|status| status.conditions.iter().flatten());
        conditions.into_iter().any(|one| {
            one.reason.as_deref() == Some("CertificateNotIssued")
                && one.message.as_ref().is_some_and(|message| message.contains(words))
        })
    };
    w.until(user, words, is_said).await;
}

/// Waits until the Secret of a user has another certificate.
async fn has_another(w: &World, user: &str, before: &str) -> String {
    wait::until(DEADLINE, "the Secret has another certificate", || async {
        let now = w.secret(user).await.remove("user.crt")?;
        (serial(&now) != serial(before)).then_some(now)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_has_a_certificate_of_the_issuer_as_it_would_have_one_of_the_operators() {
    let (w, cert_manager) = world().await;
    let rules = json!({"type": "simple", "acls": [{"resource": {"type": "group", "name": "g"}, "operations": ["Read"]}]});
    w.create("issued", json!({"authentication": {"type": "tls"}, "authorization": rules})).await;
    says(&w, "issued", "cert-manager has not issued the certificate yet").await;
    issuer(&w, &cert_manager).await;
    w.ready("issued").await;
    let data = w.secret("issued").await;
    assert!(w.certificate_fits("issued", &data));
    assert!(data.contains_key("user.p12") && data.contains_key("user.password"), "{:?}", data.keys());
    w.with_certificate(&data).describe_cluster().await.unwrap();
    w.until_rules("CN=issued", 1).await;

    // A renewal reaches the user, and one can be asked for by annotation.
    cert_manager.renew(&["issued"]).await.unwrap();
    let renewed = has_another(&w, "issued", &data["user.crt"]).await;
    w.annotate_secret("issued", "strimzi.io/force-renew", "true").await;
    has_another(&w, "issued", &renewed).await;
    let is_cleared = || async {
        let secret = w.secrets.get("issued").await.unwrap();
        (!secret.metadata.annotations.unwrap_or_default().contains_key("strimzi.io/force-renew"))
            .then_some(())
    };
    wait::until(DEADLINE, "the annotation is fulfilled", is_cleared).await.unwrap();
    w.with_certificate(&w.secret("issued").await).describe_cluster().await.unwrap();

    // Another kind of login needs neither Certificate nor Secret of it.
    w.patch("issued", json!({"spec": {"authentication": {"type": "scram-sha-512"}}})).await;
    let password = wait::until(DEADLINE, "the user has a password", || async {
        w.secret("issued").await.remove("password")
    });
    w.logs_in("issued", &password.await.unwrap()).await;
    wait::for_absence(&cert_manager.api("Certificate"), "issued", DEADLINE).await.unwrap();
    wait::for_absence(&w.secrets, "issued-cm", DEADLINE).await.unwrap();
    let said = w.said();
    assert!(!said.contains("PRIVATE KEY"), "a key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_kafka_would_not_take_is_not_handed_out() {
    let (w, cert_manager) = world().await;
    // The issuer has an authority that the nodes do not trust.
    cert_manager.issuer("clients").await.unwrap();
    w.create("stranger", json!({"authentication": {"type": "tls"}})).await;
    says(&w, "stranger", "is not among the trusted authorities").await;
    assert!(w.secrets.get_opt("stranger").await.unwrap().is_none(), "there is no Secret with it");

    // Names that would lead to what belongs to others.
    w.create("stranger-cm", json!({"authentication": {"type": "tls"}})).await;
    let (_, message) = w.refused("stranger-cm").await;
    assert!(message.contains("rename the user"), "{message}");
    let taken = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "taken"},
        "spec": {"secretName": "of-another-team", "commonName": "somebody", "issuerRef": {"name": "clients"}},
    });
    let api = cert_manager.api("Certificate");
    api.create(&PostParams::default(), &serde_json::from_value(taken).unwrap()).await.unwrap();
    w.create("taken", json!({"authentication": {"type": "tls"}})).await;
    let (_, message) = w.refused("taken").await;
    assert!(message.contains("Certificate taken exists and was not made for this KafkaUser"), "{message}");
    assert_eq!(api.get("taken").await.unwrap().data["spec"]["commonName"], "somebody");
}
