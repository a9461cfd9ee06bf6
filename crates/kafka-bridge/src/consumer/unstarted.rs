//! Partitions that were assigned and do not begin.
//!
//! The library asks the group's coordinator from where to read. Where it is refused the answer, as while a broker restarts and the group
//! moves to another, it leaves the partitions for good until they are assigned again
//! (<https://github.com/confluentinc/librdkafka/issues/5586>).
//!
//! It does not say which. So nothing is done where some have begun, which happens only when a cooperative group gives out more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::consumer::instance::{Instance, Native};

impl Instance {
    /// Whether partitions were assigned that do not begin.
    pub(crate) fn has_unstarted(&self) -> bool {
        self.events().has_unstarted.load(Ordering::Acquire) && !self.held().has_begun()
    }

    /// Assigns them again. Only for the request whose turn it is.
    pub(crate) async fn start_again(&self) {
        let has_unstarted = Arc::clone(&self.events().has_unstarted);
        // The call goes on when the request is dropped, and is not made where that happens before.
        let again = self.changing(move |native| {
            has_unstarted.store(false, Ordering::Release);
            let assigned = assign_again(native);
            has_unstarted.fetch_or(assigned.is_err(), Ordering::AcqRel);
            assigned
        });
        match again.await {
            Ok(Ok(0)) => {}
            Ok(Ok(partitions)) => {
                tracing::info!(partitions, "assigned again: the coordinator did not say from where to read");
            }
            Ok(Err(error)) => tracing::warn!(%error, "cannot assign partitions again"),
            Err(error) => tracing::warn!(%error, "cannot assign partitions again"),
        }
    }
}

fn assign_again(native: &Native) -> Result<usize, KafkaError> {
    let mut all = TopicPartitionList::new();
    for assigned in native.assignment()?.elements() {
        all.add_partition(assigned.topic(), assigned.partition());
    }
    if all.count() == 0 {
        return Ok(0);
    }
    // The one protocol takes whole assignments only, the other one differences only.
    match native.rebalance_protocol() {
        RebalanceProtocol::Cooperative => {
            native.incremental_unassign(&all)?;
            native.incremental_assign(&all)?;
        }
        RebalanceProtocol::None | RebalanceProtocol::Eager => native.assign(&all)?,
    }
    Ok(all.count())
}
