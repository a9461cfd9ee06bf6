//! A played node of Kafka: its disk and its process.

use std::collections::BTreeMap;

use super::log::Log;
use super::partition::Partition;

/// What a node has stored.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    /// Its directory id: another one for each disk that was formatted.
    pub directory: u64,
    /// The broker epoch in the file that a process leaves when it has closed its logs.
    pub closed_under: Option<u64>,
    /// Replicas by partition.
    pub logs: BTreeMap<usize, Log>,
    /// Up to where it has the metadata, on a controller.
    pub metadata: u64,
}

/// How far a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The JVM starts and logs are opened; until then.
    Starts(u64),
    /// It asks the controllers for its registration.
    Registers,
    /// It reads the metadata; until then.
    Reads(u64),
    /// It serves.
    Serves,
    /// It stops in order, and asks the controllers to let it.
    Stops,
    /// The controllers let it stop: it closes its logs; until then.
    Closes(u64),
}

/// A time in which a process answers nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unresponsive {
    /// When it begins.
    pub since: u64,
    /// When it ends.
    pub until: u64,
    /// The thread that hangs holds the lock without which the leader takes nobody out of the replicas in sync.
    pub keeps_in_sync: bool,
}

/// A running process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    /// Tells it from others.
    pub incarnation: u64,
    /// Its broker epoch.
    pub epoch: Option<u64>,
    /// How far it is.
    pub stage: Stage,
    /// It does nothing until then: a long collection of garbage.
    pub frozen_until: u64,
    /// When it takes connections and answers nothing, but for its heartbeats.
    pub unresponsive: Option<Unresponsive>,
    /// Its followers copy nothing until then.
    pub slow_until: u64,
    /// When it last had all of the metadata.
    pub caught_up: u64,
    /// What it still takes for the metadata, with the offset up to which that goes: it has fetched more and not taken it in.
    pub behind: Option<(u64, Vec<Partition>)>,
    /// Until then.
    pub behind_until: u64,
}

impl Process {
    /// A process that begins.
    pub(super) fn starting(incarnation: u64, until: u64, now: u64) -> Self {
        Self {
            incarnation,
            epoch: None,
            stage: Stage::Starts(until),
            frozen_until: 0,
            unresponsive: None,
            slow_until: 0,
            caught_up: now,
            behind: None,
            behind_until: 0,
        }
    }

    /// Whether it does anything now.
    pub(super) fn acts(&self, now: u64) -> bool {
        self.frozen_until <= now
    }

    /// Since when it answers nothing, if it does not.
    pub(super) fn unresponsive_since(&self, now: u64) -> Option<u64> {
        self.unresponsive.filter(|silent| now < silent.until).map(|silent| silent.since)
    }

    /// Whether it answers and copies.
    pub(super) fn works(&self, now: u64) -> bool {
        self.acts(now) && !matches!(self.stage, Stage::Starts(_) | Stage::Closes(_))
    }
}

/// A node.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its id.
    pub id: i32,
    /// It votes.
    pub controller: bool,
    /// It holds replicas.
    pub broker: bool,
    /// Its disk ends with its pod.
    pub ephemeral: bool,
    /// Its rack.
    pub rack: String,
    /// The disk.
    pub disk: Disk,
    /// The process; `None`: none runs.
    pub process: Option<Process>,
}

impl Node {
    /// In words.
    pub(super) fn words(&self) -> String {
        let role = match (self.controller, self.broker) {
            (true, true) => "both",
            (true, false) => "controller",
            (false, _) => "broker",
        };
        let disk = if self.ephemeral { "ends with its pod" } else { "stays" };
        let stage = self.process.as_ref().map(|process| process.stage);
        format!("{} {role}, disk {} {disk}, {stage:?}", self.id, self.disk.directory)
    }

    /// Since when its process answers nothing, if it does not.
    pub(super) fn unresponsive_since(&self, now: u64) -> Option<u64> {
        self.process.as_ref()?.unresponsive_since(now)
    }

    /// Whether its process works.
    pub(super) fn works(&self, now: u64) -> bool {
        self.process.as_ref().is_some_and(|process| process.works(now))
    }
}
