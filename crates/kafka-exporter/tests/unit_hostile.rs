//! A Kafka that wants to do harm: it names more topics and groups than there is room for, and answers nothing about them.

// Helpers of tests count as tests; the figures are whole numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod common;

use common::Exporter;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeClusterRequest,
    DescribeClusterResponse, GroupId, ListGroupsRequest, ListGroupsResponse, MetadataRequest,
    MetadataResponse, TopicName,
};
use kafka_protocol::protocol::{Encodable, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

fn text(value: String) -> StrBytes {
    StrBytes::from_string(value)
}

/// The body of an answer, if this node gives one.
fn answer(key: i16, version: i16, port: u16) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    match key {
        ApiVersionsRequest::KEY => {
            let all = ApiKey::iter().map(|key| {
                let range = key.valid_versions();
                let known = ApiVersion::default().with_api_key(key as i16);
                known.with_min_version(range.min).with_max_version(range.max)
            });
            let answer = ApiVersionsResponse::default().with_api_keys(all.collect());
            answer.encode(&mut body, version).unwrap();
            return Some(body);
        }
        DescribeClusterRequest::KEY => {
            let broker = DescribeClusterBroker::default().with_host(text("127.0.0.1".into()));
            let answer = DescribeClusterResponse::default().with_cluster_id(text("c".into()));
            let answer = answer.with_brokers(vec![broker.with_port(port.into())]);
            answer.encode(&mut body, version).unwrap();
        }
        MetadataRequest::KEY => {
            let partition = |index| {
                let found = MetadataResponsePartition::default().with_partition_index(index);
                found.with_leader_id(BrokerId(0)).with_replica_nodes(vec![BrokerId(0)])
            };
            let topic = |index: i32| {
                MetadataResponseTopic::default()
                    .with_name(Some(TopicName(text(format!("topic-{index:05}")))))
                    .with_partitions((0..10).map(partition).collect())
            };
            let answer = MetadataResponse::default().with_topics((0..2_500).map(topic).collect());
            answer.encode(&mut body, version).unwrap();
        }
        ListGroupsRequest::KEY => {
            let group = |index: i32| {
                let id = GroupId(text(format!("{index:05}-{}", "long".repeat(20))));
                ListedGroup::default().with_group_id(id).with_group_type(text("share".into()))
            };
            let answer = ListGroupsResponse::default().with_groups((0..15_000).map(group).collect());
            answer.encode(&mut body, version).unwrap();
        }
        _ => return None,
    }
    // The header of these answers has a list of fields, which is empty.
    body.insert(0, 0);
    Some(body)
}

async fn serve(mut stream: TcpStream, port: u16) -> std::io::Result<()> {
    loop {
        let mut request = vec![0; stream.read_i32().await? as usize];
        stream.read_exact(&mut request).await?;
        let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
        let Some(body) = answer(number(0), number(2), port) else { continue };
        stream.write_i32(body.len() as i32 + 4).await?;
        stream.write_all(&request[4..8]).await?;
        stream.write_all(&body).await?;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_no_room_for_is_left_out_and_counted_and_what_is_not_answered_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, address.port()));
        }
    });
    let server = address.to_string();
    let exporter = Exporter::start(&[
        ("KAFKA_EXPORTER_KAFKA_SERVER", &server),
        ("KASTELLAN_EXPORTER_MAX_MIB", "16"),
        ("KASTELLAN_EXPORTER_DEADLINE_MS", "3000"),
    ])
    .await;
    let seen = exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 1.0).await;
    // 16 MiB are room for 32,768 entries and 4 MiB of text.
    let left_out = |of| seen.value("kafka_exporter_left_out", &[("of", of)]).unwrap();
    assert_eq!(left_out("entries"), (2_500.0 * 11.0 + 15_000.0 + 1.0) - 32_768.0);
    assert!(left_out("lines") > 1_000.0, "{}", left_out("lines"));
    // What the exporter says of itself comes on top.
    assert!(seen.0.len() < (4 << 20) + 16 * 1024, "{} bytes", seen.0.len());
    let unanswered = |of| seen.value("kafka_exporter_unanswered", &[("of", of)]).unwrap();
    assert_eq!(unanswered("partitions"), 25_000.0);
    assert!(seen.value("kafka_exporter_collection_duration_seconds", &[]).unwrap() < 6.0, "{seen:?}");
}
