//! Bodies of requests, within bounds: for each, for all together, and in time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Unit of the bound for all bodies. Bytes.
const UNIT: usize = 1024;

/// The bounds.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    largest: usize,
    timeout: Duration,
    room: Arc<Semaphore>,
    units: usize,
}

/// A body; room for it is taken as long as it is there.
#[derive(Debug)]
pub(crate) struct Held {
    /// The bytes.
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Bodies {
    /// Bodies of so many bytes, and all together; each within a time.
    pub(crate) fn new(largest: usize, all: usize, timeout: Duration) -> Self {
        let units = (all.max(largest) / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self { largest, timeout, room: Arc::new(Semaphore::new(units)), units }
    }

    /// Reads a body.
    pub(crate) async fn read(&self, body: Incoming) -> Result<Held, ApiError> {
        if body.is_end_stream() {
            return Ok(Held { bytes: Bytes::new(), _room: None });
        }
        let announced = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > self.largest) {
            return Err(self.too_large());
        }
        let units = (announced.unwrap_or(self.largest).div_ceil(UNIT)).clamp(1, self.units) as u32;
        let room = tokio::time::timeout(self.timeout, Arc::clone(&self.room).acquire_many_owned(units)).await;
        let Ok(Ok(room)) = room else {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests are being worked on: try again later",
            ));
        };
        match tokio::time::timeout(self.timeout, Limited::new(body, self.largest).collect()).await {
            Ok(Ok(collected)) => Ok(Held { bytes: collected.to_bytes(), _room: Some(room) }),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(self.too_large()),
            Ok(Err(error)) => Err(ApiError::bad_request(format!("read the body of the request: {error}"))),
            Err(_) => Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body of the request did not come within {} ms", self.timeout.as_millis()),
            )),
        }
    }

    fn too_large(&self) -> ApiError {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "the body of the request has more than {} bytes: send fewer records at a time",
                self.largest
            ),
        )
    }
}
