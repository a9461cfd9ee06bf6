//! Requests for records. Nobody waits on a thread: the library wakes the task.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::consumer::held::{AnswerBounds, Reads, Written};
use crate::consumer::instance::Instance;
use crate::error::{ApiError, status_of};
use crate::http::answer::AnswerRoom;

/// Between two looks at the library's queue when it does not wake us: it does so only when the queue was empty before.
const LOOK: Duration = Duration::from_millis(500);

/// The queue counts as empty after so many looks that found nothing: a look may have found an event of a kind that is passed over.
const EMPTY_LOOKS: usize = 3;

/// So many events that are no records are taken at a time: others want the thread, too.
const MOST_EVENTS: usize = 200;

/// Waits for records for a stream, and writes them.
pub(crate) async fn poll(
    instance: &Arc<Instance>,
    timeout: Duration,
    bounds: AnswerBounds,
) -> Result<Written, ApiError> {
    poll_in(instance, timeout, bounds, None).await.map(|(written, _)| written)
}

/// Waits for records, then for room for them, and writes them. Where there is no room they stay.
pub(crate) async fn poll_in(
    instance: &Arc<Instance>,
    timeout: Duration,
    bounds: AnswerBounds,
    room: Option<&AnswerRoom>,
) -> Result<(Written, Option<OwnedSemaphorePermit>), ApiError> {
    let deadline = Instant::now() + timeout;
    let Ok(_turn) = tokio::time::timeout_at(deadline, instance.turn.lock()).await else {
        // Another request waits for the records.
        return Ok((Written { body: b"[]".to_vec(), ..Written::default() }, None));
    };
    if matches!(instance.held().reads, Reads::Nothing) {
        let text = "Consumer is not subscribed to any topics or assigned any partitions";
        return Err(ApiError::new(StatusCode::CONFLICT, text));
    }
    // The client asks for more, so it is done with what it got.
    instance.keep_positions();
    instance.go_back().await?;
    loop {
        take(instance, bounds)?;
        if !instance.held().is_empty() {
            break;
        }
        if instance.has_unstarted() {
            start_again(instance, deadline).await;
        }
        if Instant::now() >= deadline {
            break;
        }
        tokio::select! {
            () = instance.ready().notified() => {}
            () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
            () = instance.end.cancelled() => break,
        }
    }
    let needed = instance.held().written_size(instance.format, bounds);
    let taken = match room {
        Some(room) => Some(room.take(needed).await?),
        None => None,
    };
    Ok((instance.held().write(instance.format, bounds)?, taken))
}

/// Lets partitions begin that do not.
async fn start_again(instance: &Instance, deadline: Instant) {
    // A coordinator that refuses the answer at once is asked no more often than that, or than the client sends requests.
    tokio::select! {
        () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK)) => {}
        () = instance.end.cancelled() => return,
    }
    // Calls of other consumers may take all threads: then it is for the next look, or the next request.
    let _ = tokio::time::timeout(LOOK, instance.start_again()).await;
}

/// Moves what the library has fetched into what is held.
fn take(instance: &Instance, bounds: AnswerBounds) -> Result<(), ApiError> {
    let (mut looks, mut events) = (0, 0);
    while looks < EMPTY_LOOKS && events < MOST_EVENTS && !instance.held().is_full(bounds) {
        let calls = instance.events().calls.load(Ordering::Relaxed);
        match instance.native().poll(Duration::ZERO) {
            Some(Ok(record)) => {
                let record = record.detach();
                instance.held().push(record);
                looks = 0;
            }
            Some(Err(error)) => {
                events += 1;
                if instance.held().is_empty()
                    && let Some(error) = told(&error)
                {
                    return Err(error);
                }
            }
            // That look was for an event, behind which records may wait.
            None if instance.events().calls.load(Ordering::Relaxed) != calls => events += 1,
            None => looks += 1,
        }
    }
    if events == MOST_EVENTS {
        // The library tells of no more while its queue is not empty.
        instance.ready().notify_one();
    }
    Ok(())
}

/// What the client is told of an error; `None`: it passes, the library tries again.
fn told(error: &KafkaError) -> Option<ApiError> {
    use RDKafkaErrorCode as Code;
    if let KafkaError::MessageConsumptionFatal(code) = error {
        let text = format!("receive records: {code}; delete this consumer and make another one");
        return Some(ApiError::new(status_of(*code), text));
    }
    let code = error.rdkafka_error_code()?;
    let lasts = matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::AutoOffsetReset
            | Code::InvalidGroupId
            | Code::InconsistentGroupProtocol
            | Code::GroupMaxSizeReached
            | Code::BadCompression
            | Code::NotImplemented
            | Code::BadMessage
    );
    lasts.then(|| ApiError::new(status_of(code), format!("receive records: {code}")))
}

#[cfg(test)]
mod tests {
    use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

    use super::*;
    use crate::prefetch::Budget;
    use crate::requests::{Position, consumer};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_record_behind_hundreds_of_logs_comes_at_once() {
        let kafka = MockCluster::new(1).unwrap();
        kafka.create_topic("t", 1, 1).unwrap();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap_servers());
        let producer: BaseProducer = config.create().unwrap();
        producer.send(BaseRecord::<(), str>::to("t").payload("v")).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_secs(30)).unwrap();
        config.set("debug", "all").set_log_level(RDKafkaLogLevel::Debug);
        let new = consumer(br#"{"format":"text","auto.offset.reset":"earliest"}"#).unwrap();
        let share = Budget::new(1 << 20).share().unwrap();
        let instance = Arc::new(Instance::new(config, "g", "c", &new, share).unwrap());
        instance.assign(&[Position { topic: "t".to_owned(), partition: 0, offset: 0 }]).await.unwrap();
        let bounds = AnswerBounds { records: 1, soft_bytes: 1 << 20, max_bytes: None };
        // Six events a second, as before, are not enough.
        let written = poll(&instance, Duration::from_secs(15), bounds).await.unwrap();
        assert!(String::from_utf8(written.body).unwrap().contains("\"v\""));
        assert!(instance.events().calls.load(Ordering::Relaxed) > 100, "there were no logs to speak of");
    }

    #[test]
    fn what_passes_is_not_told_and_what_lasts_is() {
        for code in [
            RDKafkaErrorCode::AllBrokersDown,
            RDKafkaErrorCode::BrokerTransportFailure,
            RDKafkaErrorCode::PollExceeded,
            RDKafkaErrorCode::UnknownTopicOrPartition,
        ] {
            assert_eq!(told(&KafkaError::MessageConsumption(code)), None, "{code:?}");
        }
        let denied =
            told(&KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed)).unwrap();
        assert_eq!(denied.code.as_u16(), 403);
        let fatal = KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId);
        assert!(told(&fatal).unwrap().message.contains("make another one"));
    }
}
