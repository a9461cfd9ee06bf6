//! Nodes that answer to do harm: lengths that are not there, answers that do not end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, Sasl};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, MetadataRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Encodable, Message, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A length of 4,294,967,295 items, then nothing to speak of.
const NEW_CLAIM: [u8; 9] = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0];
/// The same in the older format.
const OLD_CLAIM: [u8; 8] = [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Starts a node that answers a request of this key with these bytes behind the number of the answer, and version
/// exchanges as they should be.
async fn node(key: i16, content: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(length) = stream.read_i32().await {
                    let mut request = vec![0; usize::try_from(length).unwrap()];
                    stream.read_exact(&mut request).await.unwrap();
                    let asked = i16::from_be_bytes([request[0], request[1]]);
                    let mut answer = request[4..8].to_vec();
                    if asked == key {
                        answer.extend_from_slice(content);
                    } else {
                        versions().encode(&mut answer, i16::from_be_bytes([request[2], request[3]])).unwrap();
                    }
                    stream.write_i32(i32::try_from(answer.len()).unwrap()).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            });
        }
    });
    address
}

fn versions() -> ApiVersionsResponse {
    let all = ApiKey::iter().map(|key| {
        let range = key.valid_versions();
        ApiVersion::default().with_api_key(key as i16).with_min_version(range.min).with_max_version(range.max)
    });
    ApiVersionsResponse::default().with_api_keys(all.collect())
}

fn client(address: String) -> AdminConfig {
    AdminConfig::brokers([address]).with_request_timeout(Duration::from_secs(2))
}

fn bytes(parts: &[&[u8]]) -> &'static [u8] {
    Vec::leak(parts.concat())
}

#[tokio::test]
async fn a_claim_of_many_items_is_an_error_of_the_node_that_made_it() {
    let no_fields = [0];
    let waited = [0, 0, 0, 0];
    let cases = [
        // Version exchange: the code, then the list; in the oldest format behind the code that says so.
        (ApiVersionsRequest::KEY, bytes(&[&[0, 0], &NEW_CLAIM])),
        (ApiVersionsRequest::KEY, bytes(&[&[0, 35], &OLD_CLAIM])),
        // Login: the code, then the list of mechanisms.
        (SaslHandshakeRequest::KEY, bytes(&[&[0, 0], &OLD_CLAIM])),
        (
            DescribeClusterRequest::KEY,
            bytes(&[&no_fields, &waited, &[0, 0, 1, 1, 2, b'c', 0, 0, 0, 0], &NEW_CLAIM]),
        ),
        (MetadataRequest::KEY, bytes(&[&no_fields, &waited, &NEW_CLAIM])),
    ];
    for (key, content) in cases {
        let mut config = client(node(key, content).await);
        if key == SaslHandshakeRequest::KEY {
            config = config.with_sasl(Sasl::Plain { username: "me".into(), password: "secret".into() });
        }
        let admin = Admin::new(config).unwrap();
        let error = match key {
            MetadataRequest::KEY => admin.list_topics().await.map(drop).unwrap_err(),
            _ => admin.describe_cluster().await.map(drop).unwrap_err(),
        };
        let AdminError::Protocol { reason, .. } = &error else { panic!("request {key}: {error}") };
        assert!(reason.contains("claims"), "request {key}: {reason}");
    }
    // Where the kernel grants whatever is asked for, only this shows it. The claims come to 137 GB.
    assert!(most_reserved() < 32 << 20, "{} KiB were reserved at a time", most_reserved());
}

/// The most memory that this process has ever reserved, touched or not, in KiB.
fn most_reserved() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A node that begins a long answer and never ends it, with room for one such answer in all.
#[tokio::test]
async fn an_answer_that_never_ends_keeps_the_room_for_the_others_only_for_a_moment() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = listener.local_addr().unwrap().to_string();
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let begins = Arc::clone(&begins);
            tokio::spawn(async move {
                while let Ok(length) = stream.read_i32().await {
                    let mut request = vec![0; usize::try_from(length).unwrap()];
                    stream.read_exact(&mut request).await.unwrap();
                    let mut answer = request[4..8].to_vec();
                    if i16::from_be_bytes([request[0], request[1]]) == ApiVersionsRequest::KEY {
                        versions().encode(&mut answer, ApiVersionsRequest::VERSIONS.max).unwrap();
                        stream.write_i32(i32::try_from(answer.len()).unwrap()).await.unwrap();
                    } else {
                        stream.write_i32(900_000).await.unwrap();
                    }
                    stream.write_all(&answer).await.unwrap();
                    if i16::from_be_bytes([request[0], request[1]]) != ApiVersionsRequest::KEY {
                        begins.notify_one();
                    }
                }
            });
        }
    });
    let room = AnswerRoom::new(1024);
    let holds = Admin::new(client(slow).with_answer_room(room.clone())).unwrap();
    let held = tokio::spawn(async move { holds.list_topics().await.map(drop) });
    begun.notified().await;

    let long = bytes(&[&[0, 0, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff], &vec![0; 100_000]]);
    let other = client(node(MetadataRequest::KEY, long).await).with_answer_room(room);
    let other = Admin::new(other.with_request_timeout(Duration::from_secs(20))).unwrap();
    let answer = other.list_topics().await;
    assert!(!matches!(answer, Err(AdminError::Timeout { .. })), "the other never got room: {answer:?}");
    assert!(held.await.unwrap().is_err());
}

#[tokio::test]
async fn an_answer_about_nodes_may_not_be_as_long_as_one_about_topics() {
    let long = Vec::leak(vec![0; 2 * 1024 * 1024]);
    let admin = Admin::new(client(node(DescribeClusterRequest::KEY, long).await)).unwrap();
    let error = admin.describe_cluster().await.unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes"), "{error}");
}
