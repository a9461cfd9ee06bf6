//! A bridge in this process, and a client that speaks plain HTTP to it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use api::properties;
use kafka_bridge::{Bridge, Settings};
use serde_json::Value;
use test_support::KafkaNode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Generous, because the machine may be compiling.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) const KAFKA: &str = "application/vnd.kafka.v2+json";
pub(crate) const JSON: &str = "application/vnd.kafka.json.v2+json";
pub(crate) const BINARY: &str = "application/vnd.kafka.binary.v2+json";
pub(crate) const TEXT: &str = "application/vnd.kafka.text.v2+json";

/// A bridge that ends when it is dropped.
pub(crate) struct Served {
    pub port: u16,
    pub management_port: u16,
    bridge: Option<Bridge>,
    end: Option<DropGuard>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub code: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless the code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }
}

impl Served {
    /// With further lines of the configuration file.
    pub(crate) async fn start(node: &KafkaNode, lines: &str) -> Self {
        Self::of(&format!("kafka.bootstrap.servers={}\n{lines}", node.bootstrap())).await
    }

    pub(crate) async fn of(text: &str) -> Self {
        Self::with(text, |_| {}).await
    }

    /// With further settings.
    pub(crate) async fn with(text: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let text = format!(
            "http.host=127.0.0.1\nhttp.port=0\nhttp.management.port=0\nkastellan.shutdown.delay.ms=0\n{text}"
        );
        let mut settings = Settings::read(&properties::parse(&text).unwrap()).unwrap();
        change(&mut settings);
        let end = CancellationToken::new();
        let bridge = Bridge::start(settings, None, end.clone()).await.unwrap();
        Self {
            port: bridge.port,
            management_port: bridge.management_port,
            bridge: Some(bridge),
            end: Some(end.drop_guard()),
        }
    }

    /// Ends it and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        drop(self.end.take());
        self.bridge.take().unwrap().wait().await.unwrap();
    }

    /// Asks it to end.
    pub(crate) fn begin_to_stop(&mut self) {
        drop(self.end.take());
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, media_type: &str, body: &str) -> Reply {
        self.send("POST", path, &[("Content-Type", media_type)], body).await
    }

    pub(crate) async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        request(self.port, method, path, headers, body).await
    }

    /// Makes a consumer with this JSON, and gives back its path.
    pub(crate) async fn consumer(&self, group: &str, json: &str) -> String {
        let made = self.post(&format!("/consumers/{group}"), KAFKA, json).await.expect(200).json();
        let uri = made["base_uri"].as_str().unwrap().to_owned();
        let path = uri.split_once(&format!(":{}", self.port)).expect(&uri).1.to_owned();
        assert!(path.ends_with(made["instance_id"].as_str().unwrap()), "{made}");
        path
    }

    /// Polls until so many records have come.
    pub(crate) async fn records(&self, consumer: &str, accept: &str, count: usize) -> Vec<Value> {
        let began = Instant::now();
        let mut all = Vec::new();
        while all.len() < count {
            let path = format!("{consumer}/records?timeout=2000");
            let reply = self.send("GET", &path, &[("Accept", accept)], "").await.expect(200);
            all.extend(reply.json().as_array().unwrap().iter().cloned());
            assert!(began.elapsed() < DEADLINE, "only {} of {count} records: {all:?}", all.len());
        }
        assert_eq!(all.len(), count, "{all:?}");
        all
    }
}

pub(crate) async fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Reply {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() || method == "POST" {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    text.push_str("\r\n");
    text.push_str(body);
    // The bridge may answer, and close, before it has read everything.
    let _ = stream.write_all(text.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    reply(&answer)
}

pub(crate) fn reply(answer: &[u8]) -> Reply {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    Reply {
        code: code.unwrap_or_else(|| panic!("no answer: {answer}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// `offsets` of the answer to records that were sent.
#[track_caller]
pub(crate) fn places(reply: &Reply) -> Vec<(i64, i64)> {
    let body = reply.json();
    let offsets = body["offsets"].as_array().unwrap().iter();
    offsets
        .map(|one| {
            let number = |name: &str| one[name].as_i64().unwrap_or_else(|| panic!("{body}"));
            (number("partition"), number("offset"))
        })
        .collect()
}
