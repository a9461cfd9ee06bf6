//! Which nodes may be down together: what the controller quorum and the partitions allow. Pure.
//!
//! - A controller goes only while the quorum keeps its majority without it, and while every other controller of the plan is a
//!   voter that has caught up.
//! - A broker goes only while the quorum works, no partition falls below `min.insync.replicas` without it, and no partition
//!   loses the only copy that is in sync, unless the broker answers nothing and an eligible leader is ready, or, on storage that ends
//!   with the pod, the only complete copy.
//! - Where Kafka does not say how it is, only what is down may go, and what is kept from answering by certificates that the
//!   restart brings.
//! - What recovers its logs after an unclean stop goes when it is done: it would begin anew, and nobody else has what it has yet.

use std::collections::{BTreeMap, BTreeSet};

use super::roll_block::Block;
use super::roll_view::{
    Batches, PodState, RollBrokers, RollKafka, RollNode, RollPartition, RollQuorum, RollVoter,
};
use super::unresponsive;
use crate::restart_reason::RestartReason;
use crate::silence::{Silence, SilenceKind};

/// A broker that has not followed the metadata log for this long, Kafka's `broker.session.timeout.ms`, is about to be fenced:
/// what others still say of its replicas does not count.
const SESSION_MS: i64 = 9000;

/// The same where the restart destroys what a pod has stored: a broker whose machine fell silent a moment ago is still said to be in
/// sync, and its copy may not come back. A broker that is well follows within half a second.
const CLOSELY_MS: i64 = 3000;

/// The rules for one cluster at one moment.
#[derive(Debug)]
pub(super) struct Rules<'a> {
    pub(super) nodes: &'a [RollNode],
    /// How many may go at the same time.
    pub(super) batches: Batches,
    kafka: &'a RollKafka,
    fetch_timeout_ms: i64,
    /// Indexes of the partitions that have a replica on a node.
    on_node: BTreeMap<i32, Vec<usize>>,
    /// Nodes that follow the metadata log; `None`: not known.
    following: Option<BTreeSet<i32>>,
    /// Those of them that followed it a moment ago.
    following_closely: Option<BTreeSet<i32>>,
}

impl<'a> Rules<'a> {
    /// The rules for these nodes. A voter that lags by less than `fetch_timeout_ms` is caught up.
    pub(super) fn new(nodes: &'a [RollNode], kafka: &'a RollKafka, fetch_timeout_ms: i64) -> Self {
        let mut on_node: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for (index, partition) in
            kafka.brokers.iter().flat_map(|brokers| brokers.partitions.iter().enumerate())
        {
            for replica in &partition.replicas {
                on_node.entry(*replica).or_default().push(index);
            }
        }
        let quorum = kafka.quorum.as_ref().ok().and_then(Option::as_ref);
        let within = |longest_ms: i64| {
            quorum.map(|quorum| {
                let all = quorum.voters.iter().chain(&quorum.observers);
                let follows = |node: &&RollVoter| node.lag_ms.is_some_and(|lag| lag < longest_ms);
                all.filter(follows).map(|node| node.id).collect()
            })
        };
        let (following, following_closely) = (within(SESSION_MS), within(CLOSELY_MS));
        let batches = Batches::OFF;
        Self { nodes, batches, kafka, fetch_timeout_ms, on_node, following, following_closely }
    }

    /// The active controller, when it is known.
    pub(super) fn active_controller(&self) -> Option<i32> {
        self.kafka.quorum.as_ref().ok().and_then(Option::as_ref).map(|quorum| quorum.leader)
    }

