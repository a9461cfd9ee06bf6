//! A coordinator that is asked from where a group reads and refuses the answer. The library's own stand-in for Kafka does so when it is
//! told to: of a real Kafka that is seen only while a group moves, for some milliseconds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{KAFKA, Served, TEXT};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use serde_json::Value;

const MOVED: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
const ABSENT: RDKafkaRespErr = RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE;

const ASSIGNED: (&str, &str) = (
    "assignments",
    r#"{"partitions":[{"topic":"letters","partition":0},{"topic":"letters","partition":1}]}"#,
);
const SUBSCRIBED: (&str, &str) = ("subscription", r#"{"topics":["letters"]}"#);

async fn reads_all(served: &Served, kafka: &MockCluster<'_, impl rdkafka::ClientContext>, group: &str) {
    for (error, (path, body)) in
        [(MOVED, ASSIGNED), (ABSENT, ASSIGNED), (MOVED, SUBSCRIBED), (ABSENT, SUBSCRIBED)]
    {
        let name = format!("{group}-{error:?}-{path}");
        kafka.request_errors(RDKafkaApiKey::OffsetFetch, &[error, error]);
        let config = r#"{"format":"text","auto.offset.reset":"earliest"}"#;
        let consumer = served.consumer(&name, config).await;
        served.post(&format!("{consumer}/{path}"), KAFKA, body).await.expect(204);
        let began = Instant::now();
        let records = served.records(&consumer, TEXT, 2).await;
        let mut values: Vec<&Value> = records.iter().map(|record| &record["value"]).collect();
        values.sort_by_key(|value| value.as_str());
        assert_eq!(values, ["one", "two"], "{name}");
        assert!(began.elapsed() < Duration::from_secs(30), "{name}: {:?}", began.elapsed());
        served.delete(&consumer).await.expect(204);
        kafka.clear_request_errors(RDKafkaApiKey::OffsetFetch);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_coordinator_moved_when_it_began_reads_all_the_same() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("letters", 2, 1).unwrap();
    let servers = kafka.bootstrap_servers();
    let eager = Served::of(&format!("kafka.bootstrap.servers={servers}\n")).await;
    let records = r#"{"records":[{"value":"one","partition":0},{"value":"two","partition":1}]}"#;
    eager.post("/topics/letters", TEXT, records).await.expect(200);
    reads_all(&eager, &kafka, "eager").await;
    let strategy = "kafka.consumer.partition.assignment.strategy=cooperative-sticky";
    let cooperative = Served::of(&format!("kafka.bootstrap.servers={servers}\n{strategy}\n")).await;
    reads_all(&cooperative, &kafka, "cooperative").await;
}
