//! How many nodes a pool has, and which.

use std::collections::BTreeSet;

use super::departure::Departure;
use super::leaving::{Hold, Replicas};
use super::quorum::QuorumState;
use super::{deleted_pools, drain, node_ids, roles};
use crate::kafka::existing::{Existing, PoolFacts};
use crate::kafka::observed::Observed;
use api::kafka_node_pool::ProcessRole;
use api::labels;
use kube_core::ResourceExt;

/// What becomes of the number of nodes of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scaling {
    /// It has as many as it asks for.
    Settled,
    /// It gets these.
    Growing {
        /// The new nodes.
        added: BTreeSet<i32>,
    },
    /// It asks for more than it can get.
    GrowthHeldBack {
        /// The new nodes that it gets all the same.
        added: BTreeSet<i32>,
        /// How many it does not get.
        missing: usize,
        /// Why.
        why: GrowthHold,
    },
    /// These leave.
    Removable {
        /// The nodes.
        nodes: BTreeSet<i32>,
    },
    /// These are no longer asked for and stay.
    HeldBack {
        /// The nodes.
        nodes: BTreeSet<i32>,
        /// Why.
        why: Hold,
    },
}

impl Scaling {
    /// Nodes that are no longer asked for and stay.
    pub(crate) fn held_nodes(&self) -> BTreeSet<i32> {
        match self {
            Self::HeldBack { nodes, .. } => nodes.clone(),
            _ => BTreeSet::new(),
        }
    }
}

/// Why a pool does not get the nodes that it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrowthHold {
    /// Kafka could say which node ids it knows, and has not done so yet.
    IdsUnknown,
    /// The list of the voters of the quorum is fixed.
    StaticQuorum {
        /// Those voters.
        voters: BTreeSet<i32>,
    },
}

/// What a pool asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Name of the pool.
    pub pool: String,
    /// Number of nodes.
    pub replicas: usize,
    /// Ids for new nodes, in order.
    pub next: Vec<i32>,
    /// Nodes that leave first, in order.
    pub remove: Vec<i32>,
    /// Whether its nodes are controllers.
    pub controller: bool,
    /// Whether its nodes are brokers.
    pub broker: bool,
}

/// What the numbers of nodes of all pools depend on.
pub(crate) struct Scaler<'a> {
    existing: Existing,
    departure: Departure<'a>,
    replicas: Replicas<'a>,
    quorum: &'a QuorumState,
    ids: IdsKnown,
    /// Nodes of whose drain Kafka may have traces.
    drained: BTreeSet<i32>,
}

/// Whether it is known which ids new nodes may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdsKnown {
    /// Kafka said which it knows, or there is no Kafka yet.
    Yes,
    /// Kafka will say so.
    Soon,
    /// No broker is ready that could be asked.
    Never,
}

impl<'a> Scaler<'a> {
    /// For one pass.
    pub(crate) fn new(
        observed: &'a Observed,
        existing: Existing,
        quorum: &'a QuorumState,
        departure: Departure<'a>,
    ) -> Self {
        let ids = if observed.view.is_some() || !quorum.has_existed() {
            IdsKnown::Yes
        } else if has_ready_broker(observed) {
            IdsKnown::Soon
        } else {
            IdsKnown::Never
        };
        let (replicas, drained) = (Replicas::of(observed), drain::nodes(observed));
        let mut scaler = Self { existing, departure, replicas, quorum, ids, drained };
        if ids == IdsKnown::Never {
            scaler.existing.reserve_volumes(observed);
        }
        scaler
    }

    /// The nodes of a pool, and how they came about. The pools are asked for one after the other.
    pub(crate) fn scale(&mut self, wish: &Wish) -> (BTreeSet<i32>, Scaling) {
        let facts = self.existing.pool(&wish.pool);
        let mut current = facts.nodes.clone();
        current.extend(self.remnants_that_matter(&facts));
        let (nodes, scaling) = if current.len() < wish.replicas {
            self.grow(wish, &facts, current)
        } else {
            self.shrink(wish, &facts, current)
        };
        self.existing.take(&nodes, &wish.pool);
        (nodes, scaling)
    }

    /// Nodes that only Kafka knows and that have something to lose.
    fn remnants_that_matter(&self, facts: &PoolFacts) -> BTreeSet<i32> {
        let voters = self.quorum.voters_among(&facts.remnants);
        self.replicas.on(&facts.remnants).into_iter().chain(voters).collect()
    }

