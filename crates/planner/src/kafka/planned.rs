//! The plan of a Kafka cluster as a value: everything that a pass does or waits for. [`super::plan`] makes it.

use std::collections::BTreeMap;

use api::kafka::status::KafkaStatus;
use api::kafka_node_pool::KafkaNodePoolStatus;
use jiff::Timestamp;
use serde::Serialize;

use super::admin_call::AdminCall;
use super::config::live::memory::{OptionMemory, Override};
use super::need::Need;
use super::roll::Roll;
use crate::findings::Held;
use objects::{Deletion, DesiredObject, FinalizerRemoval};

/// The outcome of planning one Kafka cluster: everything that a pass does or waits for.
///
/// While it needs something it is not complete: what it needs is answered ([`super::completion::Completion::answer`]) and the cluster is
/// planned again. A complete plan is carried out in this order: lasting events, statuses of pools, `apply`, `delete`, `finalizers`,
/// `admin`, `roll` with an event for each restart, the status of the Kafka resource.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// What has to be known or made first.
    pub needs: Vec<Need>,
    /// Objects to write. An object equal to the live one is still listed: apply compares.
    pub apply: Vec<DesiredObject>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
    /// Finalizers to take off.
    pub finalizers: Vec<FinalizerRemoval>,
    /// Calls to Kafka itself.
    pub admin: Vec<AdminCall>,
    /// Which pods are to be restarted and why, which of them go now, and what the others wait for.
    pub roll: Roll,
    /// What is asked for and not carried out before somebody approves it or its obstacle is gone; nothing else of the plan does
    /// any of it, and the status says so.
    pub held: Vec<Held>,
    /// Every Kafka node that should exist, in the order of node ids.
    pub nodes: Vec<PlannedNode>,
    /// What to write into the statuses.
    pub status: StatusPlan,
    /// What to publish.
    pub events: Vec<PlannedEvent>,
    /// Seconds after which to look again without an event (renewal of a certificate, a retry).
    pub requeue_seconds: Option<u64>,
    /// What the cluster still waits for, in words ("pod my-dual-0 is not ready").
    pub waiting_for: Vec<String>,
    /// What could not be found out or made, so that nothing else can be done: the pass counts as failed.
    pub failure: Option<String>,
    /// Run-time values set by other people that `admin` takes away, for events.
    pub undone: Vec<Override>,
    /// What the next pass should know about the options that change at run time: [`Observed::options`].
    pub options: OptionMemory,
}

/// A node that should exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// Kafka's node id.
    pub id: i32,
    /// Name of the pod, the ConfigMap and the Secret of the node.
    pub pod: String,
    /// Name of the StrimziPodSet with the pod.
    pub pod_set: String,
}

/// The statuses to write. Apply leaves `lastTransitionTime` of a condition that stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusPlan {
    /// The complete `status` of the Kafka resource; `None` writes nothing.
    pub kafka: Option<KafkaStatus>,
    /// The complete `status` of each pool, by name.
    pub pools: BTreeMap<String, KafkaNodePoolStatus>,
}

/// An event to publish. Its text never holds keys or passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedEvent {
    /// PascalCase word.
    pub reason: String,
    /// The text.
    pub text: String,
    /// The pod that it is about; its Kafka resource is named anyway.
    pub pod: Option<String>,
    /// When it is published.
    pub occasion: Occasion,
}

/// When an event is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Occasion {
    /// When its pod was deleted.
    Restart,
    /// Once while this lasts, as a warning.
    Lasting {
        /// Since when.
        since: Timestamp,
    },
}

impl Plan {
    /// A plan that needs answers first.
    pub(super) fn asking(needs: Vec<Need>) -> Self {
        Self { needs, ..Self::default() }
    }
}
