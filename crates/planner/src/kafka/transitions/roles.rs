//! The roles of a pool: one that is taken away while it is needed stays.

use std::collections::BTreeSet;

use super::departure::Departure;
use super::leaving::{Hold, Replicas};
use super::quorum::QuorumState;
use crate::kafka::existing::PoolFacts;

/// What becomes of one role of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RoleChange {
    /// As it was.
    Settled,
    /// The nodes get it.
    Granted,
    /// The nodes lose it.
    Removable,
    /// It is no longer asked for and stays.
    HeldBack(Hold),
    /// It is asked for and cannot be given: the list of the voters of the quorum is fixed.
    Refused {
        /// Those voters.
        voters: BTreeSet<i32>,
    },
}

impl RoleChange {
    /// Whether the nodes have the role, given that it is asked for or not.
    pub(crate) fn has(&self, asked_for: bool) -> bool {
        match self {
            Self::Settled => asked_for,
            Self::Granted | Self::HeldBack(_) => true,
            Self::Removable | Self::Refused { .. } => false,
        }
    }
}

/// The role of a broker.
pub(crate) fn broker(asked_for: bool, facts: &PoolFacts, replicas: Replicas<'_>) -> RoleChange {
    let had = facts.broker.decided || facts.broker.running;
    match (asked_for, had && !facts.nodes.is_empty()) {
        (true, true) | (false, false) => RoleChange::Settled,
        (true, false) => RoleChange::Granted,
        (false, true) => {
            let hold = replicas.hold(&facts.nodes);
            // The role was taken away before, and the restarts are under way: only replicas that are known to be there hold it
            // back.
            let hold = hold.filter(|hold| facts.broker.decided || matches!(hold, Hold::Replicas(_)));
            hold.map_or(RoleChange::Removable, RoleChange::HeldBack)
        }
    }
}

/// The role of a controller.
pub(crate) fn controller(
    asked_for: bool,
    pool: &str,
    facts: &PoolFacts,
    quorum: &QuorumState,
    departure: Departure<'_>,
) -> RoleChange {
    let had = facts.controller.decided || facts.controller.running;
    match (asked_for, had && !facts.nodes.is_empty()) {
        (true, true) | (false, false) => RoleChange::Settled,
        (false, true) => {
            departure.hold(pool, &facts.nodes).map_or(RoleChange::Removable, RoleChange::HeldBack)
        }
        (true, false) => match quorum.fixed_list() {
            Some(voters) if !facts.nodes.is_subset(voters) => RoleChange::Refused { voters: voters.clone() },
            _ => RoleChange::Granted,
        },
    }
}
