//! The HTTP server of an operator: `/healthy`, `/ready`, `/metrics`, and `/healthz` of the exporter.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::connections::{self, Requests};
use crate::long_text::AnswerBody;
use crate::metrics::{CONTENT_TYPE, Metrics};

/// How long a loop may stay silent before the process counts as stuck.
pub const MAXIMUM_SILENCE: Duration = Duration::from_mins(2);

/// Content type of a reason.
const TEXT: &str = "text/plain; charset=utf-8";

/// How health is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// 204, or 500 with the reason as text: the cluster operator.
    NoContent,
    /// 200 `{"status":"ok"}`, or 500 `{"status":"not-ok",…}`: the topic and user operators.
    Json,
    /// 200 `ok`, or 500 with the reason as text, under `/healthz` too: the exporter.
    Text,
}

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The port is taken or may not be used.
    #[error("listen for health checks and metrics on port {port}: {source}")]
    Bind {
        /// The port asked for.
        port: u16,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// What liveness and readiness depend on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Health {
    started: Instant,
    silence: Duration,
    parts: Arc<Mutex<Parts>>,
}

#[derive(Debug, Default)]
struct Parts {
    gates: Vec<(String, Weak<AtomicBool>)>,
    beats: Vec<(String, Duration, Weak<AtomicU64>)>,
}

/// Keeps readiness closed until [`Gate::open`]; gone from the list when dropped.
#[derive(Debug, Clone)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Ready, from this gate's side.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Not ready again.
    pub fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A sign of life of one loop; gone from the list when dropped.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    started: Instant,
    last: Arc<AtomicU64>,
}

impl Heartbeat {
    /// Says that the loop goes round.
    pub fn beat(&self) {
        self.last.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Alive and ready as long as nothing else is registered: a standby that waits for leadership is ready.
    pub fn new() -> Self {
        Self::with_silence(MAXIMUM_SILENCE)
    }

    /// As [`Health::new`], with another time for which a loop may stay silent.
    pub fn with_silence(silence: Duration) -> Self {
        Self { started: Instant::now(), silence, parts: Arc::default() }
    }

    /// A closed gate of readiness. `name` appears in the answer while it is closed, for example `list of KafkaTopics`.
    pub fn gate(&self, name: &str) -> Gate {
        let flag = Arc::new(AtomicBool::new(false));
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.gates.push((name.to_owned(), Arc::downgrade(&flag)));
        Gate(flag)
    }

    /// A loop that must call [`Heartbeat::beat`], at least every two minutes if nothing else was said.
    pub fn heartbeat(&self, name: &str) -> Heartbeat {
        self.heartbeat_within(name, self.silence)
    }

    /// A loop with its own limit.
    pub fn heartbeat_within(&self, name: &str, silence: Duration) -> Heartbeat {
        let last = Arc::new(AtomicU64::new(0));
        let heartbeat = Heartbeat { started: self.started, last };
        heartbeat.beat();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.beats.push((name.to_owned(), silence, Arc::downgrade(&heartbeat.last)));
        heartbeat
    }

    /// `Err` names what is awaited.
    pub fn ready(&self) -> Result<(), String> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.gates.retain(|(_, flag)| flag.strong_count() > 0);
        let closed: Vec<&str> = parts
            .gates
            .iter()
            .filter(|(_, flag)| flag.upgrade().is_some_and(|flag| !flag.load(Ordering::Relaxed)))
            .map(|(name, _)| name.as_str())
            .collect();
        if closed.is_empty() { Ok(()) } else { Err(format!("waiting for {}", closed.join(", "))) }
    }

    /// `Err` names the loops that are stuck.
    pub fn alive(&self) -> Result<(), String> {
        let now = self.started.elapsed();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.beats.retain(|(_, _, last)| last.strong_count() > 0);
        let mut stuck = Vec::new();
        for (name, silence, last) in &parts.beats {
            let Some(last) = last.upgrade() else { continue };
            let silent = now.saturating_sub(Duration::from_millis(last.load(Ordering::Relaxed)));
            if silent > *silence {
                stuck.push(format!("{name} gave no sign of life for {} s", silent.as_secs()));
            }
        }
        if stuck.is_empty() { Ok(()) } else { Err(stuck.join(", ")) }
    }
}

#[derive(Debug, Clone)]
struct Served {
    style: Style,
    health: Health,
    metrics: Metrics,
}

