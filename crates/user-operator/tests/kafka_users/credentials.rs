//! Certificates, passwords and their Secrets.

use std::process::Command;

use kafka_admin::{ScramChange, ScramMechanism};
use kube::api::{Patch, PatchParams};
use pki::CertificatePem;
use serde_json::json;
use test_support::kafka::Authority;
use test_support::wait;

use crate::world::{DEADLINE, World, has};

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_user_gets_a_certificate_that_kafka_keytool_and_openssl_accept() {
    let w = World::get().await;
    w.create(
        "tls-user",
        json!({
            "authentication": {"type": "tls", "validityDays": 60, "renewalDays": 5},
            "authorization": {"type": "simple", "acls": [
                {"resource": {"type": "topic", "name": "tls-", "patternType": "prefix"}, "operations": ["Create", "Describe"]},
            ]},
            "quotas": {"producerByteRate": 1024, "requestPercentage": 55},
            "template": {"secret": {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}}},
        }),
    )
    .await;
    let user = w.ready("tls-user").await;
    let status = user.status.unwrap();
    assert_eq!(
        (status.username.as_deref(), status.secret.as_deref()),
        (Some("CN=tls-user"), Some("tls-user"))
    );
    w.until_rules("CN=tls-user", 2).await;
    w.until_quotas("CN=tls-user", &[("producer_byte_rate", 1024.0), ("request_percentage", 55.0)]).await;

    let secret = w.secrets.get("tls-user").await.unwrap();
    let labels = secret.metadata.labels.unwrap();
    assert_eq!((labels["strimzi.io/kind"].as_str(), labels["team"].as_str()), ("KafkaUser", "a"));
    assert_eq!(secret.metadata.annotations.unwrap()["note"], "b");
    assert_eq!(secret.metadata.owner_references.unwrap()[0].name, "tls-user");
    let binary = secret.data.unwrap()["user.p12"].0.clone();
    let data = w.secret("tls-user").await;
    assert_eq!(data.len(), 5, "{:?}", data.keys());
    assert_eq!(data["ca.crt"], w.node.ca_pem());

    // Kafka takes the certificate, and the user may do what it may and nothing else.
    let client = w.with_certificate(&data);
    let allowed = client.create_topics(vec![kafka_admin::NewTopic::new("tls-a")], false).await.unwrap();
    assert!(allowed["tls-a"].is_ok(), "{allowed:?}");
    let denied = client.create_topics(vec![kafka_admin::NewTopic::new("other")], false).await.unwrap();
    assert_eq!(denied["other"].as_ref().unwrap_err().exception(), "TopicAuthorizationException");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("user.p12"), binary).unwrap();
    let password = data["user.password"].as_str();
    for (program, arguments, expected) in [
        ("keytool", vec!["-list", "-keystore", "user.p12", "-storepass", password], "PrivateKeyEntry"),
        (
            "openssl",
            vec!["pkcs12", "-in", "user.p12", "-nodes", "-passin", &format!("pass:{password}")],
            "BEGIN PRIVATE KEY",
        ),
    ] {
        let output = Command::new(program).args(arguments).current_dir(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(expected), "{program}: {text}");
    }

    // An unchanged user is not written again, in Kubernetes or elsewhere.
    let before = (versions(&w, "tls-user").await, w.acls("CN=tls-user").await);
    w.passes(2.0).await;
    assert_eq!((versions(&w, "tls-user").await, w.acls("CN=tls-user").await), before);

    // A new certificate on request, once.
    let ask = json!({"metadata": {"annotations": {"strimzi.io/force-renew": "true"}}});
    w.secrets.patch("tls-user", &PatchParams::default(), &Patch::Merge(ask)).await.unwrap();
    let renewed = wait::until(DEADLINE, "the certificate is renewed", || async {
        let secret = w.secrets.get("tls-user").await.unwrap();
        let asked = secret.metadata.annotations.unwrap_or_default().contains_key("strimzi.io/force-renew");
        let now = w.secret("tls-user").await;
        (!asked && now["user.crt"] != data["user.crt"]).then_some(now)
    })
    .await
    .unwrap();
    assert_ne!(renewed["user.key"], data["user.key"]);
    w.with_certificate(&renewed).describe_cluster().await.unwrap();

    w.delete("tls-user").await;
    w.gone_from_kafka("tls-user").await;
    wait::for_absence(&w.secrets, "tls-user", DEADLINE).await.unwrap();
}

