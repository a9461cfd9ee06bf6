//! Requests and answers, with their bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use crate::error::ConnectError;

/// Longest time until a connection is there.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a connection without a request is kept.
const IDLE: Duration = Duration::from_secs(30);

/// How a client is set up.
#[derive(Debug, Clone)]
pub struct ConnectConfig {
    /// Host and port.
    pub address: String,
    /// Longest time for one call, from when it was asked for.
    pub deadline: Duration,
    /// Longest answer in bytes.
    pub longest_answer: usize,
    /// Requests under way at a time.
    pub at_once: usize,
}

impl ConnectConfig {
    /// For a host and port, with ten seconds for a call, answers of up to 16 MiB, and 32 requests at a time.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            deadline: Duration::from_secs(10),
            longest_answer: 16 << 20,
            at_once: 32,
        }
    }

    /// With another deadline of calls.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// With another bound for answers.
    pub fn with_longest_answer(mut self, bytes: usize) -> Self {
        self.longest_answer = bytes;
        self
    }

    /// With another bound for the requests under way.
    pub fn with_at_once(mut self, at_once: usize) -> Self {
        self.at_once = at_once.max(1);
        self
    }
}

/// Sends requests to one address. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    client: Client<HttpConnector, Full<Bytes>>,
    config: Arc<ConnectConfig>,
    room: Arc<Semaphore>,
    deadline: Duration,
}

impl Transport {
    pub(crate) fn new(config: ConnectConfig) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(config.at_once)
            .build(connector);
        let room = Arc::new(Semaphore::new(config.at_once.max(1)));
        Self { client, deadline: config.deadline, config: Arc::new(config), room }
    }

    /// The same connections, with another deadline.
    pub(crate) fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    pub(crate) fn address(&self) -> &str {
        &self.config.address
    }

    /// One request; the answer is the body of a good one.
    pub(crate) async fn send(
        &self,
        action: &(dyn Fn() -> String + Sync),
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Bytes, ConnectError> {
        let answered = tokio::time::timeout(self.deadline, self.exchange(action, method, path, body)).await;
        let (status, body) = answered.map_err(|_| ConnectError::Late {
            action: action(),
            address: self.config.address.clone(),
            after: self.deadline,
        })??;
        if status.is_success() { Ok(body) } else { Err(ConnectError::of_answer(action(), status, &body)) }
    }

    async fn exchange(
        &self,
        action: &(dyn Fn() -> String + Sync),
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), ConnectError> {
        let unreachable = |error: &dyn std::error::Error| ConnectError::Unreachable {
            action: action(),
            address: self.config.address.clone(),
            reason: innermost(error),
        };
        // The semaphore is never closed; without a permit the request would only be one too many.
        let _permit = self.room.acquire().await;
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.config.address))
            .header(header::ACCEPT, "application/json");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| unreachable(&error))?;
        let response = self.client.request(request).await.map_err(|error| unreachable(&error))?;
        let status = response.status();
        let limit = self.config.longest_answer;
        // An answer that says how long it is need not be waited for.
        if response.body().size_hint().lower() > limit as u64 {
            return Err(ConnectError::TooLong { action: action(), limit });
        }
        let read = Limited::new(response.into_body(), limit).collect().await;
        match read {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(ConnectError::TooLong { action: action(), limit })
            }
            Err(error) => Err(unreachable(&*error)),
        }
    }
}

/// What was at the bottom of it: the layers above only say that they failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
