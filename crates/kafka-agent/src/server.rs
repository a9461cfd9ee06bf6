//! The agent's answers: HTTPS for the operator, a socket in the pod for the probes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use api::agent::container::BROKER_STATE;
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
use crate::tls_reload::Certificates;

/// How long a client may take for its handshake, and for the head of its request.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// Pause after a failure to accept, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection may last: a question takes a moment, and each has a connection of its own.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(30);
/// How many clients each listener has at once.
const MAX_CLIENTS: usize = 64;

/// The connections of a listener. They share the container's memory with Kafka, so there are few: one too many ends the
/// oldest, because a client that asks is done in a moment, and a client that only holds a connection open keeps no other out.
#[derive(Debug, Default)]
struct Clients(VecDeque<AbortHandle>);

impl Clients {
    fn admit(&mut self, client: impl Future<Output = ()> + Send + 'static) {
        self.0.retain(|client| !client.is_finished());
        if self.0.len() >= MAX_CLIENTS
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.abort();
        }
        let bounded = async {
            // At the end of its time the connection has no reader any more.
            let _ = tokio::time::timeout(CONNECTION_LIFETIME, client).await;
        };
        self.0.push_back(tokio::spawn(bounded).abort_handle());
    }
}

/// What the tasks of the agent share.
#[derive(Debug)]
pub struct Shared {
    begun: Instant,
    node: Mutex<Node>,
    identity: Mutex<Option<Identity>>,
    certificates: OnceLock<Certificates>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            node: Mutex::default(),
            identity: Mutex::default(),
            certificates: OnceLock::new(),
        }
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

    /// Kafka reads these certificates again when they change.
    pub fn certificates_are_read_again(&self, certificates: Certificates) {
        // They are set once, before the JVM starts.
        let _ = self.certificates.set(certificates);
    }

    /// Takes another TLS identity; new connections use it.
    pub fn set_identity(&self, identity: Identity) {
        self.node().certificate(identity.certificate_hash.clone());
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }
}

/// Answers on the pod's port for the cluster operator, with TLS when it is asked for and the node has an identity.
pub async fn serve_port(port: u16, shared: Arc<Shared>, tls: bool) -> io::Result<JoinHandle<()>> {
    // All addresses of both families; where IPv6 is switched off, those of IPv4.
    let listener = match TcpListener::bind(("::", port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("0.0.0.0", port)).await?,
    };
    Ok(tokio::spawn(async move {
        let mut clients = Clients::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let shared = shared.clone();
            clients.admit(async move {
                let Some(identity) = shared.identity().filter(|_| tls) else {
                    serve_connection(stream, shared).await;
                    return;
                };
                let accepted = TlsAcceptor::from(identity.server).accept(stream);
                if let Ok(Ok(stream)) = tokio::time::timeout(CLIENT_PATIENCE, accepted).await {
                    serve_connection(stream, shared).await;
                }
            });
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
        let mut clients = Clients::default();
        loop {
            match listener.accept().await {
                Ok((stream, _)) => clients.admit(serve_connection(stream, shared.clone())),
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
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a client of the agent went away");
    }
}

/// Answers a request for `path`:
/// `/v1/broker-state` the [`crate::state::Report`] as JSON; `/v1/ready` and `/v1/alive` 204 or 503.
fn answer(path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    let path = path.strip_suffix('/').unwrap_or(path);
    // Files are read for this, so the state of the node is not held meanwhile.
    let certificates = shared.certificates.get().filter(|_| path == BROKER_STATE).map(Certificates::in_use);
    let node = shared.node();
    let (status, body) = match path {
        BROKER_STATE => match serde_json::to_vec(&node.report(certificates)) {
            Ok(body) => (StatusCode::OK, body),
            Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        },
        "/v1/ready" => verdict(node.is_ready(shared.now()), &node),
        "/v1/alive" => verdict(node.is_alive(shared.now()), &node),
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