/// A bound server; call [`Server::run`].
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    served: Served,
}

impl Server {
    /// Binds all addresses of the machine; port 0 takes a free one.
    pub async fn bind(
        port: u16,
        style: Style,
        health: Health,
        metrics: Metrics,
    ) -> Result<Self, ServerError> {
        let listener =
            connections::listen(port).await.map_err(|source| ServerError::Bind { port, source })?;
        Ok(Self { listener, served: Served { style, health, metrics } })
    }

    /// The port that was bound; 0 when it cannot be told.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Serves until the token is cancelled.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), ServerError> {
        let served = self.served;
        let answer = move |request| std::future::ready(served.answer(&request));
        let plain = |stream| std::future::ready(Some(stream));
        connections::serve(self.listener, Requests::Many, plain, answer, shutdown).await;
        Ok(())
    }
}

impl Served {
    /// The answer to one request; its body, if it has any, is not read.
    fn answer<B>(&self, request: &Request<B>) -> Response<AnswerBody> {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let path = match request.uri().path() {
            "/healthz" if self.style == Style::Text => "/healthy",
            other => other,
        };
        match path {
            "/healthy" | "/ready" | "/metrics" if !read => {
                with(StatusCode::METHOD_NOT_ALLOWED, header::ALLOW, "GET,HEAD", String::new())
            }
            "/healthy" => self.state(self.health.alive()),
            "/ready" => self.state(self.health.ready()),
            "/metrics" => match self.metrics.render() {
                Ok(text) => {
                    let text = AnswerBody::new(text).and(self.metrics.appendix());
                    with_body(StatusCode::OK, header::CONTENT_TYPE, CONTENT_TYPE, text)
                }
                Err(error) => failed(format!("collect metrics: {error}")),
            },
            _ => empty(StatusCode::NOT_FOUND),
        }
    }

    fn state(&self, state: Result<(), String>) -> Response<AnswerBody> {
        match (self.style, state) {
            (Style::NoContent, Ok(())) => empty(StatusCode::NO_CONTENT),
            (Style::NoContent | Style::Text, Err(why)) => failed(why),
            (Style::Text, Ok(())) => with(StatusCode::OK, header::CONTENT_TYPE, TEXT, "ok".to_owned()),
            (Style::Json, Ok(())) => json(StatusCode::OK, &serde_json::json!({"status": "ok"})),
            (Style::Json, Err(why)) => json(
                StatusCode::INTERNAL_SERVER_ERROR,
                &serde_json::json!({"status": "not-ok", "reason": why}),
            ),
        }
    }
}

fn empty(code: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::default());
    *response.status_mut() = code;
    response
}

fn with(code: StatusCode, name: HeaderName, value: &'static str, body: String) -> Response<AnswerBody> {
    with_body(code, name, value, AnswerBody::new(body))
}

fn with_body(
    code: StatusCode,
    name: HeaderName,
    value: &'static str,
    body: AnswerBody,
) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

fn failed(why: String) -> Response<AnswerBody> {
    with(StatusCode::INTERNAL_SERVER_ERROR, header::CONTENT_TYPE, TEXT, why)
}

