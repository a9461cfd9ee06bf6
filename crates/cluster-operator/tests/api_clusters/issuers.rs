//! Certificates that issuers of cert-manager sign, with cert-manager's own controllers.

use kube::api::{DeleteParams, DynamicObject, ListParams, PostParams};
use pki::CertificateChain;
use serde_json::{Value, json};
use test_support::{ApiServer, CertManager, wait};

use crate::world::{DEADLINE, World, condition, kafka, pool};

/// The section of an authority for which an issuer signs. Its Secret with the key is read for the certificate alone.
fn issued_by(issuer: &str, trusted: &str) -> Value {
    json!({
        "type": "cert-manager.io", "generateCertificateAuthority": false,
        "certManager": {
            "issuerRef": {"name": issuer},
            "caCert": {"secretName": trusted, "certificate": "tls.crt"},
        },
    })
}

/// A cluster with one node.
fn small() -> Value {
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka
}

fn with_issuer(issuer: &str, trusted: &str) -> Value {
    let mut kafka = small();
    kafka["spec"]["clusterCa"] = issued_by(issuer, trusted);
    kafka["spec"]["clientsCa"] = issued_by(issuer, trusted);
    kafka
}

fn text(secret: &DynamicObject, key: &str) -> Option<String> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(secret.data["data"][key].clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}

/// The chain that a node shows.
async fn shown(world: &World, pod: &str) -> Option<CertificateChain> {
    let secret = world.api("Secret").get_opt(pod).await.unwrap()?;
    CertificateChain::parse(&text(&secret, &format!("{pod}.crt"))?).ok()
}

async fn until_shown(
    world: &World,
    what: &str,
    accept: impl Fn(&CertificateChain) -> bool,
) -> CertificateChain {
    wait::until(DEADLINE, what, || async { shown(world, "c-dual-0").await.filter(&accept) }).await.unwrap()
}

/// A namespace with cert-manager and the operator at work.
async fn world_with_cert_manager(prefix: &str) -> (World, CertManager) {
    let server = ApiServer::shared().await.unwrap();
    let mut world = World::without_operator(server, prefix).await;
    let cert_manager = CertManager::start(server, &world.namespace).await.unwrap();
    world.start_operator().await;
    (world, cert_manager)
}

