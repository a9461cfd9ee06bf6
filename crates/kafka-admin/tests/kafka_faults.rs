//! What a caller sees while Kafka is away, hangs or starts again.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use kafka_admin::{Admin, AdminConfig, AdminError, ErrorCode, NewTopic};
use test_support::kafka::{KafkaNode, KafkaOptions};
use test_support::wait::until;
use tokio::sync::{Mutex, MutexGuard};

const SOON: Duration = Duration::from_mins(1);

/// One node for all tests of this file, each of which has it for itself.
async fn node() -> MutexGuard<'static, KafkaNode> {
    static NODE: OnceLock<Mutex<KafkaNode>> = OnceLock::new();
    let start = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() };
        Mutex::new(runtime.block_on(KafkaNode::start(options)).unwrap())
    };
    NODE.get_or_init(|| std::thread::spawn(start).join().unwrap()).lock().await
}

fn config(node: &KafkaNode, limit: Duration) -> AdminConfig {
    AdminConfig::brokers([node.bootstrap()]).with_request_timeout(limit).with_connect_timeout(limit)
}

#[tokio::test]
async fn a_broker_that_hangs_is_given_up_at_the_deadline_and_works_again_afterwards() {
    let node = node().await;
    let limit = Duration::from_secs(2);
    let connected = Admin::new(config(&node, limit)).unwrap();
    connected.describe_cluster().await.unwrap();
    let fresh = Admin::new(config(&node, limit)).unwrap();
    node.pause().unwrap();
    let began = Instant::now();
    let (one, two) = tokio::join!(connected.describe_cluster(), fresh.list_topics());
    let took = began.elapsed();
    node.resume().unwrap();
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(4), "{took:?}");
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(matches!(error, AdminError::Timeout { .. }) && error.is_retriable(), "{error}");
        assert!(
            error.to_string().contains("within 2 s") && error.to_string().contains(&node.bootstrap()),
            "{error}"
        );
    }
    let patient = Duration::from_secs(20);
    let again = Admin::new(config(&node, patient)).unwrap();
    again.describe_cluster().await.unwrap();
    connected.describe_cluster().await.unwrap();
    fresh.list_topics().await.unwrap();
}

#[tokio::test]
async fn calls_that_are_under_way_survive_a_restart_of_the_broker() {
    let mut node = node().await;
    let admin = Admin::new(config(&node, Duration::from_secs(90))).unwrap();
    admin.describe_cluster().await.unwrap();
    let create = |index: usize| {
        let admin = admin.clone();
        tokio::spawn(async move {
            let name = format!("restart-{index}");
            let outcome = admin.create_topics(vec![NewTopic::new(name.clone())], false).await?.remove(&name);
            // The connection may break after Kafka created it: then the repetition finds it there.
            match outcome {
                Some(Err(error)) if error.code != ErrorCode::TOPIC_ALREADY_EXISTS => panic!("{error}"),
                _ => Ok::<_, AdminError>(name),
            }
        })
    };
    let mut calls: Vec<_> = (0..10).map(create).collect();
    node.kill();
    calls.extend((10..20).map(create));
    node.start_again().await.unwrap();
    calls.extend((20..30).map(create));
    let mut names = Vec::new();
    for call in calls {
        names.push(call.await.unwrap().unwrap());
    }
    // The controller answers that it created a topic before the broker knows of it.
    until(SOON, "the broker knows every topic", || async {
        let described = admin.describe_topics(names.clone()).await.unwrap();
        names.iter().all(|name| described[name].is_ok()).then_some(())
    })
    .await
    .unwrap();

    node.stop().await.unwrap();
    let call = tokio::spawn({
        let admin = admin.clone();
        async move { admin.list_topics().await }
    });
    node.start_again().await.unwrap();
    let listed = call.await.unwrap().unwrap();
    assert!(names.iter().all(|name| listed.contains_key(name)));
}

#[tokio::test]
async fn an_address_where_nobody_listens_or_that_does_not_exist_is_named() {
    for (address, reason) in
        [("127.0.0.1:1", "refused"), ("no-such-host.invalid:9091", "host name not resolved")]
    {
        let config = AdminConfig::brokers([address]).with_request_timeout(Duration::from_millis(700));
        let began = Instant::now();
        let error = Admin::new(config).unwrap().describe_cluster().await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(3));
        let text = error.to_string();
        assert!(text.contains(address) && text.contains(reason) && text.contains("within 700 ms"), "{text}");
    }
}

#[tokio::test]
async fn a_dead_bootstrap_address_is_passed_over() {
    let node = node().await;
    let config = AdminConfig::brokers(["127.0.0.1:1".to_owned(), node.bootstrap()]);
    let admin = Admin::new(config).unwrap();
    assert_eq!(admin.describe_cluster().await.unwrap().nodes.len(), 1);
}
