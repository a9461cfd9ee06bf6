//! The connections of a small HTTP server: so many at a time, and none for long. Anybody who reaches the pod may connect.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::long_text::AnswerBody;

/// Connections at a time. A probe or a scrape needs one for milliseconds.
pub(crate) const MOST: usize = 128;

/// Longest time from the beginning of a connection, or the end of the last answer, to the end of a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// Longest time of a connection.
const LIFETIME: Duration = Duration::from_mins(5);

/// Pause after the system gave no connection, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long answers may go on after the shutdown began.
const GRACE: Duration = Duration::from_secs(2);

/// Accepts and serves connections until `shutdown`. When there are too many, the oldest is closed: who holds connections
/// keeps no other client from getting one.
pub(crate) async fn serve<Answer>(listener: TcpListener, answer: Answer, shutdown: CancellationToken)
where
    Answer: Fn(Request<Incoming>) -> Response<AnswerBody> + Clone + Send + Sync + 'static,
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
        oldest_first.push_back(running.spawn(serve_connection(stream, answer.clone(), shutdown.clone())));
    }
    let rest = async { while running.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, rest).await;
}

async fn serve_connection<Answer>(stream: TcpStream, answer: Answer, shutdown: CancellationToken)
where
    Answer: Fn(Request<Incoming>) -> Response<AnswerBody>,
{
    let service = service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(request))));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
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
