//! Nodes that answer to do harm: lengths that are not there, answers that do not end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, Budget, LONGEST_WORDS, Reach, Sasl};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeClusterRequest,
    DescribeClusterResponse, MetadataRequest, MetadataResponse, SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Encodable, Message, Request, StrBytes};
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

/// A short answer may have as many values as it has bytes, and all of them are kept.
#[tokio::test]
async fn short_answers_add_up_to_no_more_than_the_client_may_take() {
    let topics = vec![MetadataResponseTopic::default().with_error_code(3); 1000];
    let mut content = vec![0];
    let answer = MetadataResponse::default().with_topics(topics);
    answer.encode(&mut content, MetadataRequest::VERSIONS.max).unwrap();
    let content = Vec::leak(content);
    assert!(content.len() < 64 * 1024);
    let address = node(MetadataRequest::KEY, content).await;
    let free = Admin::new(client(address.clone())).unwrap();
    assert!(free.list_topics().await.is_ok(), "the answer is a sound one");
    let own = Budget::new(1024 * 1024);
    let admin = Admin::new(client(address.clone()).with_budget(own)).unwrap();
    let mut answers = 0;
    let error = loop {
        match admin.list_topics().await {
            Ok(_) => answers += 1,
            Err(error) => break error.to_string(),
        }
        assert!(answers < 20, "nothing bounds all answers together");
    };
    assert!(answers > 1 && error.contains("more than 1048576 bytes of memory"), "{answers}: {error}");

    // With the room that clients share there is more, and no more than that.
    let room = AnswerRoom::new(2 * 1024 * 1024);
    let more = Budget::with_more(1024 * 1024, 3 * 1024 * 1024, &room);
    let admin = Admin::new(client(address).with_budget(more)).unwrap();
    let mut more = 0;
    while admin.list_topics().await.is_ok() {
        more += 1;
        assert!(more < 60, "nothing bounds all answers together");
    }
    assert!(more > 2 * answers, "{more} and {answers}");
}

#[tokio::test]
async fn connections_to_many_nodes_count_too() {
    let mut brokers = Vec::new();
    for id in 1..=9 {
        let address = node(MetadataRequest::KEY, &[0; 5]).await;
        brokers.push(broker(id, "127.0.0.1", address.rsplit_once(':').unwrap().1.parse().unwrap()));
    }
    let address = describing(DescribeClusterResponse::default().with_brokers(brokers)).await;
    let admin = Admin::new(client(address).with_budget(Budget::new(600 * 1024))).unwrap();
    admin.describe_cluster().await.unwrap();
    let mut refused = 0;
    for id in 1..=9 {
        // What they answer is no answer.
        let error = admin.list_topics_of(id).await.unwrap_err();
        refused += i32::from(
            matches!(&error, AdminError::TooLong { reason, .. } if reason.contains("another connection")),
        );
    }
    assert!((3..9).contains(&refused), "{refused} of nine connections were not made");
}

/// A node that describes its cluster so.
async fn describing(answer: DescribeClusterResponse) -> String {
    let mut content = vec![0];
    answer.encode(&mut content, DescribeClusterRequest::VERSIONS.max).unwrap();
    node(DescribeClusterRequest::KEY, Vec::leak(content)).await
}

fn broker(id: i32, host: &str, port: u16) -> DescribeClusterBroker {
    DescribeClusterBroker::default()
        .with_broker_id(BrokerId(id))
        .with_host(StrBytes::from_string(host.to_owned()))
        .with_port(i32::from(port))
}

#[tokio::test]
async fn a_host_that_is_none_of_the_clusters_is_not_connected_to() {
    let foreign = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = foreign.local_addr().unwrap().port();
    let answer = DescribeClusterResponse::default().with_brokers(vec![broker(7, "127.0.0.1", port)]);
    let address = describing(answer).await;
    let config = client(address.clone());
    let admin = Admin::new(config.clone().with_reach(Reach::new(["c-kafka-brokers.ns.svc"], 9091))).unwrap();
    let error = admin.list_topics_of(7).await.unwrap_err();
    let AdminError::Protocol { address, reason } = &error else { panic!("{error}") };
    assert_eq!(*address, format!("127.0.0.1:{port}"));
    assert!(reason.contains("*.c-kafka-brokers.ns.svc:9091"), "{reason}");
    // The address that the client was given is asked all the same.
    assert_eq!(admin.describe_cluster().await.unwrap().nodes.len(), 1);
    let asked = tokio::time::timeout(Duration::from_millis(200), foreign.accept()).await;
    assert!(asked.is_err(), "the host was connected to");
    // A client that may go anywhere does.
    let free = Admin::new(config).unwrap();
    let asking = tokio::spawn(async move { free.list_topics_of(7).await.map(drop) });
    foreign.accept().await.unwrap();
    asking.abort();
}

#[tokio::test]
async fn more_nodes_than_a_cluster_has_are_an_error_and_no_memory() {
    let brokers = (0..1000).map(|id| broker(id, "b", 9091)).collect();
    let address = describing(DescribeClusterResponse::default().with_brokers(brokers)).await;
    let admin = Admin::new(client(address.clone()).with_max_nodes(999)).unwrap();
    let error = admin.describe_cluster().await.unwrap_err().to_string();
    assert!(error.contains("lists 1000 nodes") && error.contains("999"), "{error}");
    let admin = Admin::new(client(address)).unwrap();
    assert_eq!(admin.describe_cluster().await.unwrap().nodes.len(), 1000);
}

#[tokio::test]
async fn what_a_node_says_is_cut_before_anybody_shows_it() {
    let long = |length: usize| StrBytes::from_string("x".repeat(length));
    let answer =
        DescribeClusterResponse::default().with_error_code(31).with_error_message(Some(long(30_000)));
    let error = Admin::new(client(describing(answer).await)).unwrap().describe_cluster().await.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("xxx") && said.chars().count() < LONGEST_WORDS + 200, "{}", said.len());

    let brokers = vec![broker(0, &"h".repeat(20_000), 1).with_rack(Some(long(20_000)))];
    let answer = DescribeClusterResponse::default().with_cluster_id(long(20_000)).with_brokers(brokers);
    let admin = Admin::new(client(describing(answer).await)).unwrap();
    let cluster = admin.describe_cluster().await.unwrap();
    let node = &cluster.nodes[&0];
    for text in [&cluster.cluster_id, &node.host, node.rack.as_ref().unwrap()] {
        assert_eq!(text.chars().count(), 256);
    }
}
