//! Batches under way: so many at a time, each in a task of its own with a deadline, and no member that spoils the work on
//! the others.

use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long work that has begun may go on after the shutdown.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Longest time for one batch. Every remote call has a deadline of its own, so a batch that takes longer waits for an answer
/// that never comes. Making many RSA keys takes minutes.
pub const BATCH_DEADLINE: Duration = Duration::from_mins(10);

/// Before interrupted work begins anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Members of an interrupted batch that are worked on at the same time, each alone.
const ALONE_AT_ONCE: usize = 16;

/// Why there is no result for a member of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Interruption {
    /// The work panicked.
    #[error("it was interrupted by a fault of the operator: {0}")]
    Fault(String),
    /// The work did not end.
    #[error("it took longer than {} s and was stopped", .0.as_secs())]
    TooLong(Duration),
}

/// What became of a batch.
#[derive(Debug)]
pub struct Ended<T, R> {
    /// Who was in it.
    pub members: Vec<T>,
    /// One result for the whole batch, or one for each member that was worked on alone.
    pub results: Vec<R>,
    /// The members without a result.
    pub interrupted: Vec<(T, Interruption)>,
    /// How long it took.
    pub took: Duration,
}

/// Batches under way. Dropped, it stops them.
#[derive(Debug)]
pub struct Batches<T, R> {
    most: usize,
    deadline: Duration,
    running: JoinSet<Ended<T, R>>,
}

impl<T: Clone + Send + Sync + 'static, R: Send + 'static> Batches<T, R> {
    /// At most so many at a time, each within the deadline.
    pub fn new(most: usize, deadline: Duration) -> Self {
        Self { most: most.max(1), deadline, running: JoinSet::new() }
    }

    /// How many are under way.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Whether another one may begin.
    pub fn has_room(&self) -> bool {
        self.running() < self.most
    }

    /// Begins to work on a batch. When the work panics or exceeds the deadline, it is done again for each member alone: what one
    /// member brings out keeps no other from being worked on.
    pub fn begin<F>(&mut self, batch: Vec<T>, work: impl Fn(Vec<T>) -> F + Send + Sync + 'static)
    where
        F: Future<Output = R> + Send + 'static,
    {
        let deadline = self.deadline;
        self.running.spawn(async move { apart(batch, deadline, work).await });
    }

    /// Waits for the end of a batch; for ever while none is under way. Cancelling it loses nothing.
    pub async fn ended(&mut self) -> Ended<T, R> {
        loop {
            match self.running.join_next().await {
                Some(Ok(ended)) => return ended,
                // The work has a task of its own, so this can only be the end of the runtime.
                Some(Err(error)) => tracing::error!(%error, "a batch was lost"),
                None => std::future::pending().await,
            }
        }
    }

    /// Lets batches that have begun come to their end after the shutdown, so that nothing is left half written. `what` is
    /// worked on, for the log.
    pub async fn drain(&mut self, what: &str) {
        drain(&mut self.running, what).await;
    }
}

/// As [`Batches::drain`], for tasks of other kinds.
pub async fn drain<T: 'static>(tasks: &mut JoinSet<T>, what: &str) {
    let rest = async { while tasks.join_next().await.is_some() {} };
    if timeout(GRACE, rest).await.is_err() {
        tracing::warn!("some {what} were still being worked on; the next start goes on with them");
    }
}

