//! Requests and answers, with their bounds.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use crate::error::ConnectError;
use crate::room::{AnswerRoom, Place, memory_of};

/// Longest time until a connection is there.
const CONNECT: Duration = Duration::from_secs(5);

/// How many times the bound of its text an answer may take once it is read.
const READ: usize = 2;

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
    /// Memory that large answers to all clients with this room may take.
    pub room: AnswerRoom,
}

impl ConnectConfig {
    /// For a host and port, with ten seconds for a call, answers of up to 16 MiB, and 32 requests at a time.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            deadline: Duration::from_secs(10),
            longest_answer: 16 << 20,
            at_once: 32,
            room: AnswerRoom::default(),
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

    /// With a room that others have too.
    pub fn with_room(mut self, room: AnswerRoom) -> Self {
        self.room = room;
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
    places: Arc<Semaphore>,
    /// For a large answer.
    turn: Arc<Semaphore>,
    deadline: Duration,
}

/// The body of a good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub body: Vec<u8>,
    /// The room that it takes.
    pub place: Place,
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
        let places = Arc::new(Semaphore::new(config.at_once.max(1)));
        let turn = Arc::new(Semaphore::new(1));
        Self { client, deadline: config.deadline, config: Arc::new(config), places, turn }
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
    ) -> Result<Answer, ConnectError> {
        let answered = tokio::time::timeout(self.deadline, self.exchange(action, method, path, body)).await;
        let (status, answer) = answered.map_err(|_| ConnectError::Late {
            action: action(),
            address: self.config.address.clone(),
            after: self.deadline,
        })??;
        if status.is_success() {
            Ok(answer)
        } else {
            Err(ConnectError::of_answer(action(), status, &answer.body))
        }
    }

    async fn exchange(
        &self,
        action: &(dyn Fn() -> String + Sync),
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Answer), ConnectError> {
        let unreachable = |error: &dyn std::error::Error| ConnectError::Unreachable {
            action: action(),
            address: self.config.address.clone(),
            reason: innermost(error),
        };
        // The semaphore is never closed; without a permit the request would only be one too many.
        let _permit = self.places.acquire().await;
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
        let mut body = response.into_body();
        let mut answer = Answer { body: Vec::new(), place: Place::default() };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unreachable(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            let length = answer.body.len() + data.len();
            if length > limit {
                return Err(ConnectError::TooLong { action: action(), limit });
            }
            answer.place.grow(&self.config.room, &self.turn, length).await;
            answer.body.extend_from_slice(data);
        }
        let (memory, limit) = (memory_of(&answer.body), limit.saturating_mul(READ));
        if memory > limit {
            return Err(ConnectError::TooLarge { action: action(), limit });
        }
        answer.place.grow(&self.config.room, &self.turn, memory).await;
        answer.place.end_turn();
        Ok((status, answer))
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
