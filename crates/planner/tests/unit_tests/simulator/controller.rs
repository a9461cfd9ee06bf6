//! The controllers' metadata: which brokers are registered, and the partitions. As `ClusterControlManager` and
//! `ReplicationControlManager` of Kafka 4.3 change it.

use std::collections::BTreeMap;

use super::partition::{Change, Partition};

/// `broker.session.timeout.ms`.
pub(super) const SESSION_MS: u64 = 9000;

/// A registered broker.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    /// The broker epoch: that of its present process.
    pub epoch: u64,
    /// The process.
    pub incarnation: u64,
    /// It may neither lead nor be in sync.
    pub fenced: bool,
    /// It stops in order.
    pub stopping: bool,
    /// Its disk.
    pub directory: u64,
    /// When it was heard of last.
    pub heard_at: u64,
}

impl Registration {
    /// That of a broker which stopped in order long ago.
    pub(super) fn stopped(directory: u64) -> Self {
        Self { epoch: 0, incarnation: 0, fenced: true, stopping: false, directory, heard_at: 0 }
    }
}

/// The metadata.
#[derive(Debug, Clone, Default)]
pub(super) struct Metadata {
    /// Brokers by id.
    pub registered: BTreeMap<i32, Registration>,
    /// All partitions.
    pub partitions: Vec<Partition>,
    /// Whether eligible leader replicas are on.
    pub elr: bool,
    /// Up to where the log of metadata reaches.
    pub offset: u64,
}

fn may_lead(registered: &BTreeMap<i32, Registration>, id: i32, directory: Option<u64>) -> bool {
    registered.get(&id).is_some_and(|one| !one.fenced && !one.stopping && directory == Some(one.directory))
}

impl Metadata {
    /// Changes the partitions that a test selects.
    fn change(&mut self, change: Change, selects: impl Fn(&Partition) -> bool) {
        let Self { registered, partitions, elr, offset } = self;
        for partition in partitions.iter_mut().filter(|one| selects(one)) {
            let directories: BTreeMap<i32, u64> =
                partition.replicas.iter().copied().zip(partition.directories.iter().copied()).collect();
            partition.change(change, *elr, |id| may_lead(registered, id, directories.get(&id).copied()));
        }
        *offset += 1;
    }

    /// A process asks to be the broker with this id. `closed_under`: the epoch that the file says which a clean end leaves on the disk.
    /// Refused while its predecessor may still run.
    pub(super) fn register(
        &mut self,
        id: i32,
        incarnation: u64,
        directory: u64,
        closed_under: Option<u64>,
        now: u64,
    ) -> Option<u64> {
        let before = self.registered.get(&id);
        if before.is_some_and(|one| now < one.heard_at + SESSION_MS && one.incarnation != incarnation) {
            return None;
        }
        let is_clean = before.is_some_and(|one| closed_under == Some(one.epoch));
        let epoch = self.offset + 1;
        if self.elr && !is_clean {
            let change = Change { unclean: Some(id), ..Change::default() };
            self.fence_for_election(id);
            self.change(change, |one| one.isr.contains(&id));
            self.change(change, |one| one.eligible.contains(&id));
        } else {
            self.fence_for_election(id);
            self.change(Change { leaves: Some(id), ..Change::default() }, |one| one.isr.contains(&id));
        }
        let registration =
            Registration { epoch, incarnation, fenced: true, stopping: false, directory, heard_at: now };
        self.registered.insert(id, registration);
        self.offset += 1;
        Some(epoch)
    }

    /// A broker that is taken out of partitions does not lead them meanwhile.
    fn fence_for_election(&mut self, id: i32) {
        if let Some(one) = self.registered.get_mut(&id) {
            one.fenced = true;
        }
    }

    /// A broker may lead and be in sync.
    pub(super) fn unfence(&mut self, id: i32) {
        if let Some(one) = self.registered.get_mut(&id) {
            one.fenced = false;
        }
        self.change(Change::default(), |one| one.leader.is_none());
    }

    /// A broker may do so no longer.
    pub(super) fn fence(&mut self, id: i32) {
        self.fence_for_election(id);
        self.change(Change { leaves: Some(id), ..Change::default() }, |one| one.isr.contains(&id));
    }

    /// A broker stops in order: others lead in its place.
    pub(super) fn stops(&mut self, id: i32) {
        if let Some(one) = self.registered.get_mut(&id) {
            one.stopping = true;
        }
        self.change(Change { leaves: Some(id), ..Change::default() }, |one| one.isr.contains(&id));
    }

    /// A broker says on which disk it has a partition.
    pub(super) fn assign(&mut self, index: usize, id: i32, directory: u64) {
        let partition = &self.partitions[index];
        let before: Vec<(i32, u64)> =
            partition.replicas.iter().copied().zip(partition.directories.iter().copied()).collect();
        let Self { registered, partitions, elr, offset } = self;
        let partition = &mut partitions[index];
        let known =
            |other: i32| before.iter().find(|(replica, _)| *replica == other).map(|(_, known)| *known);
        partition.change(Change::default(), *elr, |other| may_lead(registered, other, known(other)));
        if let Some(place) = partition.replicas.iter().position(|replica| *replica == id) {
            partition.directories[place] = directory;
        }
        *offset += 1;
    }

    /// A leader lets a follower join; refused for a broker that may not (KIP-903).
    pub(super) fn expand(&mut self, index: usize, id: i32, epoch: u64) {
        let Self { registered, partitions, elr, offset } = self;
        let is_well = |one: &Registration| !one.fenced && !one.stopping && one.epoch == epoch;
        if !registered.get(&id).is_some_and(is_well) {
            return;
        }
        let partition = &mut partitions[index];
        let directories: BTreeMap<i32, u64> =
            partition.replicas.iter().copied().zip(partition.directories.iter().copied()).collect();
        partition.joins(id, *elr, |other| may_lead(registered, other, directories.get(&other).copied()));
        *offset += 1;
    }

    /// A leader takes a follower out that is slow.
    pub(super) fn shrink(&mut self, index: usize, id: i32) {
        let name = self.partitions[index].name.clone();
        self.change(Change { leaves: Some(id), ..Change::default() }, |one| one.name == name);
    }

    /// Preferred leaders take over; partitions without a leader get one if they can.
    pub(super) fn balance(&mut self) {
        self.change(Change { preferred: true, ..Change::default() }, |one| {
            one.leader != one.replicas.first().copied()
        });
    }

    /// Brokers that were not heard of for too long.
    pub(super) fn stale(&self, now: u64) -> Option<i32> {
        let mut all = self.registered.iter();
        all.find(|(_, one)| !one.fenced && now > one.heard_at + SESSION_MS).map(|(id, _)| *id)
    }

    /// Whether a broker leads anything.
    pub(super) fn leads(&self, id: i32) -> bool {
        self.partitions.iter().any(|one| one.leader == Some(id))
    }
}
