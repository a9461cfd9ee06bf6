//! Whose vote in the quorum of the controllers is taken away now: one at a time, and only where those that stay can go on.
//!
//! Kafka counts a change of the voters with the majority of the new ones, from the moment at which the active controller notes it: where these
//! are down, the quorum stands still. So the majority that would be left has to have caught up; and a vote that is no use any more, since its
//! node is gone, goes before that of a controller that still runs.

use std::collections::BTreeSet;

use api::conditions::reasons;
use k8s_openapi::api::core::v1::Pod;

use super::admin_call::AdminCall;
use super::cluster::{Cluster, Node, Quorum, Warning};
use super::config::server::quorum_fetch_timeout_ms;
use super::observed::{Observed, QuorumView};
use super::restart::Restart;
use super::transitions::departure;
use super::transitions::leaving::list;
use crate::pod_words::is_ready;
use crate::words;

/// Pods that a message names.
const NAMED: usize = 5;

/// What becomes of the votes of controllers that leave or have left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum VoterRemoval {
    /// No controller is to lose its vote.
    Settled,
    /// This controller loses its vote now.
    Now(AdminCall),
    /// It is to lose its vote, and something has to come first.
    Waits(Warning),
}

/// What the vote of a controller that is to lose it is for the quorum, in the order in which votes are taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Its node is gone, or is a controller no longer.
    Gone,
    /// It does not run.
    Down,
    /// It follows.
    Follows,
    /// It leads.
    Leads,
}

/// Decides. `restarts` are all that are wanted; `changes_version`: whether the metadata version is being changed.
pub(super) fn plan(
    cluster: &Cluster,
    quorum: &QuorumView,
    observed: &Observed,
    restarts: &[Restart],
    changes_version: bool,
) -> VoterRemoval {
    if !matches!(cluster.quorum, Quorum::Dynamic { .. }) {
        return VoterRemoval::Settled;
    }
    let votes = Votes {
        cluster,
        quorum,
        observed,
        restarts,
        departing: cluster.departing(),
        fetch_timeout_ms: quorum_fetch_timeout_ms(cluster),
    };
    let next =
        quorum.voters.iter().filter_map(|(id, directory)| Some((votes.standing(*id)?, *id, directory)));
    // Of those that run, the highest goes first, as with brokers.
    let order = |(standing, id, _): &(Standing, i32, &String)| {
        (*standing, if *standing == Standing::Gone { *id } else { -*id })
    };
    let Some((standing, id, directory)) = next.min_by_key(order) else { return VoterRemoval::Settled };
    let of_version = || changes_version.then(|| "the metadata version changes first".to_owned());
    let obstacle = votes.of_majority(id).or_else(|| match standing {
        Standing::Gone => None,
        Standing::Down => votes.of_newcomers(),
        Standing::Follows | Standing::Leads => {
            let of_votes = votes.of_newcomers().or_else(|| votes.of_those_that_stay());
            of_votes.or_else(|| votes.of_restarts(id)).or_else(of_version)
        }
    });
    match obstacle {
        None => VoterRemoval::Now(AdminCall::RemoveVoter { controller: id, directory_id: directory.clone() }),
        Some(why) => VoterRemoval::Waits(Warning {
            reason: reasons::CONTROLLER_REMOVAL.to_owned(),
            message: format!("controller {id} is to lose its vote, and keeps it for now: {why}"),
        }),
    }
}

/// What is known of the votes.
struct Votes<'a> {
    cluster: &'a Cluster,
    quorum: &'a QuorumView,
    observed: &'a Observed,
    restarts: &'a [Restart],
    departing: BTreeSet<i32>,
    fetch_timeout_ms: i64,
}

impl Votes<'_> {
    /// What the vote of a controller is that is to lose it; `None`: it keeps it.
    fn standing(&self, id: i32) -> Option<Standing> {
        // Nodes whose pods are still to come (they wait for an address or a certificate) belong to the cluster too: a founder of
        // the quorum is no voter to be removed.
        let node = self.cluster.nodes().into_iter().find(|node| node.id == id);
        let Some(node) = node else {
            let runs = |pod: &String| pod.rsplit_once('-').is_some_and(|(_, of)| of == id.to_string());
            return (!self.observed.pods.keys().any(runs)).then_some(Standing::Gone);
        };
        let live = self.live(id);
        if !node.pool.controller {
            return (!live.is_some_and(departure::is_controller)).then_some(Standing::Gone);
        }
        if !self.departing.contains(&id) {
            return None;
        }
        if !live.is_some_and(is_ready) && !self.is_level(id) {
            return Some(Standing::Down);
        }
        Some(if self.quorum.leader == id { Standing::Leads } else { Standing::Follows })
    }

    /// Whether the majority of those that would be left cannot go on by itself.
    fn of_majority(&self, id: i32) -> Option<String> {
        if !self.quorum.has_leader() {
            return Some("the quorum has no leader".to_owned());
        }
        let left: BTreeSet<i32> = self.quorum.voters.keys().copied().filter(|other| *other != id).collect();
        let level = left.iter().filter(|other| self.is_level(**other)).count();
        if left.is_empty() {
            return Some("no other controller votes".to_owned());
        }
        (level <= left.len() / 2).then(|| {
            format!(
                "of the controllers {} that would be left, {level} have caught up, which is no majority; bring back those that are down",
                list(&left)
            )
        })
    }

    /// The controllers that stay.
    fn staying(&self) -> Vec<Node<'_>> {
        let mut staying = self.cluster.controllers();
        staying.retain(|node| !self.departing.contains(&node.id));
        staying
    }

    /// Whether a controller that stays is no voter yet: it may be what takes the place of those that leave.
    fn of_newcomers(&self) -> Option<String> {
        let staying = self.staying();
        if staying.is_empty() {
            return Some("no controller stays".to_owned());
        }
        let missing = staying.iter().find(|node| !self.quorum.voters.contains_key(&node.id));
        missing.map(|node| format!("controller {} has not joined the quorum yet", node.id))
    }

    /// Whether a controller that stays is not well.
    fn of_those_that_stay(&self) -> Option<String> {
        self.staying().into_iter().find_map(|node| {
            if !self.is_level(node.id) {
                return Some(format!("controller {} has not caught up with the quorum", node.id));
            }
            let is_well = self.live(node.id).is_some_and(is_ready);
            (!is_well).then(|| format!("pod {} is not ready", self.cluster.pod_name(node)))
        })
    }

    /// Whether pods have to restart first: this one, so that it does not join again, and others, which may know no controller that stays.
    fn of_restarts(&self, id: i32) -> Option<String> {
        if !self.restarts.is_empty() {
            let due = self.restarts.iter().map(|restart| &restart.pod);
            return Some(format!("pods {} restart first", words::first(due, NAMED, ", ")));
        }
        let is_bound_to_stay_out = self.live(id).is_some_and(departure::leaves_quorum);
        (!is_bound_to_stay_out).then(|| "its pod restarts first, so that it does not join again".to_owned())
    }

    /// Whether a voter has everything that was decided, or had it a moment ago.
    fn is_level(&self, id: i32) -> bool {
        self.quorum.lag_ms.get(&id).is_some_and(|lag| *lag < self.fetch_timeout_ms)
    }

    /// The pod of a node.
    fn live(&self, id: i32) -> Option<&Pod> {
        let node = self.cluster.nodes().into_iter().find(|node| node.id == id)?;
        self.observed.pods.get(&self.cluster.pod_name(node)).map(AsRef::as_ref)
    }
}
