//! Private keys and passwords stay in Secrets.

use k8s_openapi::ByteString;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World};

/// The forms in which an entry of a Secret could slip out: as text, as Kubernetes writes it, as Rust prints bytes, and in
/// hexadecimal. Of a key in PEM, the start of its body is enough, and its header is no secret.
fn forms(value: &ByteString) -> Vec<String> {
    let text = String::from_utf8_lossy(&value.0).into_owned();
    let body = text.strip_prefix("-----BEGIN ").and_then(|rest| rest.split("-----").nth(1));
    let telling = match body {
        Some(body) => body.trim_start().as_bytes()[..48].to_vec(),
        None => value.0.clone(),
    };
    let mut all = vec![encoded(&value.0)];
    // The binary form of the key begins with what all keys of its kind begin with: that much is in the text too.
    let binary = body.map(|body| decoded(&body.replace('\n', "")));
    for bytes in [Some(telling), binary].into_iter().flatten() {
        all.push(String::from_utf8_lossy(&bytes).into_owned());
        all.push(encoded(&bytes));
        all.push(format!("{bytes:?}").trim_matches(['[', ']']).to_owned());
        all.push(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat());
    }
    all
}

fn encoded(bytes: &[u8]) -> String {
    serde_json::to_value(ByteString(bytes.to_vec())).unwrap().as_str().unwrap().to_owned()
}

fn decoded(text: &str) -> Vec<u8> {
    serde_json::from_value::<ByteString>(json!(text)).unwrap().0
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
    // A variable or a template leaves of a PEM key a single line.
    let on_one_line = w.node.authority().key().replace('\n', "");
    for (user, broken) in [("late", "a-broken-key-of-the-authority"), ("later", on_one_line.as_str())] {
        w.change_secret("my-clients-ca", &[("ca.key", broken.as_bytes())]).await;
        hidden.extend(forms(&ByteString(broken.into())).into_iter().map(|form| ("ca.key".to_owned(), form)));
        w.create(user, json!({"authentication": {"type": "tls"}})).await;
        w.refused(user).await;
    }
    let own = ("entity-operator.key", w.node.client_identity("admin").unwrap().key.replace('\n', ""));
    hidden.extend(forms(&ByteString(own.1.clone().into())).into_iter().map(|form| (own.0.to_owned(), form)));
    w.change_secret("my-entity-user-operator-certs", &[(own.0, own.1.as_bytes())]).await;
    wait::until(DEADLINE, "the operator complains of both keys on one line", || async {
        let (log, own) = (w.said(), "certificates for the connection to Kafka cannot be used");
        (log.contains(own) && log.contains("each of which has to be a line of its own")).then_some(())
    })
    .await
    .unwrap();

    let log = w.said();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "everything was logged");
    assert!(log.contains("issues a new certificate") && log.contains("user=fails"), "{log}");
    let users = w.resources.list(&ListParams::default()).await.unwrap().items;
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
