//! Bodies of requests, within bounds: for each, for all together, and in time.
//!
//! No body waits for room while it holds some, so bodies never wait for each other: the beginning of a body needs no room of its
//! own, and then room for the rest is taken in one go. In exchange the rest has to come as fast as the time for a request asks for.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::error::ApiError;

/// Unit of the bound for all bodies. Bytes.
const UNIT: usize = 1024;

/// So much of each body needs no room: a client that announces much and sends nothing takes none. The number of connections
/// bounds it. Bytes.
const FREE: usize = 4 * 1024;

/// Bodies up to this length have room of their own, so that large ones do not hold them up. Bytes.
const SMALL: usize = 64 * 1024;

/// The room for small bodies is this part of the room for large ones.
const FOR_SMALL: usize = 8;

/// So much of a body of unknown length must come within the time for a request, if it has so much. Bytes.
const UNANNOUNCED: usize = 1024 * 1024;

/// A body may pause for this part of the time for a request.
const GRACE: u32 = 6;

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

/// What has been read of a body, and what is taken for it.
#[derive(Debug)]
struct Reading {
    bytes: BytesMut,
    room: Option<OwnedSemaphorePermit>,
    /// The body may become so long without more room. Bytes.
    up_to: usize,
    /// So much of it must come within the time for a request. Bytes.
    expected: usize,
    /// When its room was taken.
    since: Instant,
}

impl Bodies {
    /// Bodies of so many bytes, and all together; each within a time.
    pub(crate) fn new(largest: usize, all: usize, timeout: Duration) -> Self {
        let units = (all.max(largest) / UNIT + 1).min(Semaphore::MAX_PERMITS).min(u32::MAX as usize);
        let for_small = (units / FOR_SMALL).max(SMALL / UNIT);
        Self {
            largest,
            timeout,
            room: Arc::new(Semaphore::new(units)),
            for_small: Arc::new(Semaphore::new(for_small)),
        }
    }

