//! Records as a stream of server-sent events, one event for each. Not in Strimzi.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tokio::sync::mpsc::{Receiver, channel};

use crate::consumer::held::AnswerBounds;
use crate::consumer::instance::{Instance, Use};
use crate::consumer::polling;
use crate::metrics::BridgeMetrics;

/// Events that wait for a slow client; after them it is Kafka that waits.
const WAITING: usize = 16;

/// A comment is sent after so long a silence, so that nobody between takes the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// Starts a stream; it ends with the client or with the consumer.
pub(crate) fn stream(
    using: Use,
    instance: Arc<Instance>,
    bounds: AnswerBounds,
    metrics: BridgeMetrics,
) -> Receiver<Bytes> {
    let (sender, receiver) = channel(WAITING);
    tokio::spawn(async move {
        let _using = using;
        let bounds = AnswerBounds { records: 1, ..bounds };
        while !instance.end.is_cancelled() {
            // Room first: a record that nobody takes stays where it is.
            let Ok(room) = sender.reserve().await else { return };
            let polled = tokio::select! {
                polled = polling::poll(&instance, SILENCE, bounds) => polled,
                () = sender.closed() => return,
            };
            match polled {
                Ok(written) if written.by_topic.is_empty() => room.send(Bytes::from_static(b": \n\n")),
                Ok(written) => {
                    for (topic, (records, bytes)) in &written.by_topic {
                        metrics.consumed(topic, *records, *bytes);
                    }
                    room.send(event("record", inside(&written.body)));
                }
                Err(error) => {
                    room.send(event("error", &error.body()));
                    // A record that cannot be shown keeps the others back no longer.
                    if error.code != StatusCode::NOT_ACCEPTABLE {
                        return;
                    }
                }
            }
        }
    });
    receiver
}

/// The one item of an array.
fn inside(array: &[u8]) -> &[u8] {
    array.get(1..array.len().saturating_sub(1)).unwrap_or_default()
}

/// One event. The data is JSON in one line.
fn event(name: &str, data: &[u8]) -> Bytes {
    let mut text = Vec::with_capacity(data.len() + 32);
    text.extend_from_slice(b"event: ");
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\ndata: ");
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_name_and_a_line() {
        assert_eq!(event("record", inside(b"[{\"a\":1}]")).as_ref(), b"event: record\ndata: {\"a\":1}\n\n");
        assert_eq!(inside(b"[]"), b"");
    }
}
