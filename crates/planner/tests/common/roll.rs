//! What Kafka says of a restart.

use planner::kafka::roll_view::{RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter};

use super::World;

impl World {
    /// What Kafka says of a restart when every node follows and these partitions are all there are.
    pub(crate) fn all_is_well(&self, partitions: Vec<RollPartition>) -> RollKafka {
        let of_role = |role: &str| -> Vec<i32> {
            let pods = self.observed.pods.iter();
            pods.filter(|(_, pod)| pod.metadata.labels.as_ref().unwrap()[role] == "true")
                .map(|(name, _)| name.rsplit_once('-').unwrap().1.parse().unwrap())
                .collect()
        };
        let follows = |ids: &[i32]| ids.iter().map(|id| RollVoter { id: *id, lag_ms: Some(0) }).collect();
        let (controllers, brokers) =
            (of_role(api::labels::CONTROLLER_ROLE), of_role(api::labels::BROKER_ROLE));
        let quorum = RollQuorum {
            leader: controllers[0],
            voters: follows(&controllers),
            observers: follows(&brokers),
            dynamic: true,
        };
        let registered = brokers.into_iter().map(|id| (id, None)).collect();
        RollKafka {
            asked_at: None,
            quorum: Ok(Some(quorum)),
            brokers: Ok(RollBrokers { partitions, registered, told_by: None }),
        }
    }
}
