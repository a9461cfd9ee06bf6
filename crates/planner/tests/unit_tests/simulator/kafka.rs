//! The played Kafka: processes that come and go, and replicas that follow. As the brokers of Kafka 4.3 do it: committed is what all
//! replicas in sync have, while these are not too few; whoever has all committed records of the leader's epoch joins.

use std::collections::BTreeMap;

use super::controller::Metadata;
use super::log::Log;
use super::node::{Node, Process, Stage};
use super::quorum::Quorum;
use super::random::Random;

/// How often preferred leaders take over.
const BALANCE_MS: u64 = 60_000;

/// What happened to records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// A leader lacks records that were acknowledged.
    Elected { partition: usize, leader: i32 },
    /// No disk has them all any more.
    Gone { partition: usize },
    /// No controller has all that was decided.
    Decided,
}

/// The cluster as it is.
#[derive(Debug, Clone)]
pub(super) struct Kafka {
    /// Nodes by id.
    pub nodes: BTreeMap<i32, Node>,
    /// What the controllers decided.
    pub metadata: Metadata,
    /// The controllers.
    pub quorum: Quorum,
    /// Of each partition, the records that were acknowledged.
    pub acked: Vec<Log>,
    /// Records that a follower copies in a second.
    pub copied_per_second: u64,
    /// Records that producers write to a partition in a second.
    pub written_per_second: u64,
    /// `replica.lag.time.max.ms`.
    pub lag_ms: u64,
    /// Incarnations and directories that were given.
    pub given: u64,
    balanced_at: u64,
    /// Of each partition, the epoch of its leader and where that began.
    began: Vec<(u32, u64)>,
    followers: BTreeMap<(usize, i32), Follower>,
}

impl Kafka {
    /// A cluster in which nothing runs yet.
    pub(super) fn new(nodes: BTreeMap<i32, Node>, metadata: Metadata, quorum: Quorum) -> Self {
        let acked = vec![Log::default(); metadata.partitions.len()];
        let began = vec![(u32::MAX, 0); acked.len()];
        Self {
            nodes,
            metadata,
            quorum,
            acked,
            copied_per_second: 400,
            written_per_second: 20,
            lag_ms: 30_000,
            given: 1000,
            balanced_at: 0,
            began,
            followers: BTreeMap::new(),
        }
    }

    /// A number that was not given before.
    pub(super) fn fresh(&mut self) -> u64 {
        self.given += 1;
        self.given
    }