    /// Why these nodes may not be down together; `None`: they may.
    pub(super) fn obstacle(&self, batch: &BTreeSet<i32>) -> Option<String> {
        let members: Vec<&RollNode> = self.nodes.iter().filter(|node| batch.contains(&node.id)).collect();
        if let Some(words) =
            members.iter().filter(|node| !node.loses_claims).find_map(|node| node.recovers.as_deref())
        {
            // A volume that is to go has nothing to recover.
            return Some(words.to_owned());
        }
        let controllers: Vec<&RollNode> = members.iter().copied().filter(|node| node.controller).collect();
        let brokers: Vec<&RollNode> = members.iter().copied().filter(|node| node.broker).collect();
        let of_controllers = || (!controllers.is_empty()).then(|| self.of_controllers(&controllers))?;
        let of_brokers = || (!brokers.is_empty()).then(|| self.of_brokers(&brokers))?;
        of_controllers().or_else(of_brokers)
    }

    fn of_controllers(&self, members: &[&RollNode]) -> Option<String> {
        match &self.kafka.quorum {
            Ok(Some(quorum)) => self.of_voters(quorum, members),
            Ok(None) => members.iter().find_map(|node| self.without_a_leader(node)),
            Err(silence) => {
                let others = |node: &RollNode| node.controller;
                members.iter().find_map(|node| self.unheard(node, silence, others))
            }
        }
    }

    /// One voter may always go; of two, the other has to be caught up; of n ≥ 3, at least (n + 2) / 2 others, rounded down.
    /// And every controller that is to be a voter is one before another goes: a controller with a new disk is taken out of the quorum
    /// before it joins again, so that in between fewer vote than the plan says.
    fn of_voters(&self, quorum: &RollQuorum, members: &[&RollNode]) -> Option<String> {
        let caught_up = |voter: &&RollVoter| voter.lag_ms.is_some_and(|lag| lag < self.fetch_timeout_ms);
        let leaves = |id: i32| members.iter().any(|node| node.id == id);
        let voters = quorum.voters.len();
        if !quorum.voters.iter().any(|voter| leaves(voter.id)) {
            return None;
        }
        // What the restart destroys is made anew only by the others, who decide about it by a majority of all.
        if voters < 3
            && let Some(node) = members.iter().find(|node| node.must_not_lose_records())
        {
            return Some(format!(
                "the log of controller {} would be deleted, and without it the quorum of {voters} cannot go on",
                node.id
            ));
        }
        if voters > 1 {
            let others = quorum.voters.iter().filter(|voter| !leaves(voter.id)).filter(caught_up).count();
            let needed = if voters == 2 { 1 } else { usize::midpoint(voters, 2) };
            if others < needed {
                return Some(format!(
                    "{others} other controllers of the quorum of {voters} are caught up, {needed} are needed"
                ));
            }
        }
        if !quorum.voters.iter().filter(|voter| leaves(voter.id)).any(|voter| caught_up(&voter)) {
            return None;
        }
        let planned = self
            .nodes
            .iter()
            .filter(|node| node.controller && node.state == PodState::Ready && !leaves(node.id));
        planned.into_iter().find_map(|node| match quorum.voters.iter().find(|voter| voter.id == node.id) {
            Some(voter) if caught_up(&voter) => None,
            Some(_) => Some(format!("controller {} has not caught up with the quorum", node.id)),
            None if node.departs => None,
            None => quorum.dynamic.then(|| format!("controller {} has not joined the quorum yet", node.id)),
        })
    }

    /// A quorum without a leader decides nothing: a controller that is not ready takes nothing away from it but its log.
    fn without_a_leader(&self, node: &RollNode) -> Option<String> {
        const WHY: &str = "the controller quorum has no leader";
        if node.state == PodState::Ready {
            return Some(WHY.to_owned());
        }
        let has_others = || self.others(node, |other| other.controller).next().is_some();
        let lost = node.must_not_lose_records() || node.may_lose_records() && has_others();
        lost.then(|| format!("{WHY}, and the restart would destroy one of its logs"))
    }

