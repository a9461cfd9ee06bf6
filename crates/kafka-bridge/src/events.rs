//! Records as a stream of server-sent events, one event for each. Not in Strimzi.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, channel};

use crate::consumer::held::AnswerBounds;
use crate::consumer::instance::{Instance, Use};
use crate::consumer::polling;
use crate::http::answer::Taken;
use crate::http::wire::Wire;
use crate::metrics::BridgeMetrics;

/// A comment is sent after so long a silence, so that nobody between takes the connection for dead.
const SILENCE: Duration = Duration::from_secs(15);

/// Starts a stream; it ends with the client or with the consumer, or when another request asks the consumer for records. One event
/// is under way at a time: the next record is asked for, and the one before counts as done, when the system has taken the event for
/// the client. A record that was not taken comes again with the next request.
pub(crate) fn stream(
    using: Use,
    instance: Arc<Instance>,
    bounds: AnswerBounds,
    metrics: BridgeMetrics,
    wire: Wire,
) -> Receiver<Taken> {
    let (sender, receiver) = channel(1);
    let (end, ended) = instance.open_stream();
    let turns = Arc::new(Semaphore::new(1));
    tokio::spawn(async move {
        let _held_while_open = (using, ended);
        let bounds = AnswerBounds { records: 1, ..bounds };
        let mut last = None;
        loop {
            let turn = tokio::select! {
                biased;
                () = end.cancelled() => break,
                () = instance.end.cancelled() => break,
                turn = Arc::clone(&turns).acquire_owned() => turn,
            };
            let Ok(turn) = turn else { break };
            // A connection that broke gives the turn back, too.
            if wire.is_broken() || sender.is_closed() {
                break;
            }
            let polled = tokio::select! {
                polled = polling::poll(&instance, SILENCE, bounds) => polled,
                () = sender.closed() => break,
                () = end.cancelled() => break,
            };
            let (bytes, is_last) = match polled {
                Ok(written) if written.by_topic.is_empty() => (b": \n\n".to_vec(), false),
                Ok(written) => {
                    for (topic, (records, bytes)) in &written.by_topic {
                        metrics.consumed(topic, *records, *bytes);
                    }
                    last = written.answer;
                    (event("record", inside(&written.body)), false)
                }
                // A record that cannot be shown keeps the others back no longer.
                Err(error) => (event("error", &error.body()), error.code != StatusCode::NOT_ACCEPTABLE),
            };
            let delivery = last.map(|answer| instance.delivery(answer, wire.clone()));
            let piece = Taken { bytes, delivery, _due: None, _room: turn };
            if sender.send(piece).await.is_err() || is_last {
                break;
            }
        }
        // Nobody knows yet whether the client has it: it may come twice, and is not lost.
        if let Some(last) = last {
            instance.held().lost(last);
        }
    });
    receiver
}

/// The one item of an array.
fn inside(array: &[u8]) -> &[u8] {
    array.get(1..array.len().saturating_sub(1)).unwrap_or_default()
}

/// One event. The data is JSON in one line.
fn event(name: &str, data: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(data.len() + 32);
    text.extend_from_slice(b"event: ");
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b"\ndata: ");
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_name_and_a_line() {
        assert_eq!(event("record", inside(b"[{\"a\":1}]")), b"event: record\ndata: {\"a\":1}\n\n");
        assert_eq!(inside(b"[]"), b"");
    }
}
