//! Answers, and their bodies.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use http::{Method, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc::Receiver;

use crate::error::ApiError;
use crate::format::KAFKA_JSON;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// Known as a whole.
    Whole(Option<Bytes>),
    /// Comes piece by piece.
    Stream(Receiver<Bytes>),
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
                pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
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
pub(crate) fn stream(media_type: &'static str, pieces: Receiver<Bytes>) -> Answer {
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