    /// Reads a body.
    pub(crate) async fn read<B>(&self, mut body: B) -> Result<Held, ApiError>
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin,
    {
        if body.is_end_stream() {
            return Ok(Held { bytes: Bytes::new(), _room: None });
        }
        let announced = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if announced.is_some_and(|bytes| bytes > self.largest) {
            return Err(self.too_large());
        }
        let mut reading = Reading {
            bytes: BytesMut::new(),
            room: None,
            up_to: FREE.min(self.largest),
            expected: FREE,
            since: Instant::now(),
        };
        loop {
            let frame = tokio::time::timeout_at(self.due(&reading), body.frame()).await;
            let Some(frame) = frame.map_err(|_| self.too_slow())? else { break };
            let frame = frame
                .map_err(|error| ApiError::bad_request(format!("read the body of the request: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = reading.bytes.len() + data.len();
            if length > self.largest {
                return Err(self.too_large());
            }
            if length > reading.up_to {
                self.make_room(&mut reading, length, announced).await?;
            }
            reading.bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: reading.bytes.freeze(), _room: reading.room })
    }

    /// When more of a body must have come. What holds no room has the whole time for its beginning.
    fn due(&self, reading: &Reading) -> Instant {
        if reading.room.is_none() {
            return reading.since + self.timeout;
        }
        let part = reading.bytes.len() as f64 / reading.expected.max(1) as f64;
        let due = self.timeout / GRACE + self.timeout.mul_f64(part);
        reading.since + due.min(self.timeout)
    }

    /// Takes room for all that a body may become, and gives back what it has before it waits.
    async fn make_room(
        &self,
        reading: &mut Reading,
        length: usize,
        announced: Option<usize>,
    ) -> Result<(), ApiError> {
        let is_small = announced.unwrap_or(length) <= SMALL;
        let room = if is_small { &self.for_small } else { &self.room };
        reading.up_to = announced.unwrap_or(if is_small { SMALL } else { self.largest }).min(self.largest);
        reading.expected = announced.unwrap_or(reading.up_to.min(UNANNOUNCED));
        reading.room = None;
        let units = reading.up_to.div_ceil(UNIT).max(1) as u32;
        let taken = tokio::time::timeout(self.timeout / 2, Arc::clone(room).acquire_many_owned(units)).await;
        let Ok(Ok(taken)) = taken else {
            return Err(ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many requests are being worked on: try again later",
            ));
        };
        reading.room = Some(taken);
        reading.since = Instant::now();
        Ok(())
    }

    fn too_slow(&self) -> ApiError {
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "the body of the request comes too slowly to be whole within {} ms",
                self.timeout.as_millis()
            ),
        )
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::{Frame, SizeHint};
    use tokio::sync::mpsc::{Receiver, Sender, channel};
    use tokio::time::Instant;

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    /// A body that comes piece by piece.
    struct Pieces {
        pieces: Receiver<usize>,
        announced: Option<u64>,
    }

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let piece = self.pieces.poll_recv(context);
            piece.map(|piece| piece.map(|length| Ok(Frame::data(Bytes::from(vec![b'x'; length])))))
        }

        fn size_hint(&self) -> SizeHint {
            self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
        }
    }

    fn body(announced: Option<u64>) -> (Sender<usize>, Pieces) {
        let (sender, pieces) = channel(1000);
        (sender, Pieces { pieces, announced })
    }

    type Reading = tokio::task::JoinHandle<Result<Held, ApiError>>;

    fn begin(bodies: &Bodies, announced: Option<u64>) -> (Sender<usize>, Reading) {
        let (sender, body) = body(announced);
        let bodies = bodies.clone();
        (sender, tokio::spawn(async move { bodies.read(body).await }))
    }

    async fn sent(sender: &Sender<usize>, pieces: &[usize]) {
        for piece in pieces {
            sender.send(*piece).await.unwrap();
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_that_have_no_room_together_come_one_after_the_other() {
        for announced in [Some(3 * SMALL as u64), None] {
            let bodies = Bodies::new(3 * SMALL, 4 * SMALL, TIMEOUT);
            let begun = Instant::now();
            let all: Vec<_> = (0..6).map(|_| begin(&bodies, announced)).collect();
            // All clients send at the same speed.
            for _ in 0..3 {
                for (sender, _) in &all {
                    sent(sender, &[SMALL / 2, SMALL / 2]).await;
                }
            }
            for (sender, reading) in all {
                drop(sender);
                let held = reading.await.unwrap().unwrap();
                assert_eq!(held.bytes.len(), 3 * SMALL);
            }
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clients_that_announce_much_and_send_little_hold_up_nobody() {
        for announced in [Some(SMALL as u64), Some(10 << 20), None] {
            let bodies = Bodies::new(10 << 20, 64 << 20, TIMEOUT);
            let slow: Vec<_> = (0..900).map(|_| begin(&bodies, announced)).collect();
            for (sender, _) in &slow {
                sent(sender, &[1]).await;
            }
            for honest in [100, SMALL, 10 << 20] {
                let begun = Instant::now();
                let (sender, reading) = begin(&bodies, Some(honest as u64));
                sent(&sender, &[honest]).await;
                drop(sender);
                assert_eq!(reading.await.unwrap().unwrap().bytes.len(), honest);
                assert!(begun.elapsed() < Duration::from_secs(1), "{announced:?} {:?}", begun.elapsed());
            }
            drop(slow);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_hardly_comes_gives_its_room_back_long_before_the_time_of_a_request() {
        let bodies = Bodies::new(10 << 20, 64 << 20, TIMEOUT);
        for announced in [Some(10 << 20), None] {
            let begun = Instant::now();
            let slow: Vec<_> = (0..7).map(|_| begin(&bodies, announced)).collect();
            for (sender, _) in &slow {
                sent(sender, &[SMALL + 1]).await;
            }
            let (sender, reading) = begin(&bodies, Some(10 << 20));
            sent(&sender, &[10 << 20]).await;
            drop(sender);
            assert_eq!(reading.await.unwrap().unwrap().bytes.len(), 10 << 20);
            assert!(begun.elapsed() < TIMEOUT / 2, "{:?}", begun.elapsed());
            for (_sender, reading) in slow {
                assert_eq!(reading.await.unwrap().unwrap_err().code, StatusCode::REQUEST_TIMEOUT);
            }
        }
        // Whoever sends as fast as the time for a request asks for is not cut off.
        let (steady, reading) = begin(&bodies, Some(10 << 20));
        for _ in 0..10 {
            tokio::time::sleep(TIMEOUT.mul_f32(0.099)).await;
            sent(&steady, &[1 << 20]).await;
        }
        drop(steady);
        assert_eq!(reading.await.unwrap().unwrap().bytes.len(), 10 << 20);
    }
}