    fn grow(&self, wish: &Wish, facts: &PoolFacts, mut nodes: BTreeSet<i32>) -> (BTreeSet<i32>, Scaling) {
        let missing = wish.replicas - nodes.len();
        let is_free = |id: i32| self.existing.is_free(id, &wish.pool);
        // Whether the remnants hold replicas decides whether they are nodes of the pool.
        let undecided = !self.replicas.are_known() && !facts.remnants.is_subset(&nodes);
        let (added, why) = if let Some(voters) = self.quorum.fixed_list().filter(|_| wish.controller) {
            let free = voters.iter().copied().filter(|id| is_free(*id) && !nodes.contains(id));
            (free.take(missing).collect(), Some(GrowthHold::StaticQuorum { voters: voters.clone() }))
        } else if self.ids == IdsKnown::Soon || undecided {
            let named = wish.next.iter().copied().filter(|id| is_free(*id) && !nodes.contains(id));
            (named.take(missing).collect(), Some(GrowthHold::IdsUnknown))
        } else {
            // A pool that was made anew takes up the volumes that it finds.
            let own =
                facts.volumes.iter().copied().filter(|_| self.quorum.has_existed() && facts.nodes.is_empty());
            let preferred = wish.next.iter().copied().chain(own);
            (node_ids::free(missing, preferred, |id| is_free(id) && !nodes.contains(&id)), None)
        };
        let added: BTreeSet<i32> = added;
        nodes.extend(&added);
        let missing = missing - added.len();
        let scaling = match why.filter(|_| missing > 0) {
            Some(why) => Scaling::GrowthHeldBack { added, missing, why },
            None => Scaling::Growing { added },
        };
        (nodes, scaling)
    }

    fn shrink(&self, wish: &Wish, facts: &PoolFacts, current: BTreeSet<i32>) -> (BTreeSet<i32>, Scaling) {
        let surplus = current.len() - wish.replicas;
        let leaving = node_ids::doomed(&current, surplus, &wish.remove);
        if leaving.is_empty() {
            return (current, Scaling::Settled);
        }
        let is_broker = wish.broker || facts.broker.decided || facts.broker.running;
        let of_broker = || self.replicas.hold(&leaving).or_else(|| self.traces(&leaving));
        let of_controller = || self.departure.hold(&wish.pool, &leaving);
        // A dual-role node keeps its vote until it is empty: that may take long, or never come about.
        let hold = is_broker.then(of_broker).flatten();
        if let Some(why) = hold.or_else(|| wish.controller.then(of_controller).flatten()) {
            return (current, Scaling::HeldBack { nodes: leaving, why });
        }
        let nodes = current.difference(&leaving).copied().collect();
        (nodes, Scaling::Removable { nodes: leaving })
    }

    /// Whether Kafka has traces of what emptied these brokers, unless the user takes any loss.
    fn traces(&self, leaving: &BTreeSet<i32>) -> Option<Hold> {
        let drained: BTreeSet<i32> = leaving & &self.drained;
        (!drained.is_empty() && !self.replicas.are_unchecked()).then_some(Hold::Traces(drained))
    }
}

/// Whether a broker is ready, so that Kafka can be asked.
fn has_ready_broker(observed: &Observed) -> bool {
    observed.pods.values().any(|pod| {
        pod.labels().get(labels::BROKER_ROLE).is_some_and(|role| role == "true")
            && crate::pod_words::is_ready(pod)
    })
}

/// Whether it has to be known which brokers hold replicas: something is to leave, or Kafka knows a broker that no pool has.
pub fn needs_replicas(observed: &Observed) -> bool {
    let existing = Existing::of(observed);
    let mut nodes = BTreeSet::new();
    for pool in &observed.pools {
        let facts = existing.pool(&pool.name_any());
        let broker = pool.spec.roles.contains(&ProcessRole::Broker);
        let loses_role = matches!(
            roles::broker(broker, &facts, Replicas::unknown()),
            roles::RoleChange::HeldBack(_) | roles::RoleChange::Removable
        );
        let wished = if deleted_pools::is_terminating(pool) { 0 } else { pool.spec.replicas };
        if loses_role || facts.nodes.len() > usize::try_from(wished).unwrap_or(0) {
            return true;
        }
        nodes.extend(facts.nodes);
    }
    observed.view.as_ref().is_some_and(|view| !view.registered_brokers.is_subset(&nodes))
}
