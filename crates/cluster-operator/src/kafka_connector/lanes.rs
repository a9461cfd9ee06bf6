//! Calls about single connectors, beside each other: a bounded number at a time, and a slow call holds up no other.
//!
//! There are two lanes. A call that is not answered soon goes over into the slow lane, and where that is full it is given up; a
//! connector whose last call was slow begins there. So connectors that never answer fill the slow lane, in which they wait for each
//! other, and the others do not notice. Both lanes together bound what a worker has to do at a time.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use connect_client::ConnectError;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use crate::lock::lock;

/// Calls at a time that are usually answered soon.
const FAST: usize = 32;

/// Calls at a time that take long.
const SLOW: usize = 16;

/// Calls that are under way or wait for their turn: a cluster of very many connectors leaves places of passes to the others.
const WAITING: usize = 256;

/// How long a call waits for its turn.
const TURN: Duration = Duration::from_secs(30);

/// How long a call is not slow.
const SOON: Duration = Duration::from_secs(3);

/// Longest time for a call. A worker itself gives up after 90 s, and keeps a thread for it until then.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Requests to a cluster at a time: the calls in both lanes, the list of connectors, and what others ask.
pub(super) const AT_ONCE: usize = FAST + SLOW + 4;

/// The lanes of one Connect cluster.
#[derive(Debug)]
pub struct Lanes {
    places: Semaphore,
    fast: Semaphore,
    slow: Semaphore,
    /// Connectors whose last call was slow.
    slow_ones: Mutex<HashSet<String>>,
}

impl Default for Lanes {
    fn default() -> Self {
        let (places, fast, slow) = (Semaphore::new(WAITING), Semaphore::new(FAST), Semaphore::new(SLOW));
        Self { places, fast, slow, slow_ones: Mutex::default() }
    }
}

impl Lanes {
    /// Makes a call about a connector, which has to have a deadline of its own. `late` is the answer when the call is given up.
    pub async fn run<T>(
        &self,
        connector: &str,
        call: impl Future<Output = Result<T, ConnectError>>,
        late: impl FnOnce(Duration) -> ConnectError,
    ) -> Result<T, ConnectError> {
        let Ok(_place) = self.places.try_acquire() else {
            let action = "make the call".to_owned();
            let message = format!("{WAITING} other calls to the cluster are under way or wait");
            return Err(ConnectError::Rebalancing { action, message });
        };
        if self.slow_ones().contains(connector) {
            let Ok(_permit) = timeout(TURN, self.slow.acquire()).await else { return Err(late(TURN)) };
            let began = Instant::now();
            let answer = call.await;
            if began.elapsed() < SOON && !matches!(answer, Err(ConnectError::Late { .. })) {
                self.slow_ones().remove(connector);
            }
            return answer;
        }
        let Ok(permit) = timeout(TURN, self.fast.acquire()).await else { return Err(late(TURN)) };
        let mut call = std::pin::pin!(call);
        if let Ok(answer) = timeout(SOON, &mut call).await {
            return answer;
        }
        self.slow_ones().insert(connector.to_owned());
        let Ok(_slow) = self.slow.try_acquire() else { return Err(late(SOON)) };
        drop(permit);
        call.await
    }

    /// Forgets connectors that are gone.
    pub fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.slow_ones().retain(|name| exists(name));
    }

    fn slow_ones(&self) -> MutexGuard<'_, HashSet<String>> {
        lock(&self.slow_ones)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn after(pause: Duration) -> Result<(), ConnectError> {
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn late(after: Duration) -> ConnectError {
        ConnectError::Late { action: "x".to_owned(), address: "y".to_owned(), after }
    }

    /// Calls of so many connectors, each with its pause; when each ended.
    async fn run(lanes: &Arc<Lanes>, pauses: impl Iterator<Item = (String, Duration)>) -> Vec<Duration> {
        let began = Instant::now();
        let calls = pauses.map(|(name, pause)| {
            let lanes = Arc::clone(lanes);
            tokio::spawn(async move {
                let _ = lanes.run(&name, after(pause), late).await;
                began.elapsed()
            })
        });
        let mut ended = Vec::new();
        for call in calls.collect::<Vec<_>>() {
            ended.push(call.await.unwrap());
        }
        ended
    }

    #[tokio::test(start_paused = true)]
    async fn connectors_that_never_answer_delay_no_other() {
        let (quick, slow) = (Duration::from_millis(100), Duration::from_secs(30));
        let lanes = Arc::new(Lanes::default());
        // Twenty of two hundred, from the beginning.
        let pauses = (0..200).map(|number| (number.to_string(), if number % 10 == 0 { slow } else { quick }));
        let ended = run(&lanes, pauses).await;
        let others = |ended: &[Duration]| {
            let others = ended.iter().enumerate().filter(|(number, _)| number % 10 != 0);
            others.map(|(_, ended)| *ended).max().unwrap()
        };
        let without =
            run(&Arc::new(Lanes::default()), (0..180).map(|number| (number.to_string(), quick))).await;
        let without = without.into_iter().max().unwrap();
        assert!(others(&ended) <= without + Duration::from_secs(1), "{:?} and {without:?}", others(&ended));
        // Half of all, known to be slow: nothing at all is to be noticed.
        let half = |lanes: Arc<Lanes>| async move {
            let pauses =
                (0..200).map(|number| (number.to_string(), if number % 2 == 0 { slow } else { quick }));
            run(&lanes, pauses).await
        };
        half(Arc::clone(&lanes)).await;
        let ended = half(lanes).await;
        let odd = ended.iter().enumerate().filter(|(number, _)| number % 2 == 1).map(|(_, ended)| *ended);
        assert!(odd.max().unwrap() <= without, "a connector that is known to be slow takes no place");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connector_that_answers_again_is_not_slow_any_more() {
        let lanes = Lanes::default();
        lanes.run("a", after(Duration::from_secs(10)), late).await.unwrap();
        assert!(lanes.slow_ones().contains("a"));
        lanes.run("a", after(Duration::from_millis(1)), late).await.unwrap();
        assert!(lanes.slow_ones().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn no_call_waits_for_its_turn_without_an_end_and_very_many_do_not_wait_at_all() {
        let hangs = Duration::from_secs(30);
        let lanes = Arc::new(Lanes::default());
        lanes.slow_ones().extend((0..5000).map(|number| number.to_string()));
        let ended = run(&lanes, (0..5000).map(|number| (number.to_string(), hangs))).await;
        assert!(ended.iter().max().unwrap() <= &(TURN + hangs), "{:?}", ended.iter().max());
        assert_eq!(ended.iter().filter(|ended| ended.is_zero()).count(), 5000 - WAITING);
    }

    #[tokio::test(start_paused = true)]
    async fn where_the_slow_lane_is_full_a_call_is_given_up() {
        let lanes = Arc::new(Lanes::default());
        let slow = (0..=SLOW).map(|number| (number.to_string(), Duration::from_secs(20)));
        let ended = run(&lanes, slow).await;
        assert_eq!(ended.iter().filter(|ended| **ended == SOON).count(), 1);
    }
}