/// Does work that goes on until the shutdown. When it panics, it is begun anew: what only this work does must not be left undone.
pub async fn in_spite_of_faults<F>(what: &str, work: impl Fn() -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = AbortOnDropHandle::new(tokio::spawn(work())).await {
        tracing::error!(%error, "{what} was interrupted by a fault of the operator and begins anew");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn apart<T, R, F>(
    members: Vec<T>,
    deadline: Duration,
    work: impl Fn(Vec<T>) -> F + Send + Sync,
) -> Ended<T, R>
where
    T: Clone + Send + Sync,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let begun = Instant::now();
    let (mut results, mut interrupted) = (Vec::new(), Vec::new());
    match run(work(members.clone()), deadline).await {
        Ok(result) => results.push(result),
        Err(why) => {
            tracing::error!(members = members.len(), %why, "a batch did not come to its end");
            if members.len() < 2 {
                interrupted.extend(members.iter().map(|member| (member.clone(), why.clone())));
            } else {
                let mut alone = Vec::with_capacity(members.len());
                for member in &members {
                    alone.push(run(work(vec![member.clone()]), deadline));
                }
                let ends: Vec<_> = stream::iter(alone).buffered(ALONE_AT_ONCE).collect().await;
                for (member, end) in members.iter().zip(ends) {
                    match end {
                        Ok(result) => results.push(result),
                        Err(why) => interrupted.push((member.clone(), why)),
                    }
                }
            }
        }
    }
    Ended { members, results, interrupted, took: begun.elapsed() }
}

/// Does work in a task of its own: neither a panic nor an answer that never comes reaches whoever waits for it.
///
/// # Errors
/// When the work has not come to its end.
pub async fn run<R: Send + 'static>(
    work: impl Future<Output = R> + Send + 'static,
    deadline: Duration,
) -> Result<R, Interruption> {
    let task = AbortOnDropHandle::new(tokio::spawn(work));
    match timeout(deadline, task).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => Err(Interruption::Fault(error.to_string())),
        Err(_) => Err(Interruption::TooLong(deadline)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_mins(1);

    async fn double(numbers: Vec<u32>) -> Vec<u32> {
        assert!(!numbers.contains(&13), "a fault");
        if numbers.contains(&17) {
            std::future::pending::<()>().await;
        }
        numbers.into_iter().map(|number| 2 * number).collect()
    }

    async fn worked(batch: Vec<u32>) -> (Vec<Vec<u32>>, Vec<(u32, Interruption)>) {
        let mut batches = Batches::new(1, SHORT);
        batches.begin(batch, double);
        assert!(!batches.has_room());
        let ended = batches.ended().await;
        assert!(batches.has_room());
        (ended.results, ended.interrupted)
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_that_brings_out_a_fault_keeps_no_other_from_being_worked_on() {
        assert_eq!(worked(vec![1, 2, 3]).await, (vec![vec![2, 4, 6]], vec![]));
        let (results, interrupted) = worked(vec![1, 13, 3]).await;
        assert_eq!(results, [vec![2], vec![6]]);
        assert!(matches!(&*interrupted, [(13, Interruption::Fault(_))]), "{interrupted:?}");
        let (results, interrupted) = worked(vec![13]).await;
        assert!(results.is_empty() && matches!(&*interrupted, [(13, Interruption::Fault(_))]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_member_whose_answer_never_comes_keeps_no_other_from_being_worked_on() {
        let (results, interrupted) = worked(vec![1, 17, 3, 13, 5]).await;
        assert_eq!(results, [vec![2], vec![6], vec![10]]);
        let late = (17, Interruption::TooLong(SHORT));
        assert!(
            matches!(&*interrupted, [one, (13, Interruption::Fault(_))] if *one == late),
            "{interrupted:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_after_the_shutdown_is_stopped() {
        let mut batches = Batches::new(3, Duration::from_hours(1));
        batches.begin(vec![1], double);
        batches.begin(vec![17], double);
        let begun = tokio::time::Instant::now();
        batches.drain("numbers").await;
        assert_eq!((batches.running(), begun.elapsed().as_secs()), (1, GRACE.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_a_fault_interrupts_begins_anew() {
        let times = std::sync::Mutex::new(0);
        let work = || {
            let mut times = times.lock().unwrap();
            *times += 1;
            let fault = *times < 3;
            async move { assert!(!fault, "a fault") }
        };
        in_spite_of_faults("a test", work).await;
        assert_eq!(*times.lock().unwrap(), 3);
    }
}