    /// A process starts on a node.
    pub(super) fn start(&mut self, id: i32, takes_ms: u64, now: u64) {
        let incarnation = self.fresh();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.process = Some(Process::starting(incarnation, now + takes_ms, now));
        }
    }

    /// A process is told to stop.
    pub(super) fn stop(&mut self, id: i32, now: u64) {
        let Some(process) = self.nodes.get_mut(&id).and_then(|node| node.process.as_mut()) else { return };
        process.stage = match process.stage {
            Stage::Starts(_) | Stage::Registers | Stage::Reads(_) => Stage::Closes(now),
            Stage::Serves => Stage::Stops,
            stage @ (Stage::Stops | Stage::Closes(_)) => stage,
        };
    }

    /// A process ends at once.
    pub(super) fn kill(&mut self, id: i32) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.process = None;
        }
    }

    /// The disk of a node goes, and another one takes its place. A controller formats it with its former directory id, and is a voter
    /// at once; a broker gets a new one.
    pub(super) fn wipe(&mut self, id: i32) {
        let fresh = self.fresh();
        if let Some(node) = self.nodes.get_mut(&id) {
            let directory = if node.controller { node.disk.directory } else { fresh };
            node.disk = super::node::Disk { directory, ..Default::default() };
        }
    }

    /// Brokers on whose disks every acknowledged record of a partition is.
    pub(super) fn complete(&self, partition: usize) -> Vec<i32> {
        let replicas = &self.metadata.partitions[partition].replicas;
        let has = |id: &&i32| {
            let log = self.nodes.get(*id).and_then(|node| node.disk.logs.get(&partition));
            log.map_or(self.acked[partition].end() == 0, |log| log.holds(&self.acked[partition]))
        };
        replicas.iter().filter(has).copied().collect()
    }

    /// Time passes. Returns the records that are lost by it.
    pub(super) fn advance(&mut self, ms: u64, now: u64, random: &mut Random) -> Vec<Loss> {
        let mut losses = Vec::new();
        if self.quorum.advance(&mut self.nodes, &mut self.metadata, now, random) {
            losses.push(Loss::Decided);
        }
        let followers = self.quorum.followers(&self.nodes, now);
        if !followers.is_empty() {
            self.control(now);
        }
        for id in self.nodes.keys().copied().collect::<Vec<i32>>() {
            self.run(id, now, random);
        }
        for partition in 0..self.metadata.partitions.len() {
            if let Some(leader) = self.serving_leader(partition, now) {
                let is_new = self.began[partition].0 != self.metadata.partitions[partition].leader_epoch;
                if is_new && !self.complete(partition).contains(&leader) {
                    losses.push(Loss::Elected { partition, leader });
                    // What it lacks is lost; the cluster goes on with what it has.
                    self.forget(partition, leader);
                }
                self.replicate(partition, leader, (ms, now), random);
            } else {
                self.leave_behind(partition, now);
            }
            if self.complete(partition).is_empty() {
                losses.push(Loss::Gone { partition });
                self.acked[partition] = Log::default();
            }
        }
        for id in followers {
            if let Some(node) = self.nodes.get_mut(&id) {
                node.disk.metadata = self.metadata.offset;
            }
        }
        losses
    }

    /// Acknowledged counts what this broker has.
    fn forget(&mut self, partition: usize, leader: i32) {
        let log = self.nodes.get(&leader).and_then(|node| node.disk.logs.get(&partition));
        let agreed = log.map_or(0, |log| log.agrees_until(&self.acked[partition]));
        self.acked[partition].truncate(agreed);
    }

    /// What the active controller does by itself.
    fn control(&mut self, now: u64) {
        for (id, node) in &self.nodes {
            let Some(process) = node.process.as_ref().filter(|process| process.works(now)) else { continue };
            let Some(one) = self.metadata.registered.get_mut(id) else { continue };
            if one.incarnation == process.incarnation {
                one.heard_at = now;
            }
        }
        while let Some(id) = self.metadata.stale(now) {
            self.metadata.fence(id);
        }
        if now >= self.balanced_at + BALANCE_MS {
            self.balanced_at = now;
            self.metadata.balance();
        }
    }

    /// What the process of a node does.
    fn run(&mut self, id: i32, now: u64, random: &mut Random) {
        let decides = self.quorum.decides(&self.nodes, now);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let (directory, is_broker) = (node.disk.directory, node.broker);
        let Some(process) = node.process.as_mut().filter(|process| process.acts(now)) else { return };
        if decides && process.works(now) {
            process.caught_up = now;
        }
        if now >= process.behind_until {
            process.behind = None;
        }
        match process.stage {
            Stage::Starts(until) if now >= until => {
                process.stage = if is_broker { Stage::Registers } else { Stage::Serves };
            }
            Stage::Registers if decides => {
                let (incarnation, closed) = (process.incarnation, node.disk.closed_under);
                let epoch = self.metadata.register(id, incarnation, directory, closed, now);
                if let Some(epoch) = epoch {
                    process.epoch = Some(epoch);
                    process.stage = Stage::Reads(now + random.within(200..3000));
                }
            }
            Stage::Reads(until) if decides && now >= until => {
                process.stage = Stage::Serves;
                node.disk.closed_under = None;
                self.metadata.unfence(id);
                self.open(id, directory);
            }
            Stage::Serves if is_broker && decides => {
                // One that was silent for too long is heard of again.
                let epoch = process.epoch;
                if self.metadata.registered.get(&id).is_some_and(|one| one.fenced && Some(one.epoch) == epoch)
                {
                    self.metadata.unfence(id);
                }
            }
            Stage::Stops if is_broker && decides => {
                if self.metadata.registered.get(&id).is_none_or(|one| !one.stopping) {
                    self.metadata.stops(id);
                } else if !self.metadata.leads(id) {
                    process.stage = Stage::Closes(now + random.within(100..2000));
                    self.metadata.fence(id);
                }
            }
            Stage::Stops if !is_broker => process.stage = Stage::Closes(now + 500),
            Stage::Closes(until) if now >= until => {
                node.disk.closed_under = process.epoch;
                node.process = None;
            }
            _ => {}
        }
    }

    /// A broker makes the replicas that it lacks on its disk, and says so.
    fn open(&mut self, id: i32, directory: u64) {
        for partition in 0..self.metadata.partitions.len() {
            if self.metadata.partitions[partition].directory(id).is_some_and(|known| known != directory) {
                self.metadata.assign(partition, id, directory);
            }
        }
    }

    /// The leader of a partition, if it does its work.
    fn serving_leader(&self, partition: usize, now: u64) -> Option<i32> {
        let leader = self.metadata.partitions[partition].leader?;
        let process = self.nodes.get(&leader)?.process.as_ref()?;
        let answers = process.unresponsive_since(now).is_none();
        (process.acts(now) && process.stage == Stage::Serves && answers).then_some(leader)
    }

    /// A leader that answers nothing takes the replicas that cannot follow it out of those in sync: that is done by a thread of its own.
    fn leave_behind(&mut self, partition: usize, now: u64) {
        let one = &self.metadata.partitions[partition];
        let is_silent = |id: &i32| {
            let process = self.nodes.get(id).and_then(|node| node.process.as_ref());
            process.is_some_and(|process| {
                let keeps = process.unresponsive.is_some_and(|silent| silent.keeps_in_sync);
                process.unresponsive_since(now).is_some() && !keeps
            })
        };
        let Some(leader) = one.leader.filter(is_silent) else { return };
        if !self.quorum.decides(&self.nodes, now) {
            return;
        }
        let late = |id: &&i32| {
            let known = self.followers.get(&(partition, **id));
            **id != leader && known.is_none_or(|known| now > known.level_at + self.lag_ms)
        };
        let leaves: Vec<i32> = one.isr.iter().filter(late).copied().collect();
        for id in leaves {
            self.metadata.shrink(partition, id);
        }
    }

    /// Records of one partition are written and copied.
    fn replicate(&mut self, partition: usize, leader: i32, (ms, now): (u64, u64), random: &mut Random) {
        let one = &self.metadata.partitions[partition];
        let (epoch, isr, needed) = (one.leader_epoch, one.isr.clone(), one.needed());
        let replicas = one.replicas.clone();
        let Some(node) = self.nodes.get_mut(&leader) else { return };
        let log = node.disk.logs.entry(partition).or_default();
        if self.began[partition].0 != epoch {
            self.began[partition] = (epoch, log.end());
        }
        if isr.len() >= needed {
            let most = (self.written_per_second * ms / 1000).max(1);
            log.append(epoch, random.within(0..most.saturating_add(1)));
        }
        let (leader_log, began) = (log.clone(), self.began[partition].1);
        let mut committed = leader_log.end();
        let (mut joins, mut leaves) = (Vec::new(), Vec::new());
        for id in replicas.iter().filter(|id| **id != leader) {
            let known = self.copy(*id, partition, epoch, &leader_log, (ms, now));
            if isr.contains(id) {
                committed = committed.min(known.end.unwrap_or(0));
                if now > known.level_at + self.lag_ms {
                    leaves.push(*id);
                }
            } else if let Some(end) = known.end.filter(|end| *end >= leader_log.high_watermark.max(began))
                && random.permille(600)
            {
                // Whoever is to join counts from now on; the answer of the controllers takes its time.
                committed = committed.min(end);
                joins.push((*id, known.broker_epoch));
            }
        }
        if isr.len() >= needed && committed > leader_log.high_watermark {
            if let Some(log) = self.nodes.get_mut(&leader).and_then(|node| node.disk.logs.get_mut(&partition))
            {
                log.high_watermark = committed;
            }
            if committed > self.acked[partition].end() {
                self.acked[partition] = leader_log.prefix(committed);
            }
        }
        if self.quorum.decides(&self.nodes, now) {
            for id in leaves {
                self.metadata.shrink(partition, id);
            }
            for (id, epoch) in joins {
                self.metadata.expand(partition, id, epoch);
            }
        }
    }

    /// A follower copies, if it can. Returns what its leader knows of it.
    fn copy(
        &mut self,
        id: i32,
        partition: usize,
        epoch: u32,
        leader: &Log,
        (ms, now): (u64, u64),
    ) -> Follower {
        let unheard = Follower { epoch, end: None, level_at: now, broker_epoch: 0 };
        let known = self.followers.entry((partition, id)).or_insert(unheard);
        if known.epoch != epoch {
            *known = unheard;
        }
        let Some(node) = self.nodes.get_mut(&id) else { return *known };
        let Some(process) = &node.process else { return *known };
        let copies = matches!(process.stage, Stage::Serves | Stage::Stops) && process.acts(now);
        let Some(broker_epoch) = process.epoch.filter(|_| copies && process.slow_until <= now) else {
            return *known;
        };
        let log = node.disk.logs.entry(partition).or_default();
        log.follow(leader, (self.copied_per_second * ms / 1000).max(1));
        (known.end, known.broker_epoch) = (Some(log.end()), broker_epoch);
        if log.end() >= leader.end() {
            known.level_at = now;
        }
        *known
    }
}

/// What a leader knows of a follower.
#[derive(Debug, Clone, Copy)]
struct Follower {
    /// The leader's epoch.
    epoch: u32,
    /// Where its log ends; `None`: it has not asked for records in this epoch.
    end: Option<u64>,
    /// When it last had all records.
    level_at: u64,
    /// The broker epoch of the process that copied.
    broker_epoch: u64,
}