    fn of_brokers(&self, members: &[&RollNode]) -> Option<String> {
        // Where no quorum takes it back, a broker that answers nothing may as well wait. A controller may be what the quorum lacks.
        let is_known = self.kafka.quorum.is_ok();
        let comes_back = |node: &&RollNode| {
            node.state == PodState::Ready || node.is_unasked() && is_known && !node.controller
        };
        let restarted = members.iter().copied().filter(comes_back);
        if let Some(why) = restarted.into_iter().find_map(|node| self.cannot_register(node)) {
            return Some(why);
        }
        match &self.kafka.brokers {
            Ok(brokers) => self.of_partitions(brokers, members),
            Err(silence) => {
                let others = |node: &RollNode| node.broker;
                members.iter().find_map(|node| self.unheard(node, silence, others))
            }
        }
    }

    /// Whether a ready broker may go at the same time as these ready brokers, which may go together.
    pub(super) fn fit_together(&self, mut members: Vec<&'a RollNode>, node: &RollNode) -> bool {
        let (Ok(Some(_)), Ok(brokers)) = (&self.kafka.quorum, &self.kafka.brokers) else { return false };
        // Two are judged more strictly than one. Where two are in order, a third changes only what is said of its own partitions.
        let is_first_pair = members.len() == 1;
        let Some(node) = self.nodes.iter().find(|other| other.id == node.id) else { return false };
        members.push(node);
        let judged = if is_first_pair { members.as_slice() } else { &members[members.len() - 1..] };
        let mut touched = judged.iter().flat_map(|node| self.on_node.get(&node.id).into_iter().flatten());
        self.cannot_register(node).is_none()
            && touched.all(|index| {
                let partition = brokers.partitions.get(*index);
                partition.is_none_or(|partition| self.blocks(partition, brokers, &members).is_none())
            })
    }

    /// A broker that restarts comes back only where a quorum takes its registration.
    fn cannot_register(&self, node: &RollNode) -> Option<String> {
        match &self.kafka.quorum {
            Ok(Some(quorum)) => {
                let caught_up =
                    |voter: &&RollVoter| voter.lag_ms.is_some_and(|lag| lag < self.fetch_timeout_ms);
                let (voters, up) = (quorum.voters.len(), quorum.voters.iter().filter(caught_up).count());
                (up * 2 <= voters && voters > 0)
                    .then(|| format!("{up} of {voters} controllers are caught up, which is no majority"))
            }
            Ok(None) => Some("the controller quorum has no leader".to_owned()),
            Err(silence) if mends(node, silence) => None,
            Err(silence) => {
                Some(format!("whether the controller quorum has a leader is not known: {silence}"))
            }
        }
    }

    fn of_partitions(&self, brokers: &RollBrokers, members: &[&RollNode]) -> Option<String> {
        let mut touched: Vec<usize> = members
            .iter()
            .flat_map(|node| self.on_node.get(&node.id).into_iter().flatten().copied())
            .collect();
        if members.len() > 1 {
            touched.sort_unstable();
            touched.dedup();
        }
        let mut blocking = touched
            .into_iter()
            .filter_map(|index| brokers.partitions.get(index))
            .filter_map(|partition| self.blocks(partition, brokers, members).map(|why| (partition, why)));
        let (partition, why) = blocking.next()?;
        let more = blocking.count();
        let in_sync = partition.isr.iter().filter(|id| self.is_in_sync(partition, **id)).count();
        let mut first = why.words(partition, brokers, in_sync);
        for node in members.iter().filter(|node| node.is_unasked()) {
            first.push_str(&unresponsive::by_hand(&node.pod, node.loses_storage));
        }
        Some(if more == 0 { first } else { format!("{first}; and {more} more partitions") })
    }

    /// Whether a replica is in sync: its leader says so, its broker follows the metadata, and has the disk: Kafka goes on naming the last
    /// replica in sync when its disk has failed.
    fn is_in_sync(&self, partition: &RollPartition, id: i32) -> bool {
        let is_named = partition.isr.contains(&id) && !partition.is_failed_on(id);
        is_named && self.following.as_ref().is_none_or(|following| following.contains(&id))
    }

