//! Bootstrap addresses at which one node is of no use.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use kafka_admin::{Admin, AdminConfig, AdminError, Sasl};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, DescribeClusterResponse, ResponseHeader,
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, Message, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A node that knows how to log in and to describe its cluster, in which it is alone.
struct Node {
    address: String,
    logins: Arc<AtomicUsize>,
}

impl Node {
    async fn start(accepts_logins: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let logins = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&logins);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, accepts_logins, Arc::clone(&counted)));
            }
        });
        Self { address, logins }
    }

    fn logins(&self) -> usize {
        self.logins.load(Ordering::Relaxed)
    }
}

async fn serve(mut stream: TcpStream, accepts_logins: bool, logins: Arc<AtomicUsize>) {
    while let Ok(length) = stream.read_i32().await {
        let mut frame = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        let key = i16::from_be_bytes([frame[0], frame[1]]);
        let answer = match key {
            ApiVersionsRequest::KEY => answer::<ApiVersionsRequest>(&frame, &versions()),
            SaslHandshakeRequest::KEY => {
                logins.fetch_add(1, Ordering::Relaxed);
                let code = if accepts_logins { 0 } else { 33 };
                let answered = SaslHandshakeResponse::default().with_error_code(code);
                answer::<SaslHandshakeRequest>(&frame, &answered)
            }
            SaslAuthenticateRequest::KEY => {
                answer::<SaslAuthenticateRequest>(&frame, &SaslAuthenticateResponse::default())
            }
            _ => answer::<DescribeClusterRequest>(&frame, &DescribeClusterResponse::default()),
        };
        stream.write_all(&answer).await.unwrap();
    }
}

fn versions() -> ApiVersionsResponse {
    let known = ApiVersion::default()
        .with_api_key(DescribeClusterRequest::KEY)
        .with_max_version(DescribeClusterRequest::VERSIONS.max);
    ApiVersionsResponse::default().with_api_keys(vec![known])
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