async fn versions(w: &World, name: &str) -> (Option<String>, Option<String>) {
    let secret = w.secrets.get(name).await.unwrap().metadata.resource_version;
    (w.resources.get(name).await.unwrap().metadata.resource_version, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scram_user_logs_in_with_the_password_of_its_secret_and_follows_its_changes() {
    let w = World::get().await;
    w.create("scram-user", json!({"authentication": {"type": "scram-sha-512"}})).await;
    let status = w.ready("scram-user").await.status.unwrap();
    assert_eq!(status.username.as_deref(), Some("scram-user"));
    let data = w.secret("scram-user").await;
    assert_eq!(data["password"].len(), 32);
    assert_eq!(
        data["sasl.jaas.config"],
        format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"scram-user\" password=\"{}\";",
            data["password"]
        )
    );
    w.logs_in("scram-user", &data["password"]).await;
    let before = versions(&w, "scram-user").await;
    w.passes(2.0).await;
    assert_eq!(versions(&w, "scram-user").await, before);

    w.make_secret("chosen", &[("pass", b"chosen-password")]).await;
    let reference = json!({"secretKeyRef": {"name": "chosen", "key": "pass"}});
    w.patch("scram-user", json!({"spec": {"authentication": {"password": {"valueFrom": reference}}}})).await;
    w.ready("scram-user").await;
    assert_eq!(w.secret("scram-user").await["password"], "chosen-password");
    w.logs_in("scram-user", "chosen-password").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_kind_of_authentication_clears_what_the_other_left() {
    let w = World::get().await;
    let acls = json!({"type": "simple", "acls": [{"resource": {"type": "group", "name": "g"}, "operations": ["Read"]}]});
    w.create(
        "changer",
        json!({"authentication": {"type": "scram-sha-512"}, "authorization": acls, "quotas": {"consumerByteRate": 5}}),
    )
    .await;
    w.ready("changer").await;
    w.until_rules("changer", 1).await;
    w.patch("changer", json!({"spec": {"authentication": {"type": "tls"}}})).await;
    let status = w.ready("changer").await.status.unwrap();
    assert_eq!(status.username.as_deref(), Some("CN=changer"));
    let data = w.secret("changer").await;
    assert!(data.contains_key("user.crt") && !data.contains_key("password"), "{:?}", data.keys());
    wait::until(DEADLINE, "Kafka has the user under its certificate's name only", || async {
        let there = w.acls("CN=changer").await.len() == 1 && !w.quotas("CN=changer").await.is_empty();
        let left = w.has_password("changer").await
            || !w.acls("changer").await.is_empty()
            || !w.quotas("changer").await.is_empty();
        (there && !left).then_some(())
    })
    .await
    .unwrap();
    w.patch("changer", json!({"spec": {"authentication": {"type": "tls-external"}}})).await;
    let status = w.ready("changer").await.status.unwrap();
    assert_eq!((status.username.as_deref(), status.secret), (Some("CN=changer"), None));
    wait::for_absence(&w.secrets, "changer", DEADLINE).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_kafka_has_no_more_is_no_obstacle_to_its_removal() {
    let mut w = World::own().await;
    // The operator does not get to see what others do meanwhile.
    w.set("STRIMZI_CACHE_REFRESH_INTERVAL_MS", "3600000");
    w.start_operator().await;
    w.create("lost", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.ready("lost").await;
    let removed = ScramChange::Delete { user: "lost".to_owned(), mechanism: ScramMechanism::Sha512 };
    w.admin.alter_scram_credentials(vec![removed]).await.unwrap().remove("lost").unwrap().unwrap();
    w.patch("lost", json!({"spec": {"authentication": {"type": "tls"}}})).await;
    assert_eq!(w.ready("lost").await.status.unwrap().username.as_deref(), Some("CN=lost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_user_is_left_as_it_is() {
    let w = World::get().await;
    w.create("paused", json!({"quotas": {"producerByteRate": 5}})).await;
    w.ready("paused").await;
    w.until_quotas("paused", &[("producer_byte_rate", 5.0)]).await;
    let pause = json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}});
    w.patch("paused", pause).await;
    wait::for_object(&w.resources, "paused", DEADLINE, "is paused", |user| {
        has(user, |condition| condition.is("ReconciliationPaused"))
    })
    .await
    .unwrap();
    w.patch("paused", json!({"spec": {"quotas": {"producerByteRate": 6}}})).await;
    w.passes(2.0).await;
    assert!(w.metric("strimzi_resources_paused") >= 1.0);
    assert_eq!(w.quotas("paused").await["producer_byte_rate"].to_string(), "5");
    w.patch("paused", json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": null}}})).await;
    w.ready("paused").await;
    wait::until(DEADLINE, "the quota is set", || async {
        (w.quotas("paused").await["producer_byte_rate"].to_string() == "6").then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_leave_the_template_leave_the_secret_and_those_of_others_stay() {
    let w = World::get().await;
    for (name, kind) in [("labelled-tls", "tls"), ("labelled-scram", "scram-sha-512")] {
        let metadata = json!({"labels": {"team": "a", "tier": "b"}, "annotations": {"note": "c"}});
        let template = json!({"secret": {"metadata": metadata}});
        w.create(name, json!({"authentication": {"type": kind}, "template": template})).await;
        w.ready(name).await;
        let before = w.secret(name).await;
        let of_others = Patch::Merge(json!({"metadata": {"labels": {"owner": "somebody"}}}));
        w.secrets.patch(name, &PatchParams::default(), &of_others).await.unwrap();
        let less = json!({"labels": {"team": null}, "annotations": {"note": null}});
        w.patch(name, json!({"spec": {"template": {"secret": {"metadata": less}}}})).await;
        let secret = wait::for_object(&w.secrets, name, DEADLINE, "has lost the label", |secret| {
            secret.metadata.labels.as_ref().is_some_and(|labels| !labels.contains_key("team"))
        })
        .await
        .unwrap();
        let labels = secret.metadata.labels.unwrap();
        assert_eq!((labels["tier"].as_str(), labels["owner"].as_str()), ("b", "somebody"));
        assert!(!secret.metadata.annotations.unwrap_or_default().contains_key("note"));
        assert!(w.secret(name).await == before, "the credentials of {name} were replaced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_lost_a_label_keeps_its_credentials_and_gets_the_label_back() {
    let w = World::get().await;
    for (name, kind, label) in [
        ("bare-tls", "tls", "strimzi.io/cluster"),
        ("bare-scram", "scram-sha-512", "strimzi.io/cluster"),
        ("kindless-tls", "tls", "strimzi.io/kind"),
        ("kindless-scram", "scram-sha-512", "strimzi.io/kind"),
    ] {
        w.create(name, json!({"authentication": {"type": kind}})).await;
        w.ready(name).await;
        let before = w.secret(name).await;
        let bare = Patch::Merge(json!({"metadata": {"labels": {label: null}}}));
        w.secrets.patch(name, &PatchParams::default(), &bare).await.unwrap();
        wait::for_object(&w.secrets, name, DEADLINE, "has its label again", |secret| {
            secret.metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(label))
        })
        .await
        .unwrap();
        assert!(w.secret(name).await == before, "the credentials of {name} were replaced");
        w.ready(name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_waits_until_all_pods_trust_its_authority() {
    let mut w = World::own().await;
    w.start_operator().await;
    let tls = || json!({"authentication": {"type": "tls"}});
    w.create("early", tls()).await;
    w.ready("early").await;
    let before = w.secret("early").await;
    let thumbprint = |pem: &str| pki::parse_certificate(&CertificatePem::new(pem)).unwrap().sha256_thumbprint;
    let trusted = async |pem: Option<&str>| {
        let value = pem.map(thumbprint);
        let patch = json!({"metadata": {"annotations": {"kastellan.io/trusted-by-all-pods": value}}});
        let params = PatchParams::default();
        w.secrets.patch("my-clients-ca-cert", &params, &Patch::Merge(patch)).await.unwrap();
    };
    let sign_with = async |certificate: &str, key: &str| {
        w.change_secret("my-clients-ca", &[("ca.key", key.as_bytes())]).await;
        w.change_secret("my-clients-ca-cert", &[("ca.crt", certificate.as_bytes())]).await;
    };
    let signed_by = async |name: &str, certificate: &str| {
        wait::until(DEADLINE, "there is a certificate of the authority", || async {
            let data = w.secrets.get_opt(name).await.unwrap()?.data?;
            (data.get("ca.crt")?.0 == certificate.as_bytes()).then_some(())
        })
        .await
        .unwrap();
    };
    let other = Authority::new("another-ca").unwrap();
    trusted(Some(w.node.ca_pem())).await;
    sign_with(other.certificate(), &other.key()).await;
    // A user without a certificate has nothing to wait with; that it got one shows that the others were looked at.
    w.create("late", tls()).await;
    w.ready("late").await;
    signed_by("late", other.certificate()).await;
    let ask = json!({"metadata": {"annotations": {"strimzi.io/force-renew": "true"}}});
    w.secrets.patch("early", &PatchParams::default(), &Patch::Merge(ask)).await.unwrap();
    w.patch("early", json!({"spec": {"quotas": {"producerByteRate": 5}}})).await;
    w.ready("early").await;
    assert!(w.secret("early").await == before, "a certificate was made that no node trusts");
    w.with_certificate(&before).describe_cluster().await.unwrap();

    trusted(Some(other.certificate())).await;
    signed_by("early", other.certificate()).await;
    // Where nobody tells what is trusted, nobody waits.
    trusted(None).await;
    sign_with(w.node.ca_pem(), &w.node.authority().key()).await;
    signed_by("early", w.node.ca_pem()).await;
    w.with_certificate(&w.secret("early").await).describe_cluster().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_authority_that_the_user_supplies_a_variable_says_whether_all_pods_trust_it() {
    let mut w = World::own().await;
    let thumbprint = |pem: &str| pki::parse_certificate(&CertificatePem::new(pem)).unwrap().sha256_thumbprint;
    let id = |pem: &str| pki::parse_certificate(&CertificatePem::new(pem)).unwrap().authority_id();
    let trusted = "KASTELLAN_TRUSTED_CLIENTS_CA";
    let of_before = id(w.node.ca_pem());
    w.set(trusted, &of_before);
    w.start_operator().await;
    let tls = || json!({"authentication": {"type": "tls"}});
    w.create("early", tls()).await;
    w.ready("early").await;
    let before = w.secret("early").await;
    let other = Authority::new("another-ca").unwrap();
    // The annotation contradicts the variable, and must not count.
    let stale = json!({"metadata": {"annotations": {"kastellan.io/trusted-by-all-pods": thumbprint(other.certificate())}}});
    w.secrets.patch("my-clients-ca-cert", &PatchParams::default(), &Patch::Merge(stale)).await.unwrap();
    w.change_secret("my-clients-ca", &[("ca.key", other.key().as_bytes())]).await;
    w.change_secret("my-clients-ca-cert", &[("ca.crt", other.certificate().as_bytes())]).await;
    let secrets = w.secrets.clone();
    let is_signed = async |name: &str| {
        wait::until(DEADLINE, "there is a certificate of the authority", || async {
            let data = secrets.get_opt(name).await.unwrap()?.data?;
            (data.get("ca.crt")?.0 == other.certificate().as_bytes()).then_some(())
        })
        .await
        .unwrap();
    };
    w.create("late", tls()).await;
    is_signed("late").await;
    w.patch("early", json!({"spec": {"quotas": {"producerByteRate": 5}}})).await;
    w.ready("early").await;
    assert!(w.secret("early").await == before, "a certificate was made that no node trusts");

    w.stop_operator().await;
    w.set(trusted, &id(other.certificate()));
    w.start_operator().await;
    is_signed("early").await;
}