    /// The same for what is to outlive the end of another copy.
    fn is_closely_in_sync(&self, partition: &RollPartition, id: i32) -> bool {
        let closely = self.following_closely.as_ref();
        let is_named = partition.isr.contains(&id) && !partition.is_failed_on(id);
        is_named && closely.is_none_or(|following| following.contains(&id))
    }

    /// Whether what a replica has stored is still there: its pod is there and was ready. Of a pod that was just made anew, Kafka may
    /// still say what it knew of the former one, whose storage may have gone with it.
    fn has_storage(&self, id: i32) -> bool {
        let node = self.nodes.iter().find(|node| node.id == id);
        let is_there = |node: &RollNode| match node.state {
            PodState::Ready => true,
            PodState::Unready | PodState::Stuck => node.served,
            PodState::Missing => false,
        };
        node.is_none_or(is_there)
    }

    /// Why a partition with replicas on these nodes holds their restart up.
    ///
    /// - The only copy that is in sync stays while another replica may come back: on storage that the restart destroys, its
    ///   records would be lost; on other storage, nobody could read them meanwhile, or a stale replica would lead. A
    ///   partition that has no other replica cannot be kept by waiting, unless it lies on a claim that would be deleted.
    /// - A copy that the restart would destroy stays while no other complete one is there: see [`Self::destroys`].
    /// - `min.insync.replicas` is kept where there are more replicas than that: with no more, writes stop with every restart
    ///   of a replica, whatever is waited for. Unlike in Strimzi, a broker that is neither ready nor in sync may restart under
    ///   a partition that lacks replicas: it takes nothing away and may be what brings the replica back.
    /// - A replica on a disk that its broker runs without serves nobody, and comes back with a restart alone: such a restart takes nothing away
    ///   from the partition, unless it destroys what is on the disk, which may only be full. But with such a restart, which leaves no mark of a
    ///   clean end on that disk, Kafka no longer counts the replica as eligible: where it may be the last complete one, a user asks for it.
    /// - A partition that is led by a node that answers nothing loses nothing with it, when an eligible leader is there: see
    ///   [`Self::has_ready_eligible_leader`].
    /// - Of several that go at once, two share no partition that would be short without both, however few replicas it has, and none at
    ///   all where the restart of one of them destroys what it has stored: one by one they may go.
    fn blocks(
        &self,
        partition: &RollPartition,
        brokers: &RollBrokers,
        members: &[&RollNode],
    ) -> Option<Block> {
        let leaves = |id: i32| members.iter().copied().find(|node| node.id == id);
        let is_destroyed = members.iter().any(|node| node.may_lose_records());
        let counts = |id: i32| {
            if is_destroyed || members.len() > 1 {
                self.is_closely_in_sync(partition, id)
            } else {
                self.is_in_sync(partition, id)
            }
        };
        let left = partition.isr.iter().filter(|id| leaves(**id).is_none() && counts(**id)).count();
        let takes = |node: &&RollNode| {
            let is_of_use = !partition.is_out_of_use_on(node.id) || node.may_lose_records();
            is_of_use && !self.has_ready_eligible_leader(partition, brokers, node)
        };
        let mut taken = partition.isr.iter().filter_map(|id| leaves(*id)).filter(takes).peekable();
        let takes_one = taken.peek().is_some();
        let may_come =
            |but: i32| partition.replicas.iter().any(|id| *id != but && brokers.registered.contains_key(id));
        if takes_one
            && left == 0
            && let Some(node) = taken.find(|node| node.must_not_lose_records() || may_come(node.id))
        {
            return Some(Block::LastCopy { node: node.id, destroyed: node.loses_storage });
        }
        let mut going = partition.replicas.iter().filter_map(|id| leaves(*id));
        if let Some(node) = going.find(|node| {
            let waits = node.must_not_lose_records() || may_come(node.id);
            waits && self.destroys(partition, brokers, members, node)
        }) {
            return Some(Block::OnlyComplete { node: node.id });
        }
        let mut eligible = partition.eligible.iter().filter_map(|id| leaves(*id));
        if left == 0
            && let Some(node) = eligible.find(|node| {
                let is_asked = node.reasons.contains(&RestartReason::ManualRollingUpdate);
                partition.is_out_of_use_on(node.id) && !is_asked
            })
        {
            let mut others = partition.eligible.iter().filter(|id| leaves(**id).is_none());
            let is_there = |id: &i32| brokers.registered.contains_key(id) && !partition.is_failed_on(*id);
            if !others.any(is_there) {
                return Some(Block::Eligible { node: node.id });
            }
        }
        let mut sharing = partition.replicas.iter().filter_map(|id| leaves(*id));
        if let (Some(first), Some(second)) = (sharing.next(), sharing.next()) {
            let mut all = [first, second].into_iter().chain(sharing);
            if let Some(node) = all.find(|node| node.may_lose_records()) {
                return Some(Block::Shared { node: node.id });
            }
            if left < partition.min_isr.max(1) {
                return Some(Block::BelowMinimum);
            }
        }
        let short = if takes_one {
            left < partition.min_isr
        } else {
            left < partition.min_isr
                && partition.replicas.iter().filter_map(|id| leaves(*id)).any(|node| {
                    // Without a leader, nobody comes in sync with the last one, whose disk failed.
                    let may_serve = partition.failed.is_empty()
                        || partition.leader.is_some()
                        || partition.is_complete_on(node.id);
                    node.state == PodState::Ready && may_serve && !partition.is_out_of_use_on(node.id)
                })
        };
        (partition.replicas.len() > partition.min_isr && short).then_some(Block::BelowMinimum)
    }

