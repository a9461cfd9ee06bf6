//! Asks the node's own listeners how far Kafka has come.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiVersionsRequest, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::state::Answer;

/// How long a listener may take to answer.
const PATIENCE: Duration = Duration::from_secs(4);
/// No answer to these questions is larger.
const MAX_FRAME: usize = 64 * 1024 * 1024;
/// Version of the metadata question: every Kafka since 2.8 knows it.
const METADATA_VERSION: i16 = 12;

/// What to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the listener serves requests at all.
    Answers,
    /// Also, whether the broker with this id counts itself among the live brokers, which it does as soon as the
    /// controller has let it in and it has loaded its logs.
    Unfenced(i32),
}

/// A conversation with a listener: what it answers; `None`: it fails, or the listener ends it.
type Conversation = Pin<Box<dyn Future<Output = Option<Answer>> + Send>>;

/// A listener that is asked again and again.
pub struct Listener {
    port: u16,
    /// The first question that was not answered in time. It stays open: a node that is only overloaded answers it in the end, however long
    /// that takes, and a node that hangs never does.
    unanswered: Option<Conversation>,
}

impl Listener {
    /// The listener on a port of the loopback interface.
    pub fn new(port: u16) -> Self {
        Self { port, unanswered: None }
    }

    /// Asks it. `tls` is the client's configuration for listeners with TLS.
    pub async fn ask(&mut self, tls: Option<Arc<ClientConfig>>, question: Question) -> Answer {
        let Some(stream) = connect(self.port).await else { return Answer::Nothing };
        let conversation = async move {
            match tls {
                Some(config) => {
                    let name = ServerName::try_from("localhost").ok()?;
                    let stream = TlsConnector::from(config).connect(name, stream).await.ok()?;
                    converse(stream, question).await
                }
                None => converse(stream, question).await,
            }
        };
        self.judge(Box::pin(conversation)).await
    }

    /// What a new conversation shows, together with the unanswered question that is still open.
    async fn judge(&mut self, mut conversation: Conversation) -> Answer {
        if let Ok(answer) = tokio::time::timeout(PATIENCE, &mut conversation).await {
            self.unanswered = None;
            return answer.unwrap_or(Answer::Responds);
        }
        let late = match &mut self.unanswered {
            // It had all the time of the new conversation, too.
            Some(open) => tokio::time::timeout(Duration::ZERO, open).await.ok(),
            None => Some(None),
        };
        match late {
            Some(answer) => {
                self.unanswered = Some(conversation);
                // That Kafka closes what is idle for long shows nothing.
                if answer.is_some() { Answer::Responds } else { Answer::Accepts }
            }
            None => Answer::Accepts,
        }
    }
}

async fn connect(port: u16) -> Option<TcpStream> {
    for host in ["127.0.0.1", "::1"] {
        if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
            return Some(stream);
        }
    }
    None
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, question: Question) -> Option<Answer> {
    // The oldest version: every Kafka answers it, and any answer will do.
    let frame = send(&mut stream, &ApiVersionsRequest::default(), 0, 1).await?;
    // Correlation id, then the error code.
    if frame.len() < 6 || frame[4..6] != [0, 0] {
        return None;
    }
    let Question::Unfenced(id) = question else { return Some(Answer::Answers) };
    let request =
        MetadataRequest::default().with_topics(Some(Vec::new())).with_allow_auto_topic_creation(false);
    let mut frame = send(&mut stream, &request, METADATA_VERSION, 2).await?;
    ResponseHeader::decode(&mut frame, MetadataResponse::header_version(METADATA_VERSION)).ok()?;
    let metadata = MetadataResponse::decode(&mut frame, METADATA_VERSION).ok()?;
    let alive = metadata.brokers.iter().any(|broker| broker.node_id.0 == id);
    Some(if alive { Answer::Serves } else { Answer::Answers })
}

async fn send<S: AsyncRead + AsyncWrite + Unpin, R: Request>(
    stream: &mut S,
    request: &R,
    version: i16,
    correlation: i32,
) -> Option<Bytes> {
    let mut frame = BytesMut::with_capacity(64);
    frame.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version)
        .with_correlation_id(correlation)
        .with_client_id(Some(StrBytes::from_static_str("kafka-agent")))
        .encode(&mut frame, R::header_version(version))
        .ok()?;
    request.encode(&mut frame, version).ok()?;
    let length = i32::try_from(frame.len() - 4).ok()?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&frame).await.ok()?;
    stream.flush().await.ok()?;
    let length = usize::try_from(stream.read_i32().await.ok()?).ok()?;
    if !(4..=MAX_FRAME).contains(&length) {
        return None;
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await.ok()?;
    Some(answer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64, outcome: Option<Answer>) -> Conversation {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            outcome
        })
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_question_that_is_never_answered_shows_that_a_node_hangs() {
        let mut listener = Listener::new(0);
        let good = Some(Answer::Serves);
        assert_eq!(listener.judge(after(3, good)).await, Answer::Serves);
        assert_eq!(listener.judge(after(0, None)).await, Answer::Responds, "an error is no silence");
        // An overloaded node answers each question after half a minute: the first is open until then.
        let mut said = Vec::new();
        for _ in 0..8 {
            said.push(listener.judge(after(30, good)).await);
        }
        assert_eq!(said[..7], [Answer::Accepts; 7]);
        assert_eq!(said[7], Answer::Responds);
        // The next open one is the last that was asked.
        for _ in 0..6 {
            assert_eq!(listener.judge(after(30, good)).await, Answer::Accepts);
        }
        assert_eq!(listener.judge(after(3600, good)).await, Answer::Responds);
        // A node that hangs ends what is idle for long, or nothing at all.
        for _ in 0..200 {
            assert_eq!(listener.judge(after(600, None)).await, Answer::Accepts);
        }
        assert_eq!(listener.judge(after(1, good)).await, Answer::Serves);
        assert!(listener.unanswered.is_none());
    }
}
