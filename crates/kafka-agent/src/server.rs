//! The agent's answers: HTTPS for the operator, a socket in the pod for the probes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsAcceptor;

use crate::state::Node;
use crate::tls::Identity;

/// How long a client may take for its handshake, and for the head of its request.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// Connections at a time; when there are more, the oldest is closed. Anybody who reaches the pod may connect.
const MOST_CONNECTIONS: usize = 64;
/// Pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the tasks of the agent share.
#[derive(Debug)]
pub struct Shared {
    begun: Instant,
    node: Mutex<Node>,
    identity: Mutex<Option<Identity>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { begun: Instant::now(), node: Mutex::default(), identity: Mutex::default() }
    }
}

impl Shared {
    /// Time since the agent's start.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The node's state. Hold the guard for a moment only, never across an await.
    pub fn node(&self) -> MutexGuard<'_, Node> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present TLS identity, if the node has one.
    pub fn identity(&self) -> Option<Identity> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another TLS identity; new connections use it.
    pub fn set_identity(&self, identity: Identity) {
        self.node().certificate(identity.certificate_hash.clone());
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }
}

/// Answers on the pod's port for the cluster operator, with TLS when the node has an identity.
pub async fn serve_port(port: u16, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    // All addresses of both families; where IPv6 is switched off, those of IPv4.
    let listener = match TcpListener::bind(("::", port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("0.0.0.0", port)).await?,
    };
    Ok(tokio::spawn(async move {
        let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            oldest_first.retain(|connection| !connection.is_finished());
            if oldest_first.len() >= MOST_CONNECTIONS
                && let Some(oldest) = oldest_first.pop_front()
            {
                oldest.abort();
            }
            let shared = shared.clone();
            let connection = tokio::spawn(async move {
                let Some(identity) = shared.identity() else {
                    serve_connection(stream, shared).await;
                    return;
                };
                let accepted = TlsAcceptor::from(identity.server).accept(stream);
                if let Ok(Ok(stream)) = tokio::time::timeout(CLIENT_PATIENCE, accepted).await {
                    serve_connection(stream, shared).await;
                }
            });
            oldest_first.push_back(connection.abort_handle());
        }
    }))
}

/// Answers on a socket in the pod's file-system, for `probe`. Any process of the container may ask.
pub fn serve_socket(path: &Path, shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(serve_connection(stream, shared.clone()));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }))
}

async fn serve_connection<S: AsyncRead + AsyncWrite + Unpin>(stream: S, shared: Arc<Shared>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.uri().path(), &shared);
        async { Ok::<_, Infallible>(response) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client of the agent went away");
    }
}

/// Answers a request for `path`:
/// `/v1/broker-state` the [`crate::state::Report`] as JSON; `/v1/ready` and `/v1/alive` 204 or 503.
fn answer(path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    let node = shared.node();
    let (status, body) = match path {
        "/v1/broker-state" | "/v1/broker-state/" => match serde_json::to_vec(&node.report()) {
            Ok(body) => (StatusCode::OK, body),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        },
        "/v1/ready" | "/v1/ready/" => verdict(node.is_ready(shared.now()), &node),
        "/v1/alive" | "/v1/alive/" => verdict(node.is_alive(shared.now()), &node),
        _ => (StatusCode::NOT_FOUND, Vec::new()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    if status == StatusCode::OK {
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

fn verdict(good: bool, node: &Node) -> (StatusCode, Vec<u8>) {
    if good {
        return (StatusCode::NO_CONTENT, Vec::new());
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("state {:?}\n", node.state()).into_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_that_are_held_are_bounded_and_keep_nobody_else_waiting() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let server = serve_port(port, Arc::default()).await.unwrap();
        let mut held = Vec::new();
        for _ in 0..MOST_CONNECTIONS * 2 {
            held.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
        }
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"GET /v1/alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        let mut closed = 0;
        for stream in &mut held {
            let end = tokio::time::timeout(Duration::from_millis(20), stream.read(&mut [0; 1])).await;
            closed += usize::from(end.is_ok());
        }
        assert!(closed >= MOST_CONNECTIONS, "only {closed} were closed");
        server.abort();
    }
}
