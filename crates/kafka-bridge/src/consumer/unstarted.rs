//! Partitions that were assigned and do not begin.
//!
//! The library asks the group's coordinator from where to read, once. Where the answer is an error, as while a broker restarts and the
//! group moves to another, it leaves the partition for good until it is assigned again
//! (<https://github.com/confluentinc/librdkafka/issues/5586>).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rdkafka::consumer::{Consumer as _, RebalanceProtocol};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::consumer::instance::{Instance, Native};
use crate::error::ApiError;

impl Instance {
    /// Assigns those partitions again of which nothing was read yet. Only for the request whose turn it is.
    pub(crate) async fn start_again(&self) -> Result<(), ApiError> {
        let handed_out = self.held().positions();
        let has_unstarted = Arc::clone(self.has_unstarted());
        // Here, because the call goes on when the request is dropped, and is not made where that happens before.
        let again = self.blocking(move |native| {
            has_unstarted.store(false, Ordering::Release);
            let assigned = assign_again(native, &handed_out);
            if assigned.is_err() {
                has_unstarted.store(true, Ordering::Release);
            }
            assigned
        });
        again.await?.map_err(|error| ApiError::kafka("assign partitions again", &error))
    }
}

fn assign_again(native: &Native, handed_out: &TopicPartitionList) -> Result<(), KafkaError> {
    let (mut all, mut unread) = (TopicPartitionList::new(), TopicPartitionList::new());
    for read in native.position()?.elements() {
        let (topic, partition) = (read.topic(), read.partition());
        // A client may have gone elsewhere and not read since.
        let known =
            [Some(read.offset()), handed_out.find_partition(topic, partition).map(|place| place.offset())];
        if let Some(offset) = known.into_iter().flatten().find(|offset| matches!(offset, Offset::Offset(_))) {
            all.add_partition_offset(topic, partition, offset)?;
        } else {
            all.add_partition(topic, partition);
            unread.add_partition(topic, partition);
        }
    }
    if unread.count() == 0 {
        return Ok(());
    }
    tracing::info!(
        partitions = unread.count(),
        "partitions are assigned again: it was not known from where to read them"
    );
    // The one protocol takes whole assignments only, the other one differences only.
    match native.rebalance_protocol() {
        RebalanceProtocol::Cooperative => {
            native.incremental_unassign(&unread)?;
            native.incremental_assign(&unread)
        }
        RebalanceProtocol::None | RebalanceProtocol::Eager => native.assign(&all),
    }
}
