#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Instant;

use api::KafkaUser;
use jiff::Timestamp;
use kafka_admin::{Admin, AdminConfig};
use kube::Config;
use operator_runtime::apply::Applier;
use operator_runtime::env::{Env, Namespaces};
use operator_runtime::metrics::Metrics;
use operator_runtime::watch::{Cache, ObjectRef};
use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::Context;
use crate::observe::Observer;
use crate::referenced_passwords::Passwords;
use crate::secret_store::SecretStore;
use crate::settings::Settings;
use crate::snapshot::Reading;

/// Of one user `a` with a quota. Neither Kubernetes nor Kafka is there.
fn context() -> Context {
    let nowhere = Config::new("http://127.0.0.1:1".parse().unwrap());
    let client = operator_runtime::client::from_config(nowhere, "test").unwrap();
    let settings = Settings::from_env(&Env::from_map([
        ("STRIMZI_NAMESPACE", "ns"),
        ("STRIMZI_CA_CERT_NAME", "ca"),
        ("STRIMZI_CA_KEY_NAME", "key"),
    ]))
    .unwrap();
    let user: KafkaUser = serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": {"name": "a", "namespace": "ns"},
        "spec": {"quotas": {"producerByteRate": 5}},
    }))
    .unwrap();
    let requests = Arc::new(Semaphore::new(1));
    let ended = CancellationToken::new();
    ended.cancel();
    let observer = Observer {
        namespace: "ns".to_owned(),
        selector: settings.selector.clone(),
        users: Cache::fixed([(ObjectRef::new("ns", "a"), user)]),
        certificates: None,
        secrets: Arc::new(SecretStore::new(Cache::fixed([]), "ns", "", false)),
        passwords: Arc::new(Passwords::follow(&client, &settings, Arc::clone(&requests), &ended)),
        snapshot: Arc::default(),
        authority: watch::channel(None).1,
        applier: Applier::new(client.clone()),
        requests: Arc::clone(&requests),
    };
    let admin = Admin::new(AdminConfig::brokers(["127.0.0.1:1"])).unwrap();
    let namespaces = Namespaces::Some(vec!["ns".to_owned()]);
    let metrics = Metrics::new().unwrap().of_kind("KafkaUser", &namespaces, &settings.selector);
    Context::new(Applier::new(client), watch::channel(Some(admin)).1, metrics, observer, requests, settings)
}

#[tokio::test]
async fn a_user_planned_before_the_first_reading_of_kafka_is_tried_again_and_not_called_ready() {
    let context = context();
    let mut items = vec![context.plan("a".to_owned(), Timestamp::UNIX_EPOCH).await];
    assert!(items[0].problem().is_none());
    context.observer.snapshot.replace(Reading::default(), Instant::now());
    context.write(&mut items, Timestamp::UNIX_EPOCH).await;
    let problem = items[0].problem().unwrap();
    assert!(problem.retry && crate::status::is_passing(&problem, None), "{problem:?}");
}

#[tokio::test]
async fn a_problem_that_was_told_is_taken_back_though_the_watch_does_not_show_it_yet() {
    let context = context();
    let now = Timestamp::UNIX_EPOCH;
    let mut item = context.plan("a".to_owned(), now).await;
    let mut user = (*item.observed.user.clone().unwrap()).clone();
    user.status = Some(crate::status::of(&user, None, None, now));
    item.observed.user = Some(Arc::new(user));
    context.write_status(&mut item, now).await;
    assert!(item.problem().is_none(), "nothing to write");
    context.complained().insert("a".to_owned());
    context.write_status(&mut item, now).await;
    // There is no API server here: that it was asked shows in the problem.
    assert!(item.problem().unwrap().message.contains("write the status of"));
}
