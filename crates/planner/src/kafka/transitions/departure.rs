//! Controllers that are to leave the quorum (KIP-853).
//!
//! A controller whose vote is taken away joins again by itself, and a broker that still has a vote stands for election. So a controller that is
//! to leave, or to be nothing but a broker, goes through three steps: it restarts so that it does not join again, by the rules of every
//! restart; its vote is taken away ([`crate::kafka::voter_removals`]); and then it leaves as a node without a vote, by which no majority
//! changes. What is under way stands in the pod set and in what Kafka says; taken back, the controller restarts once more and joins.

use std::collections::BTreeSet;

use api::{annotations, labels, names};
use k8s_openapi::api::core::v1::Pod;

use super::leaving::Hold;
use super::quorum::QuorumState;
use crate::kafka::observed::{Observed, QuorumView};

/// What it depends on whether controllers may go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Departure<'a> {
    observed: &'a Observed,
    cluster: &'a str,
    quorum: &'a QuorumState,
    /// Whether the resources ask for a controller at all.
    some_stay: bool,
}

impl<'a> Departure<'a> {
    /// For one pass.
    pub(crate) fn new(
        observed: &'a Observed,
        cluster: &'a str,
        quorum: &'a QuorumState,
        some_stay: bool,
    ) -> Self {
        Self { observed, cluster, quorum, some_stay }
    }

    /// Why these controllers of a pool stay as they are for now; `None`: nothing of the quorum depends on them.
    pub(crate) fn hold(&self, pool: &str, nodes: &BTreeSet<i32>) -> Option<Hold> {
        if nodes.is_empty() {
            return None;
        }
        if let Some(voters) = self.quorum.fixed_list() {
            return Some(Hold::FixedVoters { nodes: nodes.clone(), voters: voters.clone() });
        }
        if !self.some_stay {
            return Some(Hold::LastControllers(nodes.clone()));
        }
        if !self.is_answered() {
            return Some(Hold::SilentQuorum(nodes.clone()));
        }
        let voters = self.quorum.voters_among(nodes);
        let stays = |id: &i32| voters.contains(id) || self.would_join(pool, *id);
        let holding: BTreeSet<i32> = nodes.iter().copied().filter(stays).collect();
        (!holding.is_empty()).then_some(Hold::Voters(holding))
    }

    /// Which of the controllers that a pool keeps for now are started so that they do not join again. What was begun goes on until the
    /// resources take it back: a controller is not restarted for every moment in which Kafka does not answer.
    pub(crate) fn departing(&self, pool: &str, nodes: &BTreeSet<i32>, why: &Hold) -> BTreeSet<i32> {
        match why {
            Hold::Voters(_) => nodes.clone(),
            Hold::FixedVoters { .. } | Hold::LastControllers(_) => BTreeSet::new(),
            Hold::SilentQuorum(_) | Hold::Unanswered(_) | Hold::Replicas(_) | Hold::Traces(_) => {
                nodes.iter().copied().filter(|id| self.is_begun(pool, *id)).collect()
            }
        }
    }

    /// Whether the quorum has a leader that tells who votes.
    fn is_answered(&self) -> bool {
        let quorum = self.observed.view.as_ref().and_then(|view| view.quorum.as_ref());
        self.quorum.has_existed() && quorum.is_some_and(QuorumView::has_leader)
    }

    /// Whether the pod of a node was started as a controller that becomes a voter by itself.
    fn would_join(&self, pool: &str, id: i32) -> bool {
        let live = self.observed.pods.get(&names::pod(self.cluster, pool, id));
        live.is_some_and(|live| is_controller(live) && !leaves_quorum(live))
    }

    /// Whether the pod set lists the pod of a node as that of a controller that leaves the quorum.
    fn is_begun(&self, pool: &str, id: i32) -> bool {
        let set = self.observed.pod_sets.get(&names::pod_set(self.cluster, pool));
        let name = names::pod(self.cluster, pool, id);
        set.into_iter().flat_map(|set| &set.spec.pods).any(|pod| {
            pod["metadata"]["name"] == name
                && pod["metadata"]["annotations"][annotations::LEAVES_QUORUM] == "true"
        })
    }
}

/// Whether a pod was started as a controller.
pub(crate) fn is_controller(pod: &Pod) -> bool {
    let all = pod.metadata.labels.as_ref();
    all.and_then(|all| all.get(labels::CONTROLLER_ROLE)).is_some_and(|role| role == "true")
}

/// Whether a pod was started as a controller that does not join the quorum again.
pub(crate) fn leaves_quorum(pod: &Pod) -> bool {
    annotations::is_true(pod.metadata.annotations.as_ref(), annotations::LEAVES_QUORUM)
}