#[tokio::test]
async fn every_certificate_of_a_cluster_comes_from_an_issuer_and_follows_it() {
    let (world, cert_manager) = world_with_cert_manager("issuers").await;
    cert_manager.issuer("company").await.unwrap();
    world.apply(&pool("c", "dual", 1)).await;
    // A mistake first: there is no such issuer.
    world.apply(&with_issuer("team", "company-ca")).await;
    let waits = |kafka: &DynamicObject| {
        let said = kafka.data["status"]["conditions"].to_string();
        said.contains(
            "pod c-dual-0 has no certificate yet: Certificate c-dual-0: cert-manager has not issued it yet",
        )
    };
    world.until("Kafka", "c", "says for what it waits", waits).await;
    world.gone("Pod", "c-dual-0").await;

    // The authority of this issuer is below the trusted root.
    cert_manager.issuer_below("team", "company").await.unwrap();
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let first = shown(&world, "c-dual-0").await.unwrap();
    let names: Vec<&str> = first.iter().map(|one| one.info.common_name.as_str()).collect();
    assert_eq!(names, ["c-kafka", "team", "company"]);
    assert_eq!(first.first().info.subject, "O=io.strimzi, CN=c-kafka");
    let pairs = [
        ("c-cluster-operator-certs", "cluster-operator.crt"),
        ("c-entity-topic-operator-certs", "entity-operator.crt"),
        ("c-entity-user-operator-certs", "entity-operator.crt"),
    ];
    for (secret, key) in pairs {
        let live = world.exists("Secret", secret).await;
        let chain = CertificateChain::parse(&text(&live, key).unwrap()).unwrap();
        assert_eq!(chain.rest()[0].info.common_name, "team", "{secret}");
    }
    for key in ["c-cluster-ca", "c-clients-ca"] {
        world.gone("Secret", key).await;
    }
    let trusted = text(&world.get("Secret", "c-cluster-ca-cert").await, "ca.crt").unwrap();
    assert_eq!(CertificateChain::parse(&trusted).unwrap().first().info.common_name, "company");

    // Other names, and a renewal.
    let mut named = with_issuer("team", "company-ca");
    named["spec"]["kafka"]["listeners"] = json!([{"name": "tls", "port": 9093, "type": "internal", "tls": true,
        "configuration": {"bootstrap": {"alternativeNames": ["kafka.example.org"]}}}]);
    world.apply(&named).await;
    let has_name = |chain: &CertificateChain| chain.first().info.dns_names.contains("kafka.example.org");
    let second = until_shown(&world, "the certificate has the new name", has_name).await;
    cert_manager.renew(&["c-dual-0"]).await.unwrap();
    until_shown(&world, "the renewed certificate is taken", |chain| *chain != second && has_name(chain))
        .await;

    // Another authority: the certificates that are there are not of it, which is said; then it signs.
    cert_manager.issuer("other").await.unwrap();
    named["spec"]["clusterCa"] = issued_by("team", "other-ca");
    world.apply(&named).await;
    let is_told = |kafka: &DynamicObject| {
        condition(kafka, "Warning", "CertificateNotIssued").is_some_and(|warning| {
            warning["message"].to_string().contains("is not among the trusted authorities")
        })
    };
    world.until("Kafka", "c", "says that the issuer does not fit", is_told).await;
    named["spec"]["clusterCa"] = issued_by("other", "other-ca");
    world.apply(&named).await;
    let by_other = |chain: &CertificateChain| chain.rest()[0].info.common_name == "other";
    until_shown(&world, "the other authority signs", by_other).await;
}

#[tokio::test]
async fn what_cert_manager_keeps_goes_with_its_use_and_is_no_strangers() {
    let (world, cert_manager) = world_with_cert_manager("issuers-gone").await;
    cert_manager.issuer("company").await.unwrap();
    // Another team's Certificate has the name that the cluster needs for a node.
    let taken = json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "c-dual-0"},
        "spec": {"secretName": "somebodys", "commonName": "somebody", "issuerRef": {"name": "company"}},
    });
    cert_manager
        .api("Certificate")
        .create(&PostParams::default(), &serde_json::from_value(taken).unwrap())
        .await
        .unwrap();
    world.apply(&pool("c", "dual", 1)).await;
    world.apply(&with_issuer("company", "company-ca")).await;
    let is_told = |kafka: &DynamicObject| {
        kafka.data["status"]["conditions"].to_string().contains("Certificate c-dual-0 (made by")
    };
    world.until("Kafka", "c", "names the Certificate that is in the way", is_told).await;
    let live = cert_manager.api("Certificate").get("c-dual-0").await.unwrap();
    assert_eq!(live.data["spec"]["commonName"], "somebody");
    cert_manager.api("Certificate").delete("c-dual-0", &DeleteParams::default()).await.unwrap();
    // What the garbage collector would do, which this server does not have.
    let requests = cert_manager.api("CertificateRequest");
    requests.delete_collection(&DeleteParams::default(), &ListParams::default()).await.unwrap();
    // What is not the cluster's is not watched.
    world.patch("KafkaNodePool", "dual", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;

    let mut own = small();
    own["spec"]["clusterCa"] = json!({"generateCertificateAuthority": true});
    world.apply(&own).await;
    let by_operator = |chain: &CertificateChain| chain.rest()[0].info.common_name.starts_with("cluster-ca v");
    until_shown(&world, "the operator signs itself", by_operator).await;
    for name in ["c-dual-0", "c-cluster-operator-certs", "c-entity-topic-operator-certs"] {
        wait::for_absence(&cert_manager.api("Certificate"), name, DEADLINE).await.unwrap();
        world.gone("Secret", &format!("{name}-cm")).await;
    }
}
