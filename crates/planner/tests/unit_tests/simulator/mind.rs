//! The real planner: its whole plan of a cluster, or the roll alone, which takes less time for each look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::conditions::{Condition, format_time, reasons};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use objects::ObjectId;
use planner::completion::{Observation as _, complete};
use planner::kafka::answer::Answer;
use planner::kafka::cluster::Cluster;
use planner::kafka::need::Need;
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::kafka::restart::Restart;
use planner::kafka::roll::{self, Roll};
use planner::kafka::unresponsive;
use planner::restart_reason::RestartReason;
use serde_json::json;

use super::clusters::pods_of;
use super::operator::Memory;
use crate::common::{World, kafka_status};

/// What decides.
#[derive(Clone)]
pub(super) enum Mind {
    /// The decisions of a roll, for pods that a test lists.
    Roll(Box<RollMind>),
    /// The whole plan.
    Whole(Box<World>),
}

/// The roll alone.
#[derive(Clone)]
pub(super) struct RollMind {
    /// The cluster.
    pub cluster: Cluster,
    /// What it sees beside the pods.
    pub observed: Observed,
    /// Which disks end with their pods.
    pub ephemeral: BTreeMap<i32, bool>,
    /// What pods are to be made of.
    pub revision: u64,
    /// Why they restart.
    pub reason: RestartReason,
    /// The pods as they are to be.
    pub desired: BTreeMap<String, (i32, Arc<Pod>)>,
}

/// What was decided.
pub(super) struct Decided {
    /// The roll.
    pub roll: Roll,
    /// What the status tells of a roll that waits.
    pub said: Option<String>,
    /// Objects that the plan's writes change.
    pub changed: BTreeSet<ObjectId>,
    /// Seconds until the next look that the plan asks for.
    pub again: Option<u64>,
    /// The plan, where there is a whole one.
    pub plan: Option<Box<Plan>>,
}

impl Mind {
    /// Plans with these pods.
    pub(super) fn plan(
        &self,
        pods: BTreeMap<String, Arc<Pod>>,
        memory: &Memory,
        now: Timestamp,
        mut ask: impl FnMut(&Need) -> Answer,
    ) -> Decided {
        match self {
            Self::Roll(mind) => mind.plan(pods, memory, now, ask),
            Self::Whole(world) => {
                let mut observed = world.observed.clone();
                observed.pods = pods;
                observed.restarted.clone_from(&memory.restarted);
                observed.put_off.clone_from(&memory.put_off);
                let (_, plan) = complete(observed, now, |need| match need {
                    Need::Roll(_) | Need::Admission { .. } | Need::UnresponsiveNodes(_) => ask(need),
                    need => world.answer(need),
                })
                .unwrap();
                let changes = plan.apply.iter().filter(|write| write.is_change());
                Decided {
                    roll: plan.roll.clone(),
                    said: said(&kafka_status(&plan)),
                    changed: changes.map(|write| write.reference.clone()).collect(),
                    again: plan.look_again_seconds(),
                    plan: Some(Box::new(plan)),
                }
            }
        }
    }

    /// Writes the statuses and objects of what was decided.
    pub(super) fn write(&mut self, decided: &Decided, now: Timestamp) {
        match self {
            Self::Roll(mind) => mind.write(&decided.roll),
            Self::Whole(world) => {
                world.now = now;
                world.apply(decided.plan.as_deref().unwrap());
            }
        }
    }

    /// A user changes the resource so that every pod has to restart.
    pub(super) fn change(&mut self, revision: u64) {
        match self {
            Self::Roll(mind) => {
                mind.revision = revision;
                mind.desired = pods_of(&mind.cluster, &mind.ephemeral, revision);
            }
            Self::Whole(world) => world.kafka(|kafka| {
                kafka["spec"]["kafka"]["config"]["queued.max.requests"] = json!(500 + revision);
            }),
        }
    }

