//! Bodies of requests, within bounds: for each, for all together, and in time.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ApiError;

/// Unit of the bound for all bodies. Bytes.
const UNIT: usize = 1024;

/// Room is taken in such steps, as bytes come: a client that announces much and sends nothing takes one. Bytes.
const STEP: usize = 64 * 1024;

/// This part of the room is for bodies of one step.
const FOR_SMALL: usize = 8;

/// The bounds.
#[derive(Debug, Clone)]
pub(crate) struct Bodies {
    largest: usize,
    timeout: Duration,
    room: Arc<Semaphore>,
    for_small: Arc<Semaphore>,
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
        let units = (all.max(largest + STEP) / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let for_small = (units / FOR_SMALL).max(STEP / UNIT);
        Self {
            largest,
            timeout,
            room: Arc::new(Semaphore::new(units)),
            for_small: Arc::new(Semaphore::new(for_small)),
        }
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
        let is_small = announced.is_some_and(|bytes| bytes <= STEP);
        let room = if is_small { &self.for_small } else { &self.room };
        let step = announced.filter(|_| is_small).unwrap_or(STEP);
        match tokio::time::timeout(self.timeout, self.collect(body, room, step)).await {
            Ok(read) => read,
            Err(_) => Err(ApiError::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body of the request did not come within {} ms", self.timeout.as_millis()),
            )),
        }
    }

    async fn collect(
        &self,
        mut body: Incoming,
        room: &Arc<Semaphore>,
        step: usize,
    ) -> Result<Held, ApiError> {
        let mut bytes = BytesMut::new();
        let mut taken = self.take(room, step).await?;
        let mut step_end = step;
        while let Some(frame) = body.frame().await {
            let frame = frame
                .map_err(|error| ApiError::bad_request(format!("read the body of the request: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > self.largest {
                return Err(self.too_large());
            }
            while length > step_end {
                taken.merge(self.take(room, STEP).await?);
                step_end += STEP;
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _room: Some(taken) })
    }

    async fn take(&self, room: &Arc<Semaphore>, bytes: usize) -> Result<OwnedSemaphorePermit, ApiError> {
        let units = bytes.div_ceil(UNIT).max(1) as u32;
        let taken = tokio::time::timeout(self.timeout / 2, Arc::clone(room).acquire_many_owned(units)).await;
        match taken {
            Ok(Ok(taken)) => Ok(taken),
            _ => Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests are being worked on: try again later",
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
