//! Work on batches that one member of a batch cannot spoil for the others, and its end.

use std::time::Duration;

use tokio::task::JoinSet;

/// How long work that has begun may go on after the shutdown.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// Lets work that has begun come to its end after the shutdown, so that nothing is left half written. `what` is worked on,
/// for the log.
pub async fn drain<T: 'static>(tasks: &mut JoinSet<T>, what: &str) {
    let rest = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, rest).await.is_err() {
        tracing::warn!("some {what} were still being worked on; the next start goes on with them");
    }
}

/// Runs `work` on a batch, in a task of its own. When that panics, `work` is run again on each member alone, so that a
/// fault of the operator which one of them brings out keeps no other from being worked on. The answer has the results, and
/// the members whose work was interrupted.
pub async fn apart<T, R, F>(batch: Vec<T>, work: impl Fn(Vec<T>) -> F) -> (Vec<R>, Vec<T>)
where
    T: Clone,
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let mut interrupted = Vec::new();
    match tokio::spawn(work(batch.clone())).await {
        Ok(result) => return (vec![result], interrupted),
        Err(error) => {
            tracing::error!(%error, members = batch.len(), "work on a batch was interrupted by a fault");
        }
    }
    if batch.len() < 2 {
        return (Vec::new(), batch);
    }
    let mut results = Vec::new();
    for member in batch {
        match tokio::spawn(work(vec![member.clone()])).await {
            Ok(result) => results.push(result),
            Err(_) => interrupted.push(member),
        }
    }
    (results, interrupted)
}

#[cfg(test)]
mod tests {
    use super::apart;

    async fn double(numbers: Vec<u32>) -> Vec<u32> {
        assert!(!numbers.contains(&13), "a fault");
        numbers.into_iter().map(|number| 2 * number).collect()
    }

    #[tokio::test]
    async fn a_member_that_brings_out_a_fault_keeps_no_other_from_being_worked_on() {
        assert_eq!(apart(vec![1, 2, 3], double).await, (vec![vec![2, 4, 6]], vec![]));
        assert_eq!(apart(vec![1, 13, 3], double).await, (vec![vec![2], vec![6]], vec![13]));
        assert_eq!(apart(vec![13], double).await, (vec![], vec![13]));
    }
}
