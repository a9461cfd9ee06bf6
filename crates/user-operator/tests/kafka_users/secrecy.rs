//! Private keys and passwords stay in Secrets.

use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World, has};

/// The forms in which an entry of a Secret could slip out: as text, as Kubernetes writes it, and as Rust prints bytes.
fn forms(value: &k8s_openapi::ByteString) -> Vec<String> {
    let bytes = &value.0;
    let text = String::from_utf8_lossy(bytes).into_owned();
    // Of a key in PEM, one line of its body is enough, and its header is no secret.
    let telling = if text.starts_with("-----BEGIN") { text.lines().nth(1).unwrap().to_owned() } else { text };
    let encoded = serde_json::to_value(value).unwrap().as_str().unwrap().to_owned();
    let printed = format!("{bytes:?}");
    vec![telling, encoded, printed.trim_matches(['[', ']']).to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_password_is_in_a_log_a_status_or_an_event() {
    let mut w = World::own().await;
    w.start_operator().await;
    w.make_secret("chosen", &[("pass", b"a-chosen-password"), ("other", b"another-chosen-password")]).await;
    let from = |key: &str| {
        let reference = json!({"secretKeyRef": {"name": "chosen", "key": key}});
        json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}})
    };
    w.create("tls", json!({"authentication": {"type": "tls"}})).await;
    w.create("scram", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.create("chooses", from("pass")).await;
    w.create("fails", from("missing")).await;
    // A change of a key and of a password, and what is told about it.
    for name in ["tls", "scram", "chooses"] {
        w.ready(name).await;
    }
    w.refused("fails").await;
    let mut hidden = Vec::new();
    for round in 0..2 {
        for secret in w.secrets.list(&ListParams::default()).await.unwrap().items {
            for (key, value) in secret.data.unwrap_or_default() {
                if !key.ends_with(".crt") && key != "user.p12" {
                    hidden.extend(forms(&value).into_iter().map(|form| (key.clone(), form)));
                }
            }
        }
        if round == 0 {
            let ask = json!({"metadata": {"annotations": {"strimzi.io/force-renew": "true"}}});
            w.secrets.patch("tls", &PatchParams::default(), &Patch::Merge(ask)).await.unwrap();
            w.patch("chooses", json!({"spec": from("other")})).await;
            w.ready("chooses").await;
            w.logs_in("chooses", "another-chosen-password").await;
            w.patch("scram", json!({"spec": {"authentication": {"type": "tls"}}})).await;
            w.ready("scram").await;
        }
    }
    // Kafka's refusal of a broken CA and of an unreachable broker are told too.
    let key = w.secret("my-clients-ca").await["ca.key"].clone();
    w.change_secret("my-clients-ca", &[("ca.key", b"a-broken-key-of-the-authority")]).await;
    hidden.push(("ca.key".to_owned(), "a-broken-key-of-the-authority".to_owned()));
    w.create("late", json!({"authentication": {"type": "tls"}})).await;
    w.refused("late").await;
    // The real key, as a tool writes it that knows no line breaks.
    let line = key.replace('\n', "");
    let body = line.trim_start_matches("-----BEGIN PRIVATE KEY-----")[..40].to_owned();
    let printed = format!("{:?}", body.as_bytes());
    hidden.push(("ca.key".to_owned(), printed.trim_matches(['[', ']']).to_owned()));
    hidden.push(("ca.key".to_owned(), body));
    w.change_secret("my-clients-ca", &[("ca.key", line.as_bytes())]).await;
    w.create("later", json!({"authentication": {"type": "tls"}})).await;
    wait::for_object(&w.users, "later", DEADLINE, "is told what is wrong with the key", |user| {
        has(user, |c| c.message.as_ref().is_some_and(|m| m.contains("a line of its own")))
    })
    .await
    .unwrap();

    let log = w.log();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "everything was logged");
    assert!(log.contains("issues a new certificate") && log.contains("user=fails"), "{log}");
    let users = w.users.list(&ListParams::default()).await.unwrap().items;
    let statuses = serde_json::to_string(&users).unwrap();
    let events: kube::Api<k8s_openapi::api::core::v1::Event> =
        kube::Api::namespaced(w.server.client().await.unwrap(), &w.variables["STRIMZI_NAMESPACE"]);
    let events = serde_json::to_string(&events.list(&ListParams::default()).await.unwrap().items).unwrap();
    assert!(hidden.len() > 30);
    for (key, form) in hidden {
        for (place, text) in [("the log", &log), ("a status", &statuses), ("an event", &events)] {
            assert!(!text.contains(&form), "an entry {key} of a Secret is in {place}");
        }
    }
}
