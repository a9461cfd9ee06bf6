//! The connections of a small HTTP server: so many at a time, and none for long. Anybody who reaches the pod may connect.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections at a time. A probe or a scrape needs one for milliseconds.
pub(crate) const MOST: usize = 128;

/// Longest time of a handshake, and from the beginning of a connection, or the end of the last answer, to the end of a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Longest time of a connection.
const LIFETIME: Duration = Duration::from_mins(5);

/// Pause after the system gave no connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long answers may go on after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);

/// Listens on a port of all addresses of the machine; port 0 takes a free one.
///
/// # Errors
/// When the port is taken or may not be used.
pub async fn listen(port: u16) -> io::Result<TcpListener> {
    // All addresses of both families: a pod may have those of one only. Where IPv6 is switched off, those of IPv4.
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await,
    }
}

/// How many requests a connection may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// As many as come.
    Many,
    /// One. The server never closes a connection at the moment in which its client sends another request.
    One,
}

/// Accepts and serves connections until `shutdown`. When there are too many, the oldest is closed: who holds connections
/// keeps no other client from getting one. `shake` makes of a connection what requests come through; without it there are none.
pub async fn serve<Shake, Shaking, Stream, Answer, Answering, Text>(
    listener: TcpListener,
    requests: Requests,
    shake: Shake,
    answer: Answer,
    shutdown: CancellationToken,
) where
    Shake: Fn(TcpStream) -> Shaking + Clone + Send + Sync + 'static,
    Shaking: Future<Output = Option<Stream>> + Send,
    Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    Answer: Fn(Request<Incoming>) -> Answering + Clone + Send + Sync + 'static,
    Answering: Future<Output = Response<Text>> + Send,
    Text: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut oldest_first: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            _ = running.join_next(), if !running.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        oldest_first.retain(|connection| !connection.is_finished());
        if oldest_first.len() >= MOST
            && let Some(oldest) = oldest_first.pop_front()
        {
            oldest.abort();
        }
        let (shake, answer, shutdown) = (shake.clone(), answer.clone(), shutdown.clone());
        oldest_first.push_back(running.spawn(async move {
            if let Ok(Some(stream)) = tokio::time::timeout(HEAD_PATIENCE, shake(stream)).await {
                serve_connection(stream, requests, answer, shutdown).await;
            }
        }));
    }
    // From now on nobody gets a connection.
    drop(listener);
    let rest = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, rest).await;
}

async fn serve_connection<Stream, Answer, Answering, Text>(
    stream: Stream,
    requests: Requests,
    answer: Answer,
    shutdown: CancellationToken,
) where
    Stream: AsyncRead + AsyncWrite + Unpin,
    Answer: Fn(Request<Incoming>) -> Answering,
    Answering: Future<Output = Response<Text>>,
    Text: Body<Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let service = service_fn(|request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(requests == Requests::Many)
        // A request has a path and some headers.
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let served = async {
        tokio::select! {
            served = connection.as_mut() => return served,
            () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    if let Ok(Err(error)) = tokio::time::timeout(LIFETIME, served).await {
        tracing::debug!(%error, "a client of the HTTP server went away");
    }
}