    /// The pods as the pod sets list them.
    pub(super) fn listed(&self) -> BTreeMap<String, (i32, Arc<Pod>)> {
        match self {
            Self::Roll(mind) => mind.desired.clone(),
            Self::Whole(world) => {
                let pods = world.observed.pod_sets.values().flat_map(|set| &set.spec.pods);
                let typed = pods.map(|pod| {
                    let pod: Pod = serde_json::from_value(pod.clone()).unwrap();
                    let name = pod.metadata.name.clone().unwrap();
                    let id = name.rsplit_once('-').unwrap().1.parse().unwrap();
                    (name, (id, Arc::new(pod)))
                });
                typed.collect()
            }
        }
    }
}

fn said(status: &serde_json::Value) -> Option<String> {
    let conditions = status["conditions"].as_array()?;
    let found = conditions.iter().find(|one| one["reason"] == reasons::ROLLING_UPDATE_WAITS)?;
    Some(format!("{} since {}", found["message"], found["lastTransitionTime"]))
}

fn revision(pod: &Pod) -> Option<&String> {
    pod.metadata.annotations.as_ref()?.get(api::annotations::REVISION)
}

impl RollMind {
    fn restarts(&self, pods: &BTreeMap<String, Arc<Pod>>) -> Vec<Restart> {
        let due = self.desired.iter().filter_map(|(name, (node, desired))| {
            let live = pods.get(name).filter(|pod| pod.metadata.deletion_timestamp.is_none())?;
            (revision(live) != revision(desired)).then(|| Restart {
                node: *node,
                pod: name.clone(),
                reasons: BTreeSet::from([self.reason]),
                notes: Vec::new(),
            })
        });
        due.collect()
    }

    fn plan(
        &self,
        pods: BTreeMap<String, Arc<Pod>>,
        memory: &Memory,
        now: Timestamp,
        mut ask: impl FnMut(&Need) -> Answer,
    ) -> Decided {
        let mut observed = self.observed.clone();
        let mut wanted = self.restarts(&pods);
        observed.pods = pods;
        observed.restarted.clone_from(&memory.restarted);
        observed.put_off.clone_from(&memory.put_off);
        if let Some(need) = unresponsive::need(&self.cluster, &observed, now) {
            let answer = ask(&need);
            observed.answer(need, answer);
        }
        wanted.extend(unresponsive::restarts(&self.cluster, &observed, &wanted, |_| false, now));
        let desired: BTreeMap<&str, &Pod> =
            self.desired.iter().map(|(name, (_, pod))| (name.as_str(), pod.as_ref())).collect();
        loop {
            let decided = roll::decide(&self.cluster, &wanted, &desired, &observed, now);
            if decided.needs.is_empty() {
                let waits = decided.roll.waits.as_ref();
                let warned = decided.warnings.iter().find(|one| one.reason == reasons::ROLLING_UPDATE_WAITS);
                return Decided {
                    said: warned.map(|one| one.message.clone()),
                    changed: BTreeSet::new(),
                    again: waits.map(|waits| waits.look_again_seconds(now)),
                    roll: Roll { wanted, ..decided.roll },
                    plan: None,
                };
            }
            for need in decided.needs {
                let answer = ask(&need);
                observed.answer(need, answer);
            }
        }
    }

    /// The status says that the roll waits, and since when.
    fn write(&mut self, roll: &Roll) {
        let waits = roll.waits.as_ref().filter(|waits| !waits.is_usual());
        let mut kafka = self.observed.kafka.as_deref().cloned().unwrap();
        let conditions = waits.map(|waits| Condition {
            last_transition_time: Some(format_time(waits.since)),
            ..Condition::warning(reasons::ROLLING_UPDATE_WAITS, waits.why.clone())
        });
        kafka.status.get_or_insert_default().conditions = Some(conditions.into_iter().collect());
        self.observed.kafka = Some(Arc::new(kafka));
    }
}
