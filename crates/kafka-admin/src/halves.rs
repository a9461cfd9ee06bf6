//! Calls for many items of which one may be to blame for the failure of all.

use std::time::Duration;

use crate::{Admin, AdminError, Outcomes};

/// How long Kafka has to show that it answers other calls.
const PROBE_DEADLINE: Duration = Duration::from_secs(5);

/// What became of a call that was carried out by [`in_halves`].
#[derive(Debug)]
pub struct Halves<K: Ord, T> {
    /// Kafka's answers.
    pub outcomes: Outcomes<K, T>,
    /// Why an item has no answer, if any has none.
    pub failed: Option<AdminError>,
    /// Whether Kafka does not answer other calls either.
    pub away: bool,
}

/// Carries out a call for many items. A broker that cannot read a request ends the connection, and tells nothing of the
/// item that it could not read. So when the connection was lost over a call, and Kafka answers another one, the call is
/// made again for either half of the items, until those that Kafka cannot read are alone.
pub async fn in_halves<I, K, T, F>(admin: &Admin, items: Vec<I>, call: impl Fn(Vec<I>) -> F) -> Halves<K, T>
where
    I: Clone,
    K: Ord,
    F: Future<Output = Result<Outcomes<K, T>, AdminError>>,
{
    // A future of its own, so that what calls this can be sent between threads.
    let answers = || {
        let admin = admin.clone();
        async move {
            let probe = tokio::time::timeout(PROBE_DEADLINE, admin.describe_cluster()).await;
            probe.is_ok_and(|answer| answer.is_ok())
        }
    };
    halve(items, call, answers).await
}

async fn halve<I, K, T, F, P>(
    items: Vec<I>,
    call: impl Fn(Vec<I>) -> F,
    answers: impl Fn() -> P,
) -> Halves<K, T>
where
    I: Clone,
    K: Ord,
    F: Future<Output = Result<Outcomes<K, T>, AdminError>>,
    P: Future<Output = bool>,
{
    let mut done = Halves { outcomes: Outcomes::new(), failed: None, away: false };
    let mut left = vec![items];
    while let Some(mut group) = left.pop() {
        if group.is_empty() {
            continue;
        }
        // An item goes along by copy: of a group of one nothing is left to be divided.
        let copy = if group.len() > 1 { group.clone() } else { std::mem::take(&mut group) };
        match call(copy).await {
            Ok(mut outcomes) => done.outcomes.append(&mut outcomes),
            Err(error) => {
                let lost = is_lost_connection(&error);
                done.away |= !lost && error.kafka_error().is_none();
                done.failed = Some(error);
                if !lost {
                    continue;
                }
                if !answers().await {
                    done.away = true;
                    return done;
                }
                let other = group.split_off(group.len() / 2);
                left.extend([other, group]);
            }
        }
    }
    done
}

/// Whether Kafka ended the connection instead of giving an answer.
fn is_lost_connection(error: &AdminError) -> bool {
    match error {
        AdminError::Disconnected { .. } | AdminError::Protocol { .. } => true,
        AdminError::Timeout { last: Some(last), .. } => is_lost_connection(last),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{ErrorCode, KafkaError};

    fn lost() -> AdminError {
        AdminError::Disconnected { address: "k:9091".into(), reason: "the connection was closed".into() }
    }

    async fn write(items: Vec<u32>) -> Result<Outcomes<u32>, AdminError> {
        if items.contains(&13) {
            return Err(AdminError::Timeout {
                call: "write",
                after: Duration::from_secs(1),
                last: Some(Box::new(lost())),
            });
        }
        Ok(items.into_iter().map(|item| (item, Ok(()))).collect())
    }

    #[tokio::test]
    async fn one_item_that_kafka_cannot_read_stands_in_nobodys_way() {
        let done = halve((0..100).collect(), write, || async { true }).await;
        assert_eq!(done.outcomes.len(), 99);
        assert!(!done.outcomes.contains_key(&13));
        assert!(done.failed.is_some() && !done.away);
    }

    #[tokio::test]
    async fn a_kafka_that_is_away_is_asked_once() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let call = |_: Vec<u32>| {
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async { Err::<Outcomes<u32>, _>(lost()) }
        };
        let done = halve((0..100).collect(), call, || async { false }).await;
        assert!(done.away && done.outcomes.is_empty());
        assert_eq!(asked.into_inner(), 1);
    }

    #[tokio::test]
    async fn what_kafka_answers_is_not_asked_again() {
        let error = KafkaError::new(ErrorCode::CLUSTER_AUTHORIZATION_FAILED, "");
        let refused = || AdminError::Api { call: "write", error: error.clone() };
        let done =
            halve(vec![1, 2], |_: Vec<u32>| async { Err::<Outcomes<u32>, _>(refused()) }, || async { true })
                .await;
        assert_eq!((done.failed, done.away), (Some(refused()), false));
        let none = halve(Vec::new(), write, || async { true }).await;
        assert_eq!((none.outcomes, none.failed), (BTreeMap::new(), None));
    }
}
