//! The played quorum of controllers: who votes, who leads, who has all that was decided.

use std::collections::BTreeMap;

use super::controller::Metadata;
use super::node::{Node, Stage};
use super::random::Random;
use planner::kafka::roll_view::{RollQuorum, RollVoter};

/// How long an observer that is gone is still told of.
const REMEMBERED_MS: u64 = 300_000;

/// `controller.quorum.fetch.timeout.ms`.
const FETCH_TIMEOUT_MS: u64 = 2000;

/// The quorum.
#[derive(Debug, Clone, Default)]
pub(super) struct Quorum {
    /// Voters, each with its disk. A quorum of a fixed list does not look at disks.
    pub voters: BTreeMap<i32, u64>,
    /// Whether voters join and leave.
    pub dynamic: bool,
    /// Who leads.
    pub leader: Option<i32>,
    /// When each process was last seen with all metadata, by node and disk.
    pub seen: BTreeMap<(i32, u64), u64>,
}

impl Quorum {
    /// Whether a node votes now.
    pub(super) fn votes(&self, node: &Node, now: u64) -> bool {
        let is_voter =
            self.voters.get(&node.id).is_some_and(|disk| !self.dynamic || *disk == node.disk.directory);
        is_voter && node.works(now)
    }

    /// Whether a voter has all that was decided.
    pub(super) fn is_level(&self, node: &Node, metadata: &Metadata, now: u64) -> bool {
        self.votes(node, now) && node.disk.metadata == metadata.offset
    }

    /// Whether every voter has all that was decided.
    pub(super) fn is_whole(&self, nodes: &BTreeMap<i32, Node>, metadata: &Metadata, now: u64) -> bool {
        self.voters.keys().all(|id| nodes.get(id).is_some_and(|node| self.is_level(node, metadata, now)))
    }

    /// How many voters work.
    fn working(&self, nodes: &BTreeMap<i32, Node>, now: u64) -> usize {
        self.voters.keys().filter_map(|id| nodes.get(id)).filter(|node| self.votes(node, now)).count()
    }

    /// Whether something can be decided: there is a leader with a majority.
    pub(super) fn decides(&self, nodes: &BTreeMap<i32, Node>, now: u64) -> bool {
        let leads = self.leader.and_then(|id| nodes.get(&id)).is_some_and(|node| self.votes(node, now));
        leads && self.working(nodes, now) * 2 > self.voters.len()
    }

    /// Time passes. Returns whether something that was decided is lost.
    pub(super) fn advance(
        &mut self,
        nodes: &mut BTreeMap<i32, Node>,
        metadata: &mut Metadata,
        now: u64,
        random: &mut Random,
    ) -> bool {
        let mut lost = false;
        let leads = self.leader.and_then(|id| nodes.get(&id)).is_some_and(|node| self.votes(node, now));
        if !leads {
            self.leader = None;
            if self.working(nodes, now) * 2 > self.voters.len() && random.permille(500) {
                let voters = self.voters.keys().filter_map(|id| nodes.get(id));
                let best = voters.filter(|node| self.votes(node, now)).max_by_key(|node| node.disk.metadata);
                lost = best.is_some_and(|best| best.disk.metadata < metadata.offset);
                self.leader = best.map(|best| best.id);
                for one in metadata.registered.values_mut() {
                    // A new active controller gives every broker its time.
                    one.heard_at = one.heard_at.max(now);
                }
            }
        }
        if !self.decides(nodes, now) {
            return lost;
        }
        for node in nodes.values_mut() {
            if !node.works(now) {
                continue;
            }
            self.seen.insert((node.id, node.disk.directory), now);
        }
        self.seen.retain(|_, seen| *seen + REMEMBERED_MS > now);
        self.admit(nodes, now, random);
        lost
    }

    /// The controllers that take in what is decided now.
    pub(super) fn followers(&self, nodes: &BTreeMap<i32, Node>, now: u64) -> Vec<i32> {
        if !self.decides(nodes, now) {
            return Vec::new();
        }
        nodes.values().filter(|node| node.controller && node.works(now)).map(|node| node.id).collect()
    }

    /// A controller with another disk takes the place of its old voter: that one leaves first.
    fn admit(&mut self, nodes: &BTreeMap<i32, Node>, now: u64, random: &mut Random) {
        if !self.dynamic {
            return;
        }
        for node in nodes.values().filter(|node| node.controller && node.works(now)) {
            let is_ready = node.process.as_ref().is_some_and(|process| process.stage != Stage::Registers);
            if !is_ready || !random.permille(200) {
                continue;
            }
            match self.voters.get(&node.id) {
                Some(disk) if *disk != node.disk.directory => {
                    self.voters.remove(&node.id);
                }
                None => {
                    self.voters.insert(node.id, node.disk.directory);
                }
                Some(_) => continue,
            }
            // One change at a time.
            return;
        }
    }

    /// As its leader describes it.
    pub(super) fn told(
        &self,
        nodes: &BTreeMap<i32, Node>,
        now: u64,
        random: &mut Random,
    ) -> Option<RollQuorum> {
        let leader = self.leader.filter(|_| self.decides(nodes, now))?;
        let mut lag = |key: (i32, u64)| {
            let seen = self.seen.get(&key)?;
            let apart = if key.0 == leader { 0 } else { random.within(0..400) };
            Some((now - seen + apart) as i64)
        };
        let disk_of = |id: i32| nodes.get(&id).map_or(0, |node| node.disk.directory);
        let mut voters = Vec::new();
        for (id, disk) in &self.voters {
            let disk = if self.dynamic { *disk } else { disk_of(*id) };
            voters.push(RollVoter { id: *id, lag_ms: lag((*id, disk)) });
        }
        let mut observers = Vec::new();
        for (id, disk) in self.seen.keys() {
            let votes = self.voters.get(id).is_some_and(|voter| !self.dynamic || voter == disk);
            if !votes {
                observers.push(RollVoter { id: *id, lag_ms: lag((*id, *disk)) });
            }
        }
        Some(RollQuorum { leader, voters, observers, dynamic: self.dynamic })
    }

    /// Voters that work and have all that was decided, but for one node, and how many vote at all.
    pub(super) fn level_without(
        &self,
        nodes: &BTreeMap<i32, Node>,
        metadata: &Metadata,
        id: i32,
        now: u64,
    ) -> (usize, usize) {
        // A voter that is silent for less than this counts as working: nobody can know better.
        let recent = |node: &Node| {
            let seen = self.seen.get(&(node.id, node.disk.directory));
            seen.is_some_and(|seen| seen + FETCH_TIMEOUT_MS > now)
        };
        let counts = |node: &&Node| {
            node.id != id
                && (self.is_level(node, metadata, now) || self.voters.contains_key(&node.id) && recent(node))
        };
        let others = self.voters.keys().filter_map(|id| nodes.get(id)).filter(counts).count();
        (others, self.voters.len())
    }
}
