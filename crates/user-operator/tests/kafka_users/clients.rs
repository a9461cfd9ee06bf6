//! What users can do with what is in their Secrets, shown by a client that shares no code with the operator: librdkafka.

use std::path::PathBuf;
use std::process::{Command, Output};

use kafka_admin::NewTopic;
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World};

/// The program of `e2e/client`: where the variable says, or where `make test-kafka` builds it.
fn client() -> PathBuf {
    const BUILT: &str = "x86_64-unknown-linux-gnu/release/kafka-client";
    let named = std::env::var_os("KASTELLAN_KAFKA_CLIENT").map(PathBuf::from);
    // This test lies some folders below the one that cargo builds in.
    let this = std::env::current_exe().unwrap();
    let program =
        named.or_else(|| this.ancestors().map(|folder| folder.join(BUILT)).find(|path| path.is_file()));
    let program = program.filter(|path| path.is_file());
    program
        .expect("there is no kafka-client: `make test-kafka` builds it, KASTELLAN_KAFKA_CLIENT may name it")
}

/// Runs the client as a user, with its Secret as a folder of files, and gives back what it wrote and whether it succeeded.
async fn run_as(w: &World, user: &str, topic: &str, job: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let (secret, ca) = (folder.path().join("user"), folder.path().join("cluster"));
    std::fs::create_dir_all(&secret).unwrap();
    std::fs::create_dir_all(&ca).unwrap();
    std::fs::write(ca.join("ca.crt"), w.node.ca_pem()).unwrap();
    let data = w.secrets.get(user).await.unwrap().data.unwrap();
    let bootstrap =
        if data.contains_key("password") { w.node.scram_bootstrap() } else { w.node.tls_bootstrap() };
    for (key, value) in data {
        std::fs::write(secret.join(key), value.0).unwrap();
    }
    let mut command = Command::new(client());
    command.args(["--bootstrap", &bootstrap, "--topic", topic, "--user-name", user, "--deadline", "90"]);
    command.arg("--cluster-ca").arg(&ca).arg("--user-secret").arg(&secret).args(job);
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

async fn make_topic(w: &World, name: &str) {
    let made = w.admin.create_topics(vec![NewTopic::new(name)], false).await.unwrap();
    assert!(made[name].is_ok(), "{made:?}");
}

fn rules(rules: &[Value]) -> Value {
    json!({"type": "simple", "acls": rules})
}

/// Waits until a broker has heard of the user's rules, of which one lets it see the topic.
async fn sees(w: &World, user: &str, topic: &str) {
    let data = w.secret(user).await;
    let admin = match data.get("password") {
        Some(password) => w.with_password(user, password),
        None => w.with_certificate(&data),
    };
    let admin = &admin;
    wait::until(DEADLINE, &format!("{user} sees {topic}"), || async move {
        admin.describe_topics([topic.to_owned()]).await.ok()?.remove(topic)?.ok()
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tls_user_produces_what_a_scram_user_consumes_and_neither_may_do_the_others_work() {
    let w = World::get().await;
    make_topic(&w, "letters").await;
    let topic = |operations: &[&str]| json!({"resource": {"type": "topic", "name": "letters"}, "operations": operations});
    let group = json!({"resource": {"type": "group", "name": "post", "patternType": "prefix"}, "operations": ["Read"]});
    w.create(
        "writer",
        json!({"authentication": {"type": "tls"}, "authorization": rules(&[topic(&["Write", "Describe"])])}),
    )
    .await;
    w.create(
        "reader",
        json!({"authentication": {"type": "scram-sha-512"}, "authorization": rules(&[topic(&["Read", "Describe"]), group])}),
    )
    .await;
    for user in ["writer", "reader"] {
        w.ready(user).await;
        sees(&w, user, "letters").await;
    }
    let (done, text) = run_as(&w, "writer", "letters", &["produce", "500"]).await;
    assert!(done && text.contains("produced 500 records"), "{text}");
    let (done, text) = run_as(&w, "reader", "letters", &["consume", "500", "--group", "post-1"]).await;
    assert!(done && text.contains("consumed 500 records"), "{text}");

    let (done, text) = run_as(&w, "reader", "letters", &["expect-denied"]).await;
    assert!(done, "the reader must not write: {text}");
    for (user, group) in [("writer", "post-2"), ("reader", "other")] {
        let (done, text) = run_as(&w, user, "letters", &["consume", "1", "--group", group]).await;
        assert!(!done && text.contains("uthorization failed"), "{user} as {group}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_rule_wins_over_an_allow_rule_until_it_is_taken_away() {
    let w = World::get().await;
    make_topic(&w, "sealed").await;
    let allow =
        json!({"resource": {"type": "topic", "name": "sea", "patternType": "prefix"}, "operations": ["All"]});
    let deny = json!({"type": "deny", "resource": {"type": "topic", "name": "sealed"}, "operations": ["Write"], "host": "*"});
    w.create(
        "denied",
        json!({"authentication": {"type": "scram-sha-512"}, "authorization": rules(&[allow.clone(), deny])}),
    )
    .await;
    w.ready("denied").await;
    sees(&w, "denied", "sealed").await;
    let (done, text) = run_as(&w, "denied", "sealed", &["expect-denied"]).await;
    assert!(done, "{text}");
    w.patch("denied", json!({"spec": {"authorization": rules(&[allow])}})).await;
    w.ready("denied").await;
    let w = &w;
    wait::until(DEADLINE, "the user may write", || async move {
        run_as(w, "denied", "sealed", &["produce", "1"]).await.0.then_some(())
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_slows_its_user_down_and_nobody_else() {
    let w = World::get().await;
    make_topic(&w, "metered").await;
    let all = rules(&[json!({"resource": {"type": "topic", "name": "metered"}, "operations": ["All"]})]);
    w.create(
        "slow",
        json!({"authentication": {"type": "tls"}, "authorization": all, "quotas": {"producerByteRate": 15000}}),
    )
    .await;
    w.create("free", json!({"authentication": {"type": "tls"}, "authorization": all})).await;
    for user in ["slow", "free"] {
        w.ready(user).await;
        sees(&w, user, "metered").await;
    }
    // Some 270 kB, where the quota allows 150 kB in Kafka's window of ten seconds.
    let produce = ["produce", "10000"];
    let (done, text) = run_as(&w, "free", "metered", &produce).await;
    assert!(done && text.contains("asked for: 0 ms"), "{text}");
    let w = &w;
    wait::until(DEADLINE * 2, "the quota bites", || async move {
        let (done, text) = run_as(w, "slow", "metered", &produce).await;
        assert!(done, "slowed down is not refused: {text}");
        (!text.contains("asked for: 0 ms")).then_some(())
    })
    .await
    .unwrap();
}