fn json(code: StatusCode, body: &serde_json::Value) -> Response<AnswerBody> {
    with(code, header::CONTENT_TYPE, "application/json", body.to_string())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(port: u16, path: &str) -> String {
        get_at("127.0.0.1", port, path).await
    }

    async fn get_at(address: &str, port: u16, path: &str) -> String {
        request("GET", address, port, path).await
    }

    async fn request(method: &str, address: &str, port: u16, path: &str) -> String {
        let mut stream = TcpStream::connect((address, port)).await.unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn serve(style: Style, health: &Health) -> (u16, CancellationToken) {
        let server = Server::bind(0, style, health.clone(), Metrics::new().unwrap()).await.unwrap();
        let (port, token) = (server.port(), CancellationToken::new());
        tokio::spawn(server.run(token.clone()));
        (port, token)
    }

    #[tokio::test]
    async fn probes_reach_it_over_either_family_of_addresses() {
        let (port, _token) = serve(Style::NoContent, &Health::new()).await;
        let mut addresses = vec!["127.0.0.1"];
        // Not where IPv6 is switched off.
        if TcpListener::bind("[::1]:0").await.is_ok() {
            addresses.push("::1");
        }
        for address in addresses {
            let answer = get_at(address, port, "/healthy").await;
            assert!(answer.starts_with("HTTP/1.1 204"), "{address}: {answer}");
        }
    }

    #[tokio::test]
    async fn readiness_waits_for_every_gate_and_names_it() {
        let health = Health::new();
        let (port, _token) = serve(Style::Json, &health).await;
        let (topics, users) = (health.gate("the list of topics"), health.gate("the list of users"));
        topics.open();
        let answer = get(port, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("the list of users") && !answer.contains("of topics"), "{answer}");
        users.open();
        let answer = get(port, "/ready").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"status":"ok"}"#), "{answer}");
    }

    #[tokio::test]
    async fn a_silent_loop_makes_the_process_unhealthy() {
        let health = Health::new();
        let (port, _token) = serve(Style::NoContent, &health).await;
        assert!(get(port, "/healthy").await.starts_with("HTTP/1.1 204"));
        let heartbeat = health.heartbeat_within("the topic loop", Duration::ZERO);
        tokio::time::sleep(Duration::from_millis(5)).await;
        let answer = get(port, "/healthy").await;
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("the topic loop"), "{answer}");
        drop(heartbeat);
        assert!(get(port, "/healthy").await.starts_with("HTTP/1.1 204"));
    }

    /// Requests that never end, more than there is room for.
    #[tokio::test]
    async fn connections_that_are_held_are_bounded_and_keep_nobody_else_waiting() {
        let (port, _token) = serve(Style::NoContent, &Health::new()).await;
        let mut held = Vec::new();
        for _ in 0..connections::MOST * 2 {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            stream.write_all(b"GET /healthy HTTP/1.1\r\nHost: ").await.unwrap();
            held.push(stream);
        }
        assert!(get(port, "/healthy").await.starts_with("HTTP/1.1 204"));
        let mut closed = 0;
        for stream in &mut held {
            let end = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 1])).await;
            closed += usize::from(end.is_ok());
        }
        assert!(closed >= connections::MOST, "only {closed} were closed");
    }

    /// The clock of the test stands still while somebody waits for it, and then goes on at once.
    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_is_given_up() {
        let (port, _token) = serve(Style::NoContent, &Health::new()).await;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET /healthy HTTP/1.1\r\nHost: ").await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "the connection is still there");
    }

    #[tokio::test]
    async fn only_reading_what_is_there_is_answered() {
        let (port, _token) = serve(Style::Json, &Health::new()).await;
        assert!(get(port, "/").await.starts_with("HTTP/1.1 404"));
        assert!(get(port, "/healthy/").await.starts_with("HTTP/1.1 404"));
        assert!(get(port, "/healthy?verbose").await.starts_with("HTTP/1.1 200"));
        let refused = request("POST", "127.0.0.1", port, "/healthy").await;
        assert!(refused.starts_with("HTTP/1.1 405") && refused.contains("allow: GET,HEAD"), "{refused}");
        let head = request("HEAD", "127.0.0.1", port, "/healthy").await;
        assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
    }

    #[tokio::test]
    async fn the_exporter_is_asked_as_the_one_of_strimzi_is_and_adds_its_long_text() {
        let (health, metrics) = (Health::new(), Metrics::new().unwrap());
        let server = Server::bind(0, Style::Text, health.clone(), metrics.clone()).await.unwrap();
        let (port, token) = (server.port(), CancellationToken::new());
        tokio::spawn(server.run(token.clone()));
        let answer = get(port, "/healthz").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nok"), "{answer}");
        metrics.appendix().publish(b"kafka_brokers 3\n".to_vec());
        let answer = get(port, "/metrics").await;
        assert!(answer.contains("\nprocess_threads ") && answer.ends_with("\nkafka_brokers 3\n"), "{answer}");
        let (other, _token) = serve(Style::Json, &health).await;
        assert!(get(other, "/healthz").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn metrics_are_served_in_the_prometheus_format() {
        let (port, token) = serve(Style::NoContent, &Health::new()).await;
        let answer = get(port, "/metrics").await;
        assert!(answer.contains("content-type: text/plain; version=0.0.4"), "{answer}");
        assert!(answer.contains("process_resident_memory_bytes"), "{answer}");
        token.cancel();
    }
}