    /// Whether no broker can follow the node, since it answers nothing, and it leads the partition, and a ready broker is an eligible leader
    /// (KIP-966: it has every committed record): Kafka elects that broker as soon as the node ends. Where the restart destroys a copy, as many
    /// others have to be there as writes need: the next leader may answer nothing, too.
    fn has_ready_eligible_leader(
        &self,
        partition: &RollPartition,
        brokers: &RollBrokers,
        node: &RollNode,
    ) -> bool {
        let is_there = |id: &&i32| {
            let other = self.nodes.iter().find(|other| other.id == **id && other.id != node.id);
            let follows = self.following_closely.as_ref().is_some_and(|following| following.contains(id));
            other.is_some_and(|other| other.state == PodState::Ready)
                && follows
                && brokers.registered.contains_key(id)
                && !partition.is_failed_on(**id)
                && !partition.offline.contains(id)
        };
        let others = partition.replicas.len().saturating_sub(1);
        let needed = if node.may_lose_records() { partition.min_isr.min(others).max(1) } else { 1 };
        node.unresponsive_broker
            && partition.leader == Some(node.id)
            && partition.eligible.iter().filter(is_there).count() >= needed
    }

    /// Whether the restart of these nodes destroys, on this one of them, what may be the last complete copy of a partition: one
    /// that Kafka counts as in sync or as eligible to lead (KIP-966: both have every committed record), while no other such copy
    /// stays on storage that is there. Where there is none at all, the last one may be any that was there, not only that of
    /// the last leader, whose disk may be gone. And where nobody leads, what Kafka says of who is in sync is of another time: without eligible leaders it goes on
    /// saying so of a broker that comes back with nothing, and any copy that was there may be the last complete one.
    fn destroys(
        &self,
        partition: &RollPartition,
        brokers: &RollBrokers,
        members: &[&RollNode],
        node: &RollNode,
    ) -> bool {
        let stays = |id: i32| members.iter().all(|member| member.id != id) && self.has_storage(id);
        let is_led = partition.leader.is_some_and(|id| !partition.is_failed_on(id));
        let in_sync =
            is_led && partition.isr.iter().any(|id| stays(*id) && self.is_closely_in_sync(partition, *id));
        // A broker that ends for a moment is not known to have its disk. Where a user gives up claims, or a failed disk, or a node answers
        // nothing, that can wait.
        let can_wait = node.must_not_lose_records() || partition.is_failed_on(node.id);
        let is_there = |id: &i32| {
            brokers.registered.contains_key(id)
                && !partition.is_failed_on(*id)
                && !(can_wait && partition.offline.contains(id))
        };
        let eligible = partition.eligible.iter().any(|id| stays(*id) && is_there(id));
        if !node.may_lose_records() || in_sync || eligible {
            return false;
        }
        let was_there = node.state == PodState::Ready || node.served;
        let was_last_leader = partition.isr.is_empty() && partition.last_known.contains(&node.id);
        let may_be_last = was_last_leader || was_there && (partition.isr.is_empty() || !is_led);
        may_be_last || partition.is_complete_on(node.id)
    }

