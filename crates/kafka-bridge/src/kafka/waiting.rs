//! Calls of the library that wait for Kafka: on threads that may, and so many of a kind at a time that one kind, when nobody
//! answers it, leaves threads to the others.

use std::time::Duration;

use http::StatusCode;
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Calls of each kind at a time.
const AT_A_TIME: usize = 12;

/// All of them together.
pub const THREADS: usize = 3 * AT_A_TIME + 2;

/// How long a call may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(30);

/// A kind of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Questions about topics.
    Questions,
    /// Calls of one consumer.
    Consumers,
    /// New consumers.
    Births,
}

static QUESTIONS: Semaphore = Semaphore::const_new(AT_A_TIME);
static CONSUMERS: Semaphore = Semaphore::const_new(AT_A_TIME);
static BIRTHS: Semaphore = Semaphore::const_new(AT_A_TIME);

/// Runs a call.
pub(crate) async fn blocking<T: Send + 'static>(
    work: Work,
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let turns = match work {
        Work::Questions => &QUESTIONS,
        Work::Consumers => &CONSUMERS,
        Work::Births => &BIRTHS,
    };
    let Ok(Ok(turn)) = tokio::time::timeout(PATIENCE, turns.acquire()).await else {
        let text = "Kafka does not answer others that asked before: try again later";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    // The turn goes with the call, which goes on when nobody waits for it any more.
    let called = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        call()
    });
    called.await.map_err(|error| ApiError::internal(format!("wait for Kafka: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_that_wait_for_ever_leave_threads_to_others() {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = std::sync::Arc::new(std::sync::Mutex::new(released));
        let mut stuck = Vec::new();
        for _ in 0..AT_A_TIME {
            let released = std::sync::Arc::clone(&released);
            stuck.push(tokio::spawn(blocking(Work::Questions, move || {
                let _ = released.lock().unwrap().recv();
            })));
        }
        while QUESTIONS.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(blocking(Work::Consumers, || 7).await, Ok(7));
        let refused = tokio::spawn(blocking(Work::Questions, || 7));
        tokio::task::yield_now().await;
        tokio::time::advance(PATIENCE + Duration::from_secs(1)).await;
        assert_eq!(refused.await.unwrap().unwrap_err().code, StatusCode::SERVICE_UNAVAILABLE);
        for _ in 0..AT_A_TIME {
            release.send(()).unwrap();
        }
        for one in stuck {
            one.await.unwrap().unwrap();
        }
    }
}
