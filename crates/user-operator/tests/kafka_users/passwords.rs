//! Passwords in Secrets that somebody else made.

use std::process::Command;

use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use test_support::{Java, wait};

use crate::world::{DEADLINE, World, has};

fn with_password_from(secret: &str, key: &str) -> Value {
    let reference = json!({"secretKeyRef": {"name": secret, "key": key}});
    json!({"authentication": {"type": "scram-sha-512", "password": {"valueFrom": reference}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_the_secret_is_a_change_of_the_login() {
    let mut w = World::own().await;
    w.start_operator().await;
    w.make_secret("chosen", &[("one", b"first-password"), ("two", b"other-password")]).await;
    w.create("one", with_password_from("chosen", "one")).await;
    w.create("two", with_password_from("chosen", "two")).await;
    for name in ["one", "two"] {
        w.ready(name).await;
    }
    w.logs_in("one", "first-password").await;
    // The operator looks at everything once an hour: only the watch can tell it.
    w.change_secret("chosen", &[("one", b"second-password")]).await;
    w.logs_in("one", "second-password").await;
    assert_eq!(w.secret("one").await["password"], "second-password");
    w.with_password("one", "first-password").describe_cluster().await.unwrap_err();
    assert_eq!(w.secret("two").await["password"], "other-password");
    w.logs_in("two", "other-password").await;

    // Without the Secret the login stays, and the status says what is missing.
    w.secrets.delete("chosen", &DeleteParams::default()).await.unwrap();
    let user = wait::for_object(&w.resources, "one", DEADLINE, "misses its password", |user| {
        has(user, |condition| condition.is("NotReady"))
    });
    let message = user.await.unwrap().status.unwrap().conditions.unwrap().remove(0).message.unwrap();
    assert_eq!(message, "the Secret chosen with the password does not exist");
    w.logs_in("one", "second-password").await;
    w.make_secret("chosen", &[("one", b"third-password")]).await;
    w.logs_in("one", "third-password").await;
    w.ready("one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_pass_reads_no_password() {
    // In an API server that nobody else asks.
    let mut w = World::alone().await;
    w.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "500");
    w.make_secret("idle", &[("pass", b"some-password")]).await;
    w.set("STRIMZI_SECRET_PREFIX", "of-");
    w.start_operator().await;
    w.create("idle-user", with_password_from("idle", "pass")).await;
    let status = w.ready("idle-user").await.status.unwrap();
    assert_eq!(status.secret.as_deref(), Some("of-idle-user"));
    assert_eq!(w.secret("of-idle-user").await["password"], "some-password");
    w.passes(2.0).await;
    let before = w.secret_reads().await;
    assert!(before >= 1.0, "the password was read at least once");
    w.passes(4.0).await;
    assert_eq!((w.secret_reads().await - before).to_string(), "0");
    let touch = json!({"metadata": {"annotations": {"note": "touched"}}});
    w.secrets.patch("idle", &PatchParams::default(), &Patch::Merge(touch)).await.unwrap();
    wait::until(DEADLINE, "the changed Secret is read", || async {
        (w.secret_reads().await > before).then_some(())
    })
    .await
    .unwrap();
}

/// Logs in with Kafka's own Java client, which takes the JAAS configuration of the user's Secret as it is.
fn lists_topics_in_java(w: &World, jaas: &str) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let properties = folder.path().join("client.properties");
    let trusted = folder.path().join("ca.pem");
    std::fs::write(&trusted, w.node.ca_pem()).unwrap();
    let value: String = jaas.chars().map(as_a_property).collect();
    let text = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n\
         ssl.truststore.location={}\nsasl.jaas.config={value}\nrequest.timeout.ms=10000\ndefault.api.timeout.ms=20000\n",
        trusted.display()
    );
    std::fs::write(&properties, text).unwrap();
    let java = Java::find(folder.path()).unwrap();
    let log4j = folder.path().join("log4j2.properties");
    std::fs::write(&log4j, "status=error\nrootLogger.level=off\n").unwrap();
    let mut command = Command::new(java.program());
    command.args(java.arguments(&log4j, 128, "org.apache.kafka.tools.TopicCommand"));
    command.args(["--bootstrap-server", &w.node.scram_bootstrap(), "--list", "--command-config"]);
    let output = command.arg(&properties).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

/// As `java.util.Properties` reads it back.
fn as_a_property(c: char) -> String {
    match c {
        '\\' => "\\\\".to_owned(),
        ' '..='~' => c.to_string(),
        _ => format!("\\u{:04x}", u32::from(c)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_own_client_reads_every_password_back() {
    let w = World::get().await;
    let passwords: [(&str, &[u8]); 6] = [
        ("plain", b"plain-password"),
        ("echoed", b"echo made this\n"),
        ("returned", b"two\r\nlines"),
        ("quoted", b"a \"quote\", a \\ and a ';"),
        ("controlled", b"tab\there, bell\x077, escape\x1b1, delete\x7f"),
        ("only-a-break", b"\n"),
    ];
    w.make_secret("odd-passwords", &passwords).await;
    for (key, password) in passwords {
        let user = format!("java-{key}");
        w.create(&user, with_password_from("odd-passwords", key)).await;
        w.ready(&user).await;
        let data = w.secret(&user).await;
        assert_eq!(data["password"].as_bytes(), password);
        let jaas = &data["sasl.jaas.config"];
        assert!(!jaas.contains(|c: char| c.is_control()), "{jaas:?}");
        let (done, text) = lists_topics_in_java(&w, jaas);
        assert!(done, "{user}: {text}");
    }
}