    /// Why a node may not go while the nodes that could tell the effect do not answer; `kind` selects these.
    fn unheard(&self, node: &RollNode, silence: &Silence, kind: fn(&RollNode) -> bool) -> Option<String> {
        if mends(node, silence) {
            return None;
        }
        let unknown = || Some(format!("the effect on the other nodes is not known: {silence}"));
        if node.state == PodState::Ready {
            return unknown();
        }
        let mut others = self.others(node, kind).peekable();
        // The only node of a kind has no other to wait for.
        if !node.must_not_lose_records() {
            others.peek()?;
        }
        // What keeps all nodes from an answer lies around them, and no restart mends it.
        if node.is_unasked() && others.peek().is_some() {
            return Some(format!(
                "no other node answers either, so that the cause lies around them: {silence}"
            ));
        }
        if node.may_lose_records() {
            return Some(format!(
                "the restart would destroy what the pod has stored, and whether there are other copies is not known: \
                 {silence}"
            ));
        }
        // Kafka is not ready on any of the other nodes, so a restart harms no client. A pod that is not ready may serve clients
        // all the same, and be the last one in sync: an overloaded broker fails its probes, and is slow to answer for the
        // same reason. No broker is overloaded for that long.
        let nobody = match silence.kind {
            SilenceKind::Nobody | SilenceKind::Unreachable => true,
            SilenceKind::Late | SilenceKind::UnderWay | SilenceKind::Refused | SilenceKind::OtherCluster => {
                node.long
            }
            SilenceKind::Tls => false,
        };
        if nobody && others.all(|other| other.state != PodState::Ready) { None } else { unknown() }
    }

    fn others(&self, node: &RollNode, kind: fn(&RollNode) -> bool) -> impl Iterator<Item = &RollNode> {
        let id = node.id;
        self.nodes.iter().filter(move |other| other.id != id && kind(other))
    }

    /// Partitions whose only replica that can be there lies on storage that a restart destroys, and the node: nothing that is
    /// waited for keeps them.
    pub(super) fn single_copies(&self) -> Vec<(&'a str, i32)> {
        let Ok(brokers) = &self.kafka.brokers else { return Vec::new() };
        let lossy: BTreeSet<i32> =
            self.nodes.iter().filter(|node| node.broker && node.loses_storage).map(|node| node.id).collect();
        let single = brokers.partitions.iter().filter_map(|partition| {
            let mut registered = partition.replicas.iter().filter(|id| brokers.registered.contains_key(*id));
            let (first, second) = (registered.next()?, registered.next());
            (second.is_none() && lossy.contains(first)).then_some((partition.name.as_str(), *first))
        });
        single.collect()
    }
}

/// Whether a restart of the node ends the silence: no node accepts the operator's certificate or shows one that the operator
/// trusts, and the node waits for other certificates. The node's records must outlive the restart all the same.
fn mends(node: &RollNode, silence: &Silence) -> bool {
    silence.kind == SilenceKind::Tls
        && !node.may_lose_records()
        && node.reasons.iter().any(|reason| RestartReason::is_about_certificates(*reason))
}

#[cfg(test)]
#[path = "roll_rules_tests.rs"]
mod tests;
