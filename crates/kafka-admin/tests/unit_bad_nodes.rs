//! Bootstrap addresses at which one node is of no use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use kafka_admin::{Admin, AdminConfig, AdminError, Sasl};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeClusterRequest, DescribeClusterResponse,
    DescribeLogDirsRequest, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse,
    SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Message, Request, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A node that knows how to log in and to describe its cluster, in which it is alone, with the id 1. It never says what its disks hold.
struct Node {
    address: String,
    asked: Arc<Asked>,
}

/// What a node was asked, and how it answers.
struct Asked {
    port: u16,
    accepts_logins: bool,
    logins: AtomicUsize,
    log_dirs: AtomicUsize,
}

impl Node {
    async fn start(accepts_logins: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (logins, log_dirs) = (AtomicUsize::default(), AtomicUsize::default());
        let asked = Arc::new(Asked { port: address.port(), accepts_logins, logins, log_dirs });
        let counted = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&counted)));
            }
        });
        Self { address: address.to_string(), asked }
    }

    fn logins(&self) -> usize {
        self.asked.logins.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, asked: Arc<Asked>) {
    while let Ok(length) = stream.read_i32().await {
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        let answer = match key {
            ApiVersionsRequest::KEY => answer::<ApiVersionsRequest>(&frame, &versions()),
            SaslHandshakeRequest::KEY => {
                asked.logins.fetch_add(1, Ordering::Relaxed);
                let code = if asked.accepts_logins { 0 } else { 33 };
                let answered = SaslHandshakeResponse::default().with_error_code(code);
                answer::<SaslHandshakeRequest>(&frame, &answered)
            }
            SaslAuthenticateRequest::KEY => {
                answer::<SaslAuthenticateRequest>(&frame, &SaslAuthenticateResponse::default())
            }
            DescribeLogDirsRequest::KEY => {
                asked.log_dirs.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            _ => {
                let node = DescribeClusterBroker::default()
                    .with_broker_id(BrokerId(1))
                    .with_host(StrBytes::from_static_str("127.0.0.1"))
                    .with_port(asked.port.into());
                let cluster = DescribeClusterResponse::default().with_brokers(vec![node]);
                answer::<DescribeClusterRequest>(&frame, &cluster)
            }
        };
        stream.write_all(&answer).await.unwrap();
    }
}

fn versions() -> ApiVersionsResponse {
    let known = [
        (DescribeClusterRequest::KEY, DescribeClusterRequest::VERSIONS),
        (DescribeLogDirsRequest::KEY, DescribeLogDirsRequest::VERSIONS),
    ];
    let known = known.map(|(key, versions)| {
        let (least, most) = (versions.min, versions.max);
        ApiVersion::default().with_api_key(key).with_min_version(least).with_max_version(most)
    });
    ApiVersionsResponse::default().with_api_keys(known.into())
}

fn answer<R: Request>(frame: &[u8], answer: &R::Response) -> BytesMut {
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let correlation = i32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]);
    let mut content = BytesMut::new();
    let head = ResponseHeader::default().with_correlation_id(correlation);
    head.encode(&mut content, R::Response::header_version(version)).unwrap();
    answer.encode(&mut content, version).unwrap();
    let mut whole = BytesMut::new();
    whole.put_i32(i32::try_from(content.len()).unwrap());
    whole.extend_from_slice(&content);
    whole
}

fn client(nodes: &[&Node]) -> Admin {
    let login = Sasl::Plain { username: "me".into(), password: "secret".into() };
    let bootstrap = nodes.iter().map(|node| node.address.clone());
    let config = AdminConfig::brokers(bootstrap).with_sasl(login);
    Admin::new(config.with_request_timeout(Duration::from_secs(20))).unwrap()
}

#[tokio::test]
async fn a_node_that_refuses_the_login_is_passed_over_and_not_asked_again() {
    let (bad, good) = (Node::start(false).await, Node::start(true).await);
    let admin = client(&[&bad, &good]);
    for _ in 0..3 {
        admin.describe_cluster().await.unwrap();
    }
    assert_eq!((bad.logins(), good.logins()), (1, 1));
}

#[tokio::test]
async fn where_all_nodes_refuse_the_login_each_is_asked_once_and_the_first_is_named() {
    let nodes = [Node::start(false).await, Node::start(false).await, Node::start(false).await];
    let admin = client(&[&nodes[0], &nodes[1], &nodes[2]]);
    let error = admin.describe_cluster().await.unwrap_err();
    assert!(matches!(&error, AdminError::Authentication { address, .. } if *address == nodes[0].address));
    assert_eq!(nodes.map(|node| node.logins()), [1, 1, 1]);
}

#[tokio::test]
async fn a_node_that_is_away_does_not_bring_a_second_login_at_one_that_refused_it() {
    let bad = Node::start(false).await;
    let login = Sasl::Plain { username: "me".into(), password: "secret".into() };
    let config = AdminConfig::brokers([bad.address.clone(), "127.0.0.1:1".to_owned()]).with_sasl(login);
    let admin = Admin::new(config.with_request_timeout(Duration::from_millis(700))).unwrap();
    let error = admin.describe_cluster().await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
    assert_eq!(bad.logins(), 1);
}

#[tokio::test]
async fn a_question_that_may_hang_at_a_broker_is_sent_once() {
    let node = Node::start(true).await;
    let admin = client(&[&node]).within(Duration::from_millis(900));
    let error = admin.describe_log_dirs_without_replicas(1).await.unwrap_err();
    assert!(matches!(error, AdminError::Timeout { .. }), "{error}");
    assert_eq!((node.asked.log_dirs.load(Ordering::Relaxed), node.logins()), (1, 1));
}
