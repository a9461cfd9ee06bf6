//! How long one pass has for the changes that it makes in Kafka, all of them together: it keeps a place from other clusters
//! meanwhile.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::call_error::Error;

/// Time for all changes of a pass. A Kafka that is well makes each within milliseconds.
const ALL: Duration = Duration::from_secs(30);

/// The time of one pass, which begins with its first change.
#[derive(Debug, Default)]
pub(crate) struct CallTime {
    until: OnceLock<Instant>,
    /// Whether Kafka did not answer: then it is not asked for anything else.
    silent: AtomicBool,
}

impl CallTime {
    /// Makes one change, as far as there is time.
    ///
    /// # Errors
    /// Why it was not made, in words.
    pub(crate) async fn spend<T>(&self, call: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
        let until = *self.until.get_or_init(|| Instant::now() + ALL);
        if self.silent.load(Ordering::Relaxed) {
            return Err("the changes that come after it wait until Kafka answers".to_owned());
        }
        match timeout_at(until, call).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => {
                self.silent.store(error.is_silence(), Ordering::Relaxed);
                Err(error.to_string())
            }
            Err(_) => {
                self.silent.store(true, Ordering::Relaxed);
                Err(format!("Kafka did not make the changes of a pass within {} s", ALL.as_secs()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use kafka_admin::{AdminError, ErrorCode, KafkaError};

    use super::*;

    fn failed(source: AdminError) -> Result<(), Error> {
        Err(Error::Call { action: "change it".to_owned(), source })
    }

    #[tokio::test]
    async fn after_a_change_that_was_not_answered_kafka_is_asked_for_no_other() {
        let time = CallTime::default();
        let error = KafkaError::new(ErrorCode::INVALID_CONFIG, "no");
        let refused = || async { failed(AdminError::Api { call: "alter", error: error.clone() }) };
        assert!(time.spend(refused()).await.is_err());
        assert_eq!(time.spend(async { Ok(1) }).await, Ok(1), "a refusal is an answer");
        let late = AdminError::Timeout { call: "alter", after: Duration::from_secs(10), last: None };
        assert!(time.spend(async { failed(late) }).await.is_err());
        let asked = AtomicBool::new(false);
        let other = async {
            asked.store(true, Ordering::Relaxed);
            Ok(())
        };
        let why = time.spend(other).await.unwrap_err();
        assert!(why.contains("until Kafka answers") && !asked.load(Ordering::Relaxed), "{why}");
    }

    #[tokio::test(start_paused = true)]
    async fn all_changes_of_a_pass_share_one_time() {
        let (time, begin) = (CallTime::default(), Instant::now());
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Ok(())
        };
        let mut made = 0;
        for _ in 0..100 {
            made += usize::from(time.spend(slow()).await.is_ok());
        }
        assert_eq!((made, begin.elapsed().as_secs()), (3, 30));
    }
}
