//! Answers, and their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::consumer::delivery::Delivery;
use crate::error::ApiError;
use crate::format::KAFKA_JSON;
use crate::http::wire::Due;

/// The body of an answer.
#[allow(missing_debug_implementations, reason = "records are not for logs")]
pub(crate) enum AnswerBody {
    /// Known as a whole.
    Whole(Option<Bytes>),
    /// Comes piece by piece.
    Stream(Receiver<Taken>),
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Stream(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece.begin()))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.as_ref().is_none_or(Bytes::is_empty))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// Bytes of an answer. The room for them is free again when the system has taken them for the client.
#[allow(missing_debug_implementations, reason = "records are not for logs")]
pub(crate) struct Taken {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Its records. What becomes of them is known before the room is free again.
    pub delivery: Option<Delivery>,
    /// By when the client has to take it.
    pub _due: Option<Due>,
    /// The room.
    pub _room: OwnedSemaphorePermit,
}

impl Taken {
    /// The bytes, for the connection.
    pub(crate) fn begin(mut self) -> Bytes {
        if let Some(delivery) = &mut self.delivery {
            delivery.begin();
        }
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Room for answers with records that nobody has taken yet.
#[derive(Debug, Clone)]
pub(crate) struct AnswerRoom {
    room: Arc<Semaphore>,
    /// So that clients that are slow with large answers do not hold up small ones.
    for_small: Arc<Semaphore>,
    units: usize,
    patience: Duration,
    write_timeout: Duration,
}

/// Unit of the room. Bytes.
const UNIT: usize = 1024;

/// Answers up to this length have room of their own. Bytes.
const SMALL: usize = 64 * 1024;

/// The room for small answers is this part of the room for large ones.
const FOR_SMALL: usize = 8;

/// How fast a client has to take an answer at least, beside what it may pause. Bytes per second.
const LEAST_RATE: usize = 32 * 1024;

impl AnswerRoom {
    /// Of so many bytes; who finds none waits for so long; and how long a client may pause.
    pub(crate) fn new(bytes: usize, patience: Duration, write_timeout: Duration) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let small = (units / FOR_SMALL).max(SMALL / UNIT);
        Self {
            room: Arc::new(Semaphore::new(units)),
            for_small: Arc::new(Semaphore::new(small)),
            units,
            patience,
            write_timeout,
        }
    }

    /// By when a client must have taken an answer of so many bytes that begins now.
    pub(crate) fn due(&self, bytes: usize) -> Instant {
        Instant::now() + self.write_timeout + Duration::from_secs((bytes / LEAST_RATE) as u64)
    }

    /// Room for so many bytes, or for all if they are more.
    pub(crate) async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units) as u32;
        let room = if bytes <= SMALL { &self.for_small } else { &self.room };
        match tokio::time::timeout(self.patience, Arc::clone(room).acquire_many_owned(units)).await {
            Ok(Ok(room)) => Ok(room),
            _ => Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many answers wait for their clients: try again later",
            )),
        }
    }
}

/// An answer.
pub(crate) type Answer = Response<AnswerBody>;

/// With a body of this media type.
pub(crate) fn with(code: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(AnswerBody::Whole(Some(body.into())));
    *answer.status_mut() = code;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// 200 with JSON of the API.
pub(crate) fn json(body: impl Into<Bytes>) -> Answer {
    with(StatusCode::OK, KAFKA_JSON, body)
}

/// Without a body.
pub(crate) fn empty(code: StatusCode) -> Answer {
    let mut answer = Response::new(AnswerBody::Whole(None));
    *answer.status_mut() = code;
    answer
}

/// A stream of pieces.
pub(crate) fn stream(media_type: &'static str, pieces: Receiver<Taken>) -> Answer {
    let mut answer = Response::new(AnswerBody::Stream(pieces));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// What is wrong.
pub(crate) fn failed(error: &ApiError) -> Answer {
    with(error.code, KAFKA_JSON, error.body())
}

/// The path has other methods.
pub(crate) fn other_methods(methods: &[Method]) -> Answer {
    let error = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "The path does not have this method.");
    let mut answer = failed(&error);
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
        answer.headers_mut().insert(ALLOW, names);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn room_comes_back_with_the_bytes_and_nobody_waits_for_ever() {
        let patience = Duration::from_secs(30);
        let room = AnswerRoom::new(128 * UNIT, patience, patience);
        let taken = room.take(usize::MAX).await.unwrap();
        let first = Taken { bytes: vec![0; 9], delivery: None, _due: None, _room: taken }.begin();
        let part = first.slice(3..5);
        drop(first);
        let large = SMALL + 1;
        assert_eq!(room.take(large).await.unwrap_err().code, StatusCode::SERVICE_UNAVAILABLE);
        assert!(room.take(SMALL).await.is_ok(), "small answers have room of their own");
        drop(part);
        assert!(room.take(large).await.is_ok());
        // 4 MiB take two minutes at the least rate.
        assert_eq!(room.due(4 << 20) - Instant::now(), patience + Duration::from_secs(128));
    }
}
