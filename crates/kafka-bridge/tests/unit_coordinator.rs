//! A coordinator that is asked from where a group reads and answers with an error. The library's own stand-in for Kafka says so when
//! it is told to: of a real Kafka that is seen only while a group moves, for some milliseconds.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{KAFKA, Served, TEXT};
use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_coordinator_moved_when_it_began_reads_all_the_same() {
    let kafka = MockCluster::new(1).unwrap();
    kafka.create_topic("letters", 1, 1).unwrap();
    let served = Served::of(&format!("kafka.bootstrap.servers={}\n", kafka.bootstrap_servers())).await;
    served.post("/topics/letters", TEXT, r#"{"records":[{"value":"v"}]}"#).await.expect(200);
    for (group, error) in [
        ("moved", RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
        ("absent", RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
    ] {
        kafka.request_errors(RDKafkaApiKey::OffsetFetch, &[error, error]);
        let consumer = served.consumer(group, r#"{"format":"text","auto.offset.reset":"earliest"}"#).await;
        let place = r#"{"partitions":[{"topic":"letters","partition":0}]}"#;
        served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
        let began = Instant::now();
        assert_eq!(served.records(&consumer, TEXT, 1).await[0]["value"], "v", "{group}");
        assert!(began.elapsed() < Duration::from_secs(20), "{group}: {:?}", began.elapsed());
        served.delete(&consumer).await.expect(204);
    }
}
