//! The deletions of pods that a plan asks for, held against the laws.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use planner::kafka::roll::Roll;
use planner::restart_reason::RestartReason;

use super::kubernetes::timestamp;
use super::laws::{self, Broken};
use super::simulation::{Fault, Simulation};

/// A disk that was lost a shorter time ago than this may be unknown to Kafka and to the operator.
const UNKNOWN_MS: u64 = 30_000;

/// How old what Kafka said may be when a pod is deleted for it, and the moments between the last look and the deletion.
const AGE_MS: u64 = 5500;

/// Pods that a greedy operator takes along.
const GREEDY: usize = 4;

impl Simulation {
    /// What the operator looks at once more before it deletes a pod; `gone` are those that it has deleted in this pass.
    pub(super) fn is_outdated(
        &self,
        roll: &Roll,
        pods: &BTreeMap<String, Arc<Pod>>,
        gone: &BTreeSet<String>,
    ) -> bool {
        if self.fault == Fault::Careless {
            return false;
        }
        let standing = |pod: &Pod| (pod.metadata.uid.clone(), pod.metadata.deletion_timestamp.is_some());
        let other = self.kubernetes.wanted.keys().filter(|name| !gone.contains(*name)).any(|name| {
            let live = self.kubernetes.live.get(name).map(|live| standing(&live.pod));
            live != pods.get(name).map(|pod| standing(pod))
        });
        other || roll.basis.as_ref().is_some_and(|basis| !basis.is_current(timestamp(self.now)))
    }

    /// The nodes of pods.
    pub(super) fn nodes_of(&self, pods: &[String]) -> BTreeSet<i32> {
        pods.iter().filter_map(|pod| Some(self.kubernetes.wanted.get(pod)?.0)).collect()
    }

    /// Further pods that are due, of the rack of the first one.
    pub(super) fn add_a_rack(&self, going: &mut Vec<String>, roll: &Roll) {
        let rack = |pod: &String| {
            let (id, _) = self.kubernetes.wanted.get(pod)?;
            Some(self.kafka.nodes[id].rack.clone())
        };
        let Some(first) = going.first().and_then(rack) else { return };
        let others = roll.wanted.iter().map(|restart| restart.pod.clone());
        let others: Vec<String> =
            others.filter(|pod| !going.contains(pod) && rack(pod).as_ref() == Some(&first)).collect();
        going.extend(others.into_iter().take(GREEDY));
    }

    /// A pod is deleted for the plan, as one of the nodes that go at once.
    /// `roll` says why.
    pub(super) fn restart(
        &mut self,
        pod: &str,
        roll: &Roll,
        pods: &BTreeMap<String, Arc<Pod>>,
        batch: &BTreeSet<i32>,
    ) {
        let Some(uid) = pods.get(pod).and_then(|pod| pod.metadata.uid.clone()) else { return };
        self.operator.memory.restarted.insert(uid.clone());
        let Some(live) =
            self.kubernetes.live.get(pod).filter(|live| live.uid() == uid && live.kill_at.is_none())
        else {
            return;
        };
        let (id, annotations) = (live.node, live.pod.metadata.annotations.clone());
        self.judge_restart(id, batch);
        let cause = format!("{:?}", annotations.map(|all| all.into_iter().collect::<Vec<_>>()));
        let wanted = self.kubernetes.wanted.get(pod).map(|(_, pod)| pod.metadata.annotations.clone());
        let of_it = roll.wanted.iter().find(|restart| restart.pod == pod);
        let is_silent =
            of_it.is_some_and(|restart| restart.reasons.contains(&RestartReason::PodUnresponsive));
        if is_silent {
            // The cause is this very process.
            self.counts.unresponsive_restarts += 1;
            if self.kafka.nodes[&id].unresponsive_since(self.now).is_none() {
                self.violated(&format!("node {id} restarts as silent, and answers"));
            }
        } else if !self.restarts.insert((id, format!("{wanted:?}"))) {
            self.violated(&format!("node {id} restarts once more for one cause: it has {cause}"));
        }
        self.counts.restarts += 1;
        if self.batches.last() != Some(batch) {
            self.counts.batches += u64::from(batch.len() > 1);
            self.batches.push(batch.clone());
        }
        self.deleted.insert(id);
        self.kubernetes.delete(pod, &uid, &mut self.kafka, self.now);
    }

    /// Holds the restart of a node against the laws: the loss of all that go with it is one loss.
    fn judge_restart(&mut self, id: i32, batch: &BTreeSet<i32>) {
        let mut found = laws::of_restart(&self.kafka, batch, self.now);
        if let Some(told) = self.told.as_ref().filter(|told| self.now <= told.at + AGE_MS) {
            let known = laws::of_restart(&told.truth, batch, told.at);
            let races: BTreeSet<Broken> = found.difference(&known).copied().collect();
            self.counts.races += u64::from(!races.is_empty());
            self.excuse(races.iter().copied().filter_map(Broken::partition));
            found.retain(|one| known.contains(one));
        }
        let recently = |index: usize| {
            let replicas = &self.kafka.metadata.partitions[index].replicas;
            replicas.iter().any(|id| self.wiped_at.get(id).is_some_and(|at| at + UNKNOWN_MS > self.now))
        };
        let unknown: Vec<usize> =
            found.iter().copied().filter_map(Broken::partition).filter(|index| recently(*index)).collect();
        found.retain(|one| one.partition().is_none_or(|index| !unknown.contains(&index)));
        self.excuse(unknown.into_iter());
        let single = laws::single(&self.kafka, id);
        self.excuse(single.into_iter());
        let basis = self.told.as_ref().map(|told| format!("asked {} ms ago", self.now - told.at));
        self.tell(format!("restart of node {id} of {batch:?}, {basis:?}"));
        if let Some(broken) = found.first() {
            let state = broken
                .partition()
                .map(|index| (self.kafka.metadata.partitions[index].clone(), self.kafka.complete(index)));
            self.violated(&format!("restart of node {id} of {batch:?} breaks {found:?}: {state:?}"));
        }
    }
}
