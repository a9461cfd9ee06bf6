//! How each Kafka is, and which brokers hold replicas where a node is to leave: that node leaves on an answer that is fresh.

use std::collections::BTreeSet;
use std::future::Future;

use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka::need::Silence;
use planner::kafka::observed::KafkaView;

use super::late_answers::{Asking, Patience};

/// How Kafka is, and which brokers hold replicas.
pub(super) type WithReplicas = (KafkaView, BTreeSet<i32>);

/// The questions to all clusters.
pub(super) struct Views {
    alone: Asking<(), KafkaView>,
    /// One question about both: a Kafka that takes longer than an answer stays fresh would never have answered two of them.
    with_replicas: Asking<(), WithReplicas>,
}

impl Views {
    /// `queue` gets the clusters whose answer came late or that should be asked again.
    pub(super) fn new(queue: &Queue<ObjectRef>) -> Self {
        Self { alone: Asking::new(queue.clone()), with_replicas: Asking::new(queue.clone()) }
    }

    /// How Kafka is; with the brokers that hold replicas where a former pass asked for these and the answer has just come.
    pub(super) async fn view<E, F>(
        &self,
        key: &ObjectRef,
        patience: &Patience,
        question: F,
    ) -> Result<KafkaView, Silence>
    where
        E: Into<Silence> + Send,
        F: Future<Output = Result<KafkaView, E>> + Send + 'static,
    {
        match self.with_replicas.late(key, &()) {
            Some((view, holders)) => Ok(KafkaView { brokers_with_replicas: Some(holders), ..view }),
            None => self.alone.answer(key, (), patience, question).await,
        }
    }

    /// Which brokers hold replicas. `question` is about both: the pass that a late answer brings asks how Kafka is first.
    pub(super) async fn replicas<E, F>(
        &self,
        key: &ObjectRef,
        patience: &Patience,
        question: F,
    ) -> Result<BTreeSet<i32>, Silence>
    where
        E: Into<Silence> + Send,
        F: Future<Output = Result<WithReplicas, E>> + Send + 'static,
    {
        self.with_replicas.answer(key, (), patience, question).await.map(|(_, holders)| holders)
    }

    /// Ends the questions to a cluster that is gone, or that has no broker that could answer.
    pub(super) fn forget(&self, key: &ObjectRef) {
        self.alone.forget(key);
        self.with_replicas.forget(key);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;

    async fn slow<T>(takes: Duration, answer: T) -> Result<T, Silence> {
        sleep(takes).await;
        Ok(answer)
    }

    fn described() -> KafkaView {
        KafkaView { cluster_id: "c".to_owned(), ..KafkaView::default() }
    }

    /// One pass over a cluster that a node is to leave: asks how Kafka is, and for the replicas when that is known. Yields the
    /// brokers that hold replicas.
    async fn pass(views: &Views, key: &ObjectRef, takes: Duration) -> Option<BTreeSet<i32>> {
        let patience = Patience::default();
        let view = views.view(key, &patience, slow(takes, described())).await.ok()?;
        if view.brokers_with_replicas.is_some() {
            return view.brokers_with_replicas;
        }
        let both = slow(takes, (described(), BTreeSet::from([1])));
        views.replicas(key, &patience, both).await.ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_kafka_that_is_slow_says_which_brokers_hold_replicas() {
        let (queue, key) = (Queue::new(), ObjectRef::new("ns", "c"));
        let views = Views::new(&queue);
        let mut known = None;
        for _ in 0..3 {
            known = pass(&views, &key, Duration::from_secs(10)).await;
            if known.is_some() {
                break;
            }
            assert_eq!(queue.next().await.as_ref(), Some(&key));
            queue.done(&key);
        }
        assert_eq!(known, Some(BTreeSet::from([1])));
    }

    #[tokio::test(start_paused = true)]
    async fn no_node_leaves_on_an_answer_that_is_older_than_two_seconds() {
        let (queue, key) = (Queue::new(), ObjectRef::new("ns", "c"));
        let views = Views::new(&queue);
        let takes = Duration::from_secs(1);
        assert_eq!(pass(&views, &key, takes).await, None, "how Kafka is takes a second");
        queue.next().await;
        queue.done(&key);
        assert_eq!(pass(&views, &key, takes).await, None, "so do the replicas");
        queue.next().await;
        queue.done(&key);
        // The operator has much else to do before the pass that the answer brought.
        sleep(Duration::from_millis(2100)).await;
        let patience = Patience::default();
        let view = views.view(&key, &patience, slow(Duration::ZERO, described())).await.unwrap();
        assert_eq!(view.brokers_with_replicas, None);
        let asked = pending::<Result<WithReplicas, Silence>>();
        assert!(views.replicas(&key, &patience, asked).await.is_err(), "it is asked again");
    }
}
