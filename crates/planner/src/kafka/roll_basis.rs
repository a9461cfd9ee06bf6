//! What Kafka said, on which a decision of a roll rests: it goes with the decision into the log, so that what became of the
//! partitions later can be explained. Pure.

use std::collections::BTreeSet;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::roll_view::{RollKafka, RollPartition};

/// Partitions that are told of.
const TOLD: usize = 12;

/// What Kafka said of the nodes that a decision is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RollBasis {
    /// When Kafka was asked; `None`: the decision rests on no answer of Kafka.
    pub asked_at: Option<Timestamp>,
    /// The quorum, and who told of the partitions.
    pub quorum: String,
    /// The partitions with replicas on these nodes, those first that have the fewest other copies.
    pub partitions: Vec<String>,
    /// How many more partitions have replicas there.
    pub more: usize,
}

impl RollBasis {
    /// How old Kafka's answer may be when a pod is deleted for it.
    pub const LONGEST_AGE: SignedDuration = SignedDuration::from_secs(5);

    /// What Kafka said of the partitions that have replicas on these nodes.
    pub(super) fn of(kafka: &RollKafka, nodes: &BTreeSet<i32>) -> Self {
        let mut quorum = match &kafka.quorum {
            Ok(Some(quorum)) => {
                let of = |voters: &[super::roll_view::RollVoter]| {
                    let lags = voters.iter().map(|node| match node.lag_ms {
                        Some(lag) => format!("{} {lag} ms behind", node.id),
                        None => format!("{} never caught up", node.id),
                    });
                    lags.collect::<Vec<_>>().join(", ")
                };
                let voters = of(&quorum.voters);
                format!(
                    "active controller {}, voters {voters}, observers {}",
                    quorum.leader,
                    of(&quorum.observers)
                )
            }
            Ok(None) => "no active controller".to_owned(),
            Err(silence) => format!("quorum not known ({silence})"),
        };
        let brokers = match &kafka.brokers {
            Ok(brokers) => brokers,
            Err(silence) => {
                // What is done without a word about partitions rests on no answer. Silence takes its time: an age would put off for
                // ever what mends brokers of which none answers.
                quorum = format!("{quorum}; partitions not known ({silence})");
                return Self { asked_at: None, quorum, ..Self::default() };
            }
        };
        if let Some(broker) = brokers.told_by {
            quorum = format!("{quorum}; as broker {broker} knows it");
        }
        let others = |partition: &RollPartition| {
            let ids: BTreeSet<i32> = partition.isr.iter().chain(&partition.eligible).copied().collect();
            ids.difference(nodes).filter(|id| !partition.is_failed_on(**id)).count()
        };
        let concerned =
            brokers.partitions.iter().filter(|one| one.replicas.iter().any(|id| nodes.contains(id)));
        let mut concerned: Vec<(usize, &RollPartition)> =
            concerned.map(|partition| (others(partition), partition)).collect();
        concerned
            .sort_by_key(|(others, partition)| (*others, partition.replicas.len() == 1, &partition.name));
        let partitions: Vec<String> =
            concerned.iter().take(TOLD).map(|(_, one)| format!("{}: {}", one.name, standing(one))).collect();
        Self { asked_at: kafka.asked_at, quorum, more: concerned.len() - partitions.len(), partitions }
    }

    /// Whether what Kafka said is still good enough to delete a pod for it. What rests on no answer of Kafka does not age.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.asked_at.is_none_or(|asked_at| now.duration_since(asked_at) <= Self::LONGEST_AGE)
    }

    /// How long ago Kafka was asked, in milliseconds; `None`: the decision rests on no answer of Kafka.
    pub fn age_ms(&self, now: Timestamp) -> Option<i128> {
        self.asked_at.map(|asked_at| now.duration_since(asked_at).as_millis())
    }
}

impl fmt::Display for RollBasis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.quorum)?;
        for partition in &self.partitions {
            write!(formatter, "; {partition}")?;
        }
        if self.more > 0 {
            write!(formatter, "; and {} more partitions", self.more)?;
        }
        Ok(())
    }
}

/// How a partition is, in words.
pub(super) fn standing(partition: &RollPartition) -> String {
    let list = |ids: &[i32]| {
        if ids.is_empty() {
            return "none".to_owned();
        }
        ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let leader = partition.leader.map_or_else(|| "none".to_owned(), |id| id.to_string());
    let mut words = format!(
        "leader {leader}, epoch {}, replicas {}, in sync {}, needed {}",
        partition.leader_epoch,
        list(&partition.replicas),
        list(&partition.isr),
        partition.min_isr
    );
    for (name, ids) in [
        ("eligible", &partition.eligible),
        ("last leader", &partition.last_known),
        ("on failed disks", &partition.failed),
    ] {
        if !ids.is_empty() {
            words = format!("{words}, {name} {}", list(ids));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::roll_view::RollBrokers;
    use crate::silence::{Silence, SilenceKind};

    #[test]
    fn an_answer_about_partitions_ages_and_none_does_not() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let asked_at = Some(now - SignedDuration::from_millis(5000));
        let kafka = RollKafka { asked_at, quorum: Ok(None), brokers: Ok(RollBrokers::default()) };
        let basis = RollBasis::of(&kafka, &BTreeSet::from([1]));
        assert!(basis.is_current(now) && basis.age_ms(now) == Some(5000));
        let later = now + SignedDuration::from_millis(1);
        assert!(!basis.is_current(later), "a pod is deleted for no answer older than 5 s");
        // Clocks that were set back make no answer old.
        assert!(basis.is_current(now - SignedDuration::from_mins(1)));
        // When nothing is known of partitions, the time of the question does not count: the next one has no answer either.
        let brokers = Err(Silence::new(SilenceKind::Late, "no broker answers"));
        let silent = RollBasis::of(&RollKafka { brokers, ..kafka }, &BTreeSet::from([1]));
        assert_eq!((silent.asked_at, silent.age_ms(now)), (None, None));
        assert!(silent.is_current(now + SignedDuration::from_hours(1)));
        assert!(silent.to_string().contains("no broker answers"));
    }
}
