//! Whether nodes may leave the cluster or lose a role: the one place where something that exists is given up.

use std::collections::BTreeSet;
use std::fmt;

use api::annotations;

use crate::kafka::observed::Observed;

/// Why nodes must stay as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// They are voters of a quorum whose list of voters cannot change.
    FixedVoters {
        /// These nodes.
        nodes: BTreeSet<i32>,
        /// All voters.
        voters: BTreeSet<i32>,
    },
    /// No other controllers are asked for.
    LastControllers(BTreeSet<i32>),
    /// Whether these controllers have a vote is not known.
    SilentQuorum(BTreeSet<i32>),
    /// These controllers have a vote, or would join the quorum by themselves.
    Voters(BTreeSet<i32>),
    /// Kafka did not say whether these brokers hold replicas.
    Unanswered(BTreeSet<i32>),
    /// These brokers hold replicas.
    Replicas(BTreeSet<i32>),
    /// These brokers are empty, and Kafka still has traces of what emptied them.
    Traces(BTreeSet<i32>),
}

impl Hold {
    /// Whether nothing but the quorum of the controllers keeps them.
    pub(crate) fn is_of_quorum(&self) -> bool {
        match self {
            Self::FixedVoters { .. } | Self::LastControllers(_) | Self::SilentQuorum(_) | Self::Voters(_) => {
                true
            }
            Self::Unanswered(_) | Self::Replicas(_) | Self::Traces(_) => false,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FixedVoters { nodes, voters } => write!(
                formatter,
                "nodes {} are controllers, and the list of voters is fixed: the cluster was formatted with controller.quorum.voters, so that \
                 its controllers stay nodes {}",
                list(nodes),
                list(voters)
            ),
            Self::LastControllers(nodes) => write!(
                formatter,
                "nodes {} are the last controllers, and a cluster needs one: write replicas of a pool with the role controller that is to \
                 take their place first",
                list(nodes)
            ),
            Self::SilentQuorum(nodes) => write!(
                formatter,
                "whether controllers {} have a vote is not known while the quorum has no leader that answers",
                list(nodes)
            ),
            Self::Voters(nodes) => write!(
                formatter,
                "controllers {} leave the quorum first: each restarts so that it does not join again, and loses its vote, one after the \
                 other",
                list(nodes)
            ),
            Self::Unanswered(nodes) => write!(
                formatter,
                "whether brokers {} hold replicas is not known while Kafka does not answer",
                list(nodes)
            ),
            Self::Replicas(nodes) => {
                write!(formatter, "brokers {} hold replicas: move them to other brokers first", list(nodes))
            }
            Self::Traces(nodes) => {
                write!(
                    formatter,
                    "brokers {} hold no replicas any more, and what throttled the moves goes first",
                    list(nodes)
                )
            }
        }
    }
}

/// Node ids as a text.
pub(crate) fn list(ids: &BTreeSet<i32>) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// What is known of the replicas of the brokers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replicas<'a> {
    /// Brokers that hold at least one; `None`: Kafka did not say.
    holders: Option<&'a BTreeSet<i32>>,
    /// The user takes the loss: `strimzi.io/skip-broker-scaledown-check`.
    unchecked: bool,
}

impl<'a> Replicas<'a> {
    /// Nothing is known.
    pub(crate) fn unknown() -> Self {
        Self { holders: None, unchecked: false }
    }

    /// Out of what was observed.
    pub(crate) fn of(observed: &'a Observed) -> Self {
        let unchecked = observed.kafka.as_ref().is_some_and(|kafka| {
            annotations::is_true(
                kafka.metadata.annotations.as_ref(),
                annotations::SKIP_BROKER_SCALEDOWN_CHECK,
            )
        });
        let holders = observed.view.as_ref().and_then(|view| view.brokers_with_replicas.as_ref());
        Self { holders, unchecked }
    }

    /// Whether Kafka said where the replicas are, or the user takes the loss.
    pub(crate) fn are_known(&self) -> bool {
        self.unchecked || self.holders.is_some()
    }

    /// Whether the user takes the loss.
    pub(crate) fn are_unchecked(&self) -> bool {
        self.unchecked
    }

    /// Those of the brokers that are known to hold replicas that matter.
    pub(crate) fn on(&self, brokers: &BTreeSet<i32>) -> BTreeSet<i32> {
        let holders = self.holders.filter(|_| !self.unchecked);
        holders.map(|holders| brokers.intersection(holders).copied().collect()).unwrap_or_default()
    }

    /// Why these brokers must stay; `None`: they may go.
    pub(crate) fn hold(&self, brokers: &BTreeSet<i32>) -> Option<Hold> {
        if brokers.is_empty() {
            return None;
        }
        if !self.are_known() {
            return Some(Hold::Unanswered(brokers.clone()));
        }
        let holding = self.on(brokers);
        (!holding.is_empty()).then_some(Hold::Replicas(holding))
    }
}
