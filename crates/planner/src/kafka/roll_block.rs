//! What a partition would lose by a restart, and the same in words. Pure.

use api::annotations::MANUAL_ROLLING_UPDATE;

use super::roll_basis;
use super::roll_view::{RollBrokers, RollPartition};

/// What a partition would lose.
#[derive(Clone, Copy, Debug)]
pub(super) enum Block {
    /// Its only copy in sync.
    LastCopy {
        /// The broker that has it.
        node: i32,
        /// The restart would destroy the copy.
        destroyed: bool,
    },
    /// What may be its last complete copy, which the restart would destroy.
    OnlyComplete {
        /// The broker that has it.
        node: i32,
    },
    /// The standing of this node, whose disk failed, as an eligible leader.
    Eligible {
        /// The broker with the disk.
        node: i32,
    },
    /// What the restart of this node destroys, at the same time as another replica.
    Shared {
        /// The broker that has it.
        node: i32,
    },
    /// Replicas that writes need.
    BelowMinimum,
}

impl Block {
    /// Why a restart waits for the partition, of which so many replicas are in sync.
    pub(super) fn words(self, partition: &RollPartition, brokers: &RollBrokers, in_sync: usize) -> String {
        let name = &partition.name;
        let gone: Vec<i32> =
            partition.replicas.iter().copied().filter(|id| !brokers.registered.contains_key(id)).collect();
        let hint = if gone.is_empty() {
            String::new()
        } else {
            format!("; brokers {} are not registered: give its replicas there to other brokers", list(&gone))
        };
        match self {
            Self::LastCopy { node, destroyed } => {
                let loss = if destroyed { ", which the restart would destroy" } else { "" };
                format!(
                    "partition {name} has its only copy in sync on broker {node}{loss}, of replicas on brokers {}{hint}",
                    list(&partition.replicas)
                )
            }
            Self::OnlyComplete { node } => format!(
                "partition {name} has no other complete copy, and the restart would destroy what broker {node} has of it, of \
                 replicas on brokers {} ({}){hint}",
                list(&partition.replicas),
                roll_basis::standing(partition)
            ),
            Self::Eligible { node } => format!(
                "partition {name} has no copy in sync, and what broker {node} has of it on a disk that failed may be its last complete one, which \
                 Kafka no longer counts as such when the broker restarts: once the disk works, write the annotation \
                 {MANUAL_ROLLING_UPDATE}: \"true\" on its pod"
            ),
            Self::Shared { node } => format!(
                "partition {name} would lose what broker {node} has of it together with another replica, of those on brokers {}{hint}",
                list(&partition.replicas)
            ),
            Self::BelowMinimum => format!(
                "partition {name} would fall below min.insync.replicas ({in_sync} of {} replicas in sync, {} needed){hint}",
                partition.replicas.len(),
                partition.min_isr
            ),
        }
    }
}

fn list(ids: &[i32]) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}
