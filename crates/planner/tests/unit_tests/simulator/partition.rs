//! What the controllers keep of a partition, and how they change it: as `PartitionChangeBuilder` of Kafka 4.3 does, eligible leader
//! replicas (KIP-966) on or off, unclean elections off.

use planner::kafka::roll_view::RollPartition;

/// A partition in the controllers' metadata.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// Name for messages.
    pub name: String,
    /// Brokers with a replica, the preferred leader first.
    pub replicas: Vec<i32>,
    /// The disk on which each of them has it (KIP-858).
    pub directories: Vec<u64>,
    /// The leader.
    pub leader: Option<i32>,
    /// Grows with each election.
    pub leader_epoch: u32,
    /// In sync.
    pub isr: Vec<i32>,
    /// Not in sync, and known to have every committed record.
    pub eligible: Vec<i32>,
    /// The last leader of a partition that has neither.
    pub last_known: Vec<i32>,
    /// `min.insync.replicas` as it is set.
    pub min_isr: usize,
}

/// What changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Change {
    /// This broker leaves the replicas in sync.
    pub leaves: Option<i32>,
    /// This broker ended without having closed its logs: it may lack records.
    pub unclean: Option<i32>,
    /// The preferred leader takes over.
    pub preferred: bool,
}

impl Partition {
    /// `min.insync.replicas` that can be had.
    pub(super) fn needed(&self) -> usize {
        self.min_isr.min(self.replicas.len())
    }

    /// On which disk a broker has it.
    pub(super) fn directory(&self, broker: i32) -> Option<u64> {
        let index = self.replicas.iter().position(|id| *id == broker)?;
        self.directories.get(index).copied()
    }

    /// Changes the partition; `may_lead` says which brokers could lead it now. `elr`: eligible leaders are kept.
    pub(super) fn change(&mut self, change: Change, elr: bool, may_lead: impl Fn(i32) -> bool) {
        let stays = |id: &&i32| Some(**id) != change.leaves && Some(**id) != change.unclean;
        let mut isr: Vec<i32> = self.isr.iter().filter(stays).copied().collect();
        let mut eligible = if elr { self.eligible_with(&isr, change.unclean) } else { Vec::new() };
        let (leader, is_unclean) = self.elect(&isr, &eligible, elr, change.preferred, may_lead);
        let elects = leader != self.leader;
        if let Some(id) = leader.filter(|_| elects) {
            if is_unclean {
                isr = vec![id];
                eligible.clear();
            } else if eligible.contains(&id) {
                isr = vec![id];
                eligible.retain(|other| *other != id);
            }
        }
        if isr.is_empty() && !elr {
            // Without eligible leaders the last one is kept, whatever became of it.
            isr.clone_from(&self.isr);
        }
        self.remember_leader(&isr, leader, elects, elr);
        self.leader_epoch += u32::from(elects);
        (self.isr, self.eligible, self.leader) = (isr, eligible, leader);
    }

    /// Replicas in sync are more by one.
    pub(super) fn joins(&mut self, broker: i32, elr: bool, may_lead: impl Fn(i32) -> bool) {
        self.isr.push(broker);
        self.change(Change::default(), elr, may_lead);
    }

    fn eligible_with(&self, isr: &[i32], unclean: Option<i32>) -> Vec<i32> {
        if isr.len() >= self.needed() {
            return Vec::new();
        }
        let mut all: Vec<i32> = self.eligible.iter().chain(&self.isr).copied().collect();
        all.retain(|id| !isr.contains(id) && Some(*id) != unclean);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Who leads, and whether that one may lack records.
    fn elect(
        &self,
        isr: &[i32],
        eligible: &[i32],
        elr: bool,
        preferred: bool,
        may_lead: impl Fn(i32) -> bool,
    ) -> (Option<i32>, bool) {
        let is_valid =
            |id: &i32| (isr.contains(id) || isr.is_empty() && eligible.contains(id)) && may_lead(*id);
        let first = self.replicas.first().filter(|&id| preferred && is_valid(id));
        let present = self.leader.as_ref().filter(|&id| is_valid(id));
        let any = || self.replicas.iter().find(|&id| is_valid(id));
        if let Some(id) = first.or(present).or_else(any) {
            return (Some(*id), false);
        }
        match self.last_known.as_slice() {
            [last] if elr && isr.is_empty() && eligible.is_empty() && may_lead(*last) => (Some(*last), true),
            _ => (None, false),
        }
    }

    fn remember_leader(&mut self, isr: &[i32], leader: Option<i32>, elects: bool, elr: bool) {
        let present = self.leader.unwrap_or(-1);
        if !elr {
            self.last_known.clear();
        } else if isr != self.isr && isr.is_empty() && self.last_known != [present] {
            self.last_known = vec![present];
        } else if (elects && leader.is_some()) || (self.leader.is_some() && leader.is_some()) {
            self.last_known.clear();
        }
    }

    /// As Kafka tells it to the operator: eligible leaders are asked for only where replicas are missing.
    pub(super) fn told(&self) -> RollPartition {
        let lacks = self.isr.is_empty() || self.isr.len() < self.needed();
        let some = |ids: &Vec<i32>| if lacks { ids.clone() } else { Vec::new() };
        RollPartition {
            name: self.name.clone(),
            leader: self.leader,
            leader_epoch: self.leader_epoch as i32,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            eligible: some(&self.eligible),
            last_known: some(&self.last_known),
            offline: Vec::new(),
            failed: Vec::new(),
            min_isr: self.min_isr,
        }
    }
}
