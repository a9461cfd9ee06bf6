//! The plan of a Kafka cluster as a value. [`super::plan`] makes it.

use std::collections::BTreeMap;

use api::kafka::status::KafkaStatus;
use api::kafka_node_pool::KafkaNodePoolStatus;
use serde::Serialize;

use super::admin_call::AdminCall;
use super::config::live::memory::{OptionMemory, RunTimeValue};
use super::drain_view::DrainProgress;
use super::need::Need;
use super::roll::Roll;
use super::taken_up::{TakenUp, Waiting};
use crate::completion::plan_with_common;
use crate::plan::{self, Statuses};

/// What the plan of a cluster has in common with those of other kinds.
pub(super) type Common = plan::Plan<Need, AdminCall, StatusPlan>;

/// The outcome of planning one Kafka cluster: everything that a pass does or waits for.
///
/// It is carried out as [`plan::Plan`] says; the statuses of pools come before the objects, and `roll` with an event for each
/// restart after the calls. Annotations of pods come first.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// What it has in common with the plans of other kinds.
    #[serde(flatten)]
    pub common: Common,
    /// Which pods are to be restarted and why, which of them go now, and what the others wait for.
    pub roll: Roll,
    /// Every Kafka node that should exist, in the order of node ids.
    pub nodes: Vec<PlannedNode>,
    /// Run-time values set by other people that `calls` take away, for events.
    pub undone: Vec<RunTimeValue>,
    /// Pods that run with their new certificates without a restart: annotations to write.
    pub taken_up: Vec<TakenUp>,
    /// Pods that are about to, and do not restart for them yet. The next pass should know: [`Observed::taking_up`].
    ///
    /// [`Observed::taking_up`]: super::observed::Observed::taking_up
    pub taking_up: BTreeMap<String, Waiting>,
    /// How far partitions are moved off nodes, for the next pass: [`Observed::draining`].
    ///
    /// [`Observed::draining`]: super::observed::Observed::draining
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draining: Option<DrainProgress>,
    /// What the next pass should know about the options that change at run time: [`Observed::options`].
    ///
    /// [`Observed::options`]: super::observed::Observed::options
    pub options: OptionMemory,
    /// What need not be remembered of a deleted cluster when everything else of the plan is done.
    #[serde(skip_serializing_if = "Forgotten::is_nothing")]
    pub forgets: Forgotten,
}

/// What a process need not remember of a cluster any more whose Kafka resource is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Forgotten {
    /// It remembers everything.
    #[default]
    Nothing,
    /// Since when there is no Kafka resource: there is one all the same.
    Absence,
    /// The whole cluster: what appears under the name from now on belongs to a successor that may be on its way.
    Cluster,
}

impl Forgotten {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

plan_with_common!(Plan, Common);

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

impl Statuses for StatusPlan {
    type Status = KafkaStatus;

    fn of_resource(&self) -> Option<&KafkaStatus> {
        self.kafka.as_ref()
    }
}

/// The statuses to write. Apply leaves `lastTransitionTime` of a condition that stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusPlan {
    /// The complete `status` of the Kafka resource; `None` writes nothing.
    pub kafka: Option<KafkaStatus>,
    /// The complete `status` of each pool, by name.
    pub pools: BTreeMap<String, KafkaNodePoolStatus>,
}

impl Plan {
    /// A plan that needs answers first.
    pub(super) fn asking(needs: Vec<Need>) -> Self {
        Common::asking(needs).into()
    }
}
