//! Connections: so many at a time, none that only holds its place, and an end that lets answers finish.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus::IntGauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::http::answer::Answer;
use crate::http::progress::Progress;
use crate::http::tls::Certificate;
use crate::http::wire::Wire;

/// Time for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause after the system gave no connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Largest head of a request, and what is read of a body at a time. Bytes.
const BUFFER: usize = 64 * 1024;

/// The port cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("listen on {host}:{port}: {source}")]
pub struct ListenError {
    host: String,
    port: u16,
    #[source]
    source: std::io::Error,
}

/// A port that listens.
#[derive(Debug)]
pub(crate) struct Port(TcpListener);

impl Port {
    /// Listens. `0.0.0.0` means all addresses, of both families.
    pub(crate) async fn listen(host: &str, port: u16) -> Result<Self, ListenError> {
        let failed = |source| ListenError { host: host.to_owned(), port, source };
        if host == "0.0.0.0" || host == "::" {
            // Where IPv6 is switched off, those of IPv4.
            if let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
                return Ok(Self(listener));
            }
            let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
            return bound.map(Self).map_err(failed);
        }
        TcpListener::bind((host, port)).await.map(Self).map_err(failed)
    }

    /// The port that was bound.
    pub(crate) fn number(&self) -> u16 {
        self.0.local_addr().map_or(0, |address| address.port())
    }
}

/// How connections are served.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "the certificate has a key in it")]
pub(crate) struct Serving {
    /// Connections at a time.
    pub most: usize,
    /// Time for the head of a request, counted from the end of the last answer.
    pub head_timeout: Duration,
    /// Time without progress of a write.
    pub write_timeout: Duration,
    /// Whether a connection may bring more than one request.
    pub keeps_connections: bool,
    /// With TLS.
    pub certificate: Option<Certificate>,
    /// Counts open connections.
    pub connections: IntGauge,
    /// The end: no more connections, and answers under way finish.
    pub shutdown: CancellationToken,
    /// How long they may take.
    pub patience: Duration,
}

/// Serves until the end.
pub(crate) async fn serve<Handler, Answering>(port: Port, serving: Serving, handler: Handler)
where
    Handler: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
    Answering: Future<Output = Answer> + Send + 'static,
{
    let room = Arc::new(Semaphore::new(serving.most.min(Semaphore::MAX_PERMITS)));
    let mut running = JoinSet::new();
    loop {
        // A connection that finds no room waits in the system's queue.
        let accepted = tokio::select! {
            biased;
            () = serving.shutdown.cancelled() => break,
            _ = running.join_next(), if !running.is_empty() => continue,
            accepted = accept(&port.0, &room) => accepted,
        };
        let Some((stream, place)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (serving, handler) = (serving.clone(), handler.clone());
        running.spawn(async move {
            serving.connections.inc();
            connection(stream, &serving, handler).await;
            serving.connections.dec();
            drop(place);
        });
    }
    // From now on nobody gets a connection.
    drop(port);
    let rest = async { while running.join_next().await.is_some() {} };
    if tokio::time::timeout(serving.patience, rest).await.is_err() {
        tracing::warn!("some requests were cut off: they did not finish in time");
    }
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(room).acquire_owned().await.ok()?;
    let (stream, _) = listener.accept().await.ok()?;
    // Answers are small, and each is written at once.
    let _ = stream.set_nodelay(true);
    Some((stream, place))
}

async fn connection<Handler, Answering>(stream: TcpStream, serving: &Serving, handler: Handler)
where
    Handler: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = Answer>,
{
    let stream = Progress::new(stream, serving.write_timeout);
    let Some(certificate) = &serving.certificate else {
        return requests(stream, serving, handler).await;
    };
    let shaken = tokio::time::timeout(HANDSHAKE, certificate.acceptor().accept(stream));
    if let Ok(Ok(stream)) = shaken.await {
        requests(stream, serving, handler).await;
    }
}

async fn requests<S, Handler, Answering>(stream: S, serving: &Serving, handler: Handler)
where
    S: AsyncRead + AsyncWrite + Unpin,
    Handler: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = Answer>,
{
    let wire = Wire::default();
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(wire.clone());
        let answering = handler(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(serving.keeps_connections)
        .header_read_timeout(serving.head_timeout)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // Dropped before the connection: what is dropped with the connection was not taken.
    let _open = wire.open();
    let served = async {
        tokio::select! {
            served = connection.as_mut() => return served,
            () = serving.shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
            () = wire.overdue() => return Ok(()),
        }
        tokio::select! {
            served = connection.as_mut() => served,
            () = wire.overdue() => Ok(()),
        }
    };
    if let Err(error) = served.await {
        tracing::debug!(%error, "a client went away");
    }
}
