//! What deciding about a roll knows: the nodes with their pods, and what Kafka says of its quorum and its partitions.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::restart_reason::RestartReason;
pub use crate::roll::pod_state::PodState;
use crate::silence::{Silence, SilenceKind};

/// One node as the roll sees it.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct RollNode {
    /// Kafka's node id.
    pub id: i32,
    /// Name of the pod.
    pub pod: String,
    /// It is a voter of the quorum or shall become one.
    pub controller: bool,
    /// It is to lose its vote: whether it has one yet is not waited for.
    pub departs: bool,
    /// It is a broker.
    pub broker: bool,
    /// Its rack, where Kafka knows it.
    pub rack: Option<String>,
    /// State of its pod.
    pub state: PodState,
    /// It has been in a state other than ready for longer than anybody should have to wait.
    pub long: bool,
    /// This very pod was ready at some time.
    pub served: bool,
    /// The pod waits for a machine.
    pub unscheduled: bool,
    /// A restart destroys records: a volume with Kafka's logs ends with the pod, or the new pod no longer has it.
    pub loses_storage: bool,
    /// A restart destroys claims: what lies on them was there before this very pod.
    pub loses_claims: bool,
    /// Its agent says that a listener of its Kafka takes connections and has answered no request for long.
    pub unresponsive: bool,
    /// The listener between brokers is one of these: nobody follows it.
    pub unresponsive_broker: bool,
    /// What it recovers after an unclean stop, in words; `None`: nothing. It is waited for, and not restarted: it would begin anew.
    pub recovers: Option<String>,
    /// Why it has to restart; empty when it need not.
    pub reasons: BTreeSet<RestartReason>,
}

impl RollNode {
    /// Whether a restart may destroy records: it loses claims, or other storage, and the pod was ready and so may have some.
    pub fn may_lose_records(&self) -> bool {
        self.loses_claims || self.loses_storage && self.served
    }

    /// Whether it restarts for nothing but that it answers nothing.
    pub fn is_unasked(&self) -> bool {
        self.reasons.contains(&RestartReason::PodUnresponsive)
    }

    /// Whether the restart waits for another copy of all that it would destroy even where no other node could bring such a copy: it would
    /// delete claims, which outlived former pods, or the storage ends with the pod of a node that answers nothing, and no user asks for it.
    pub fn must_not_lose_records(&self) -> bool {
        let is_asked = self.reasons.contains(&RestartReason::ManualRollingUpdate);
        self.loses_claims || self.loses_storage && self.unresponsive && !is_asked
    }

    /// Whether nothing is taken away when the pod is replaced.
    pub fn serves_nobody(&self) -> bool {
        self.state == PodState::Stuck && !self.may_lose_records()
    }
}

/// How many restart at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Batches {
    /// Most brokers of a batch.
    pub most: usize,
    /// Whether a batch waits until brokers of its rack may go with it that may not yet.
    pub gather: bool,
}

impl Batches {
    /// One by one.
    pub(super) const OFF: Self = Self { most: 1, gather: false };
}

/// One partition of any topic, internal ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollPartition {
    /// `topic-partition`, for messages.
    pub name: String,
    /// Node that leads it, if one does.
    pub leader: Option<i32>,
    /// Grows with each election.
    pub leader_epoch: i32,
    /// Node ids that hold a replica.
    pub replicas: Vec<i32>,
    /// Node ids that are in sync.
    pub isr: Vec<i32>,
    /// Node ids that are not in sync and have every committed record all the same (KIP-966). Kafka keeps them while fewer
    /// than `min.insync.replicas` are in sync; before 4.1 it does not.
    pub eligible: Vec<i32>,
    /// Node ids that led last, of a partition that has neither a replica in sync nor an eligible one.
    pub last_known: Vec<i32>,
    /// Node ids of which Kafka says that their replica cannot be used: those of `failed`, and those of brokers that are fenced.
    pub offline: Vec<i32>,
    /// Node ids that run without the disk that has their replica. Kafka does not try such a disk again before the next start of the node.
    pub failed: Vec<i32>,
    /// `min.insync.replicas` in force for the topic.
    pub min_isr: usize,
}

impl RollPartition {
    /// Whether the node runs without the disk that has its replica.
    pub fn is_failed_on(&self, id: i32) -> bool {
        self.failed.contains(&id)
    }

    /// Whether the replica on this node is of no use to anybody before its next start, since its disk failed. Of a replica that moved to another
    /// disk Kafka says so for some seconds, too, but that one leads or is in sync: a failed one is so only as the last, and leads no more.
    pub fn is_out_of_use_on(&self, id: i32) -> bool {
        let is_last = self.isr == [id] && self.leader.is_none();
        self.is_failed_on(id) && self.leader != Some(id) && (is_last || !self.isr.contains(&id))
    }

    /// Whether Kafka says that the replica on this node has every committed record.
    pub fn is_complete_on(&self, id: i32) -> bool {
        self.isr.contains(&id) || self.eligible.contains(&id)
    }
}

/// One node that follows the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollVoter {
    /// Kafka's node id.
    pub id: i32,
    /// Milliseconds between the leader's newest caught-up time and this node's; `None` when it never caught up.
    pub lag_ms: Option<i64>,
}

/// The controller quorum as its leader describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollQuorum {
    /// The active controller.
    pub leader: i32,
    /// All voters.
    pub voters: Vec<RollVoter>,
    /// Nodes that follow without a vote: the brokers, and controllers that have not joined.
    pub observers: Vec<RollVoter>,
    /// Whether controllers join and leave at run time; else the voters stand in the configuration.
    pub dynamic: bool,
}

/// What the brokers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RollBrokers {
    /// Every partition of the cluster.
    pub partitions: Vec<RollPartition>,
    /// Brokers that are registered, those that are down included, and their racks: replicas on others do not come back by
    /// themselves.
    pub registered: BTreeMap<i32, Option<String>>,
    /// The broker that told of the partitions; `None`: any of them.
    pub told_by: Option<i32>,
}

/// Kafka's own view of what a restart would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollKafka {
    /// When Kafka was asked for its partitions: what happened later is not a part of what it said. `None`: it did not answer.
    pub asked_at: Option<Timestamp>,
    /// The quorum; `None`: it has no leader.
    pub quorum: Result<Option<RollQuorum>, Silence>,
    /// The partitions.
    pub brokers: Result<RollBrokers, Silence>,
}

impl RollKafka {
    /// Nothing is known, for one reason.
    pub fn silent(silence: &Silence) -> Self {
        Self { asked_at: None, quorum: Err(silence.clone()), brokers: Err(silence.clone()) }
    }

    /// Whether answers are on their way.
    pub fn is_under_way(&self) -> bool {
        let silences = [self.quorum.as_ref().err(), self.brokers.as_ref().err()];
        silences.into_iter().flatten().any(|silence| silence.kind == SilenceKind::UnderWay)
    }
}
