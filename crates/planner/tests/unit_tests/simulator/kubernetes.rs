//! The played Kubernetes: the API server's pods, the controller that makes them, kubelets, and the cache of the operator, which may be
//! behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::agent::Unresponsive;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateRunning, ContainerStateWaiting};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::kafka::Kafka;
use super::node::Stage;
use super::random::Random;

/// `terminationGracePeriodSeconds`.
const GRACE_MS: u64 = 30_000;

/// After this long a machine that is silent counts as gone.
const MACHINE_SILENT_MS: u64 = 40_000;

/// How far a pod is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    /// No machine took it yet; until then.
    Pending(u64),
    /// Its container runs.
    Runs,
    /// Its container ended, and starts again then.
    Crashed(u64),
    /// Its machine is silent since the first moment, until the second.
    Silent(u64, u64),
}

/// A pod as the API server has it.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// The object.
    pub pod: Arc<Pod>,
    /// Kafka's node id.
    pub node: i32,
    /// When it is killed, if it is being deleted.
    pub kill_at: Option<u64>,
    stand: Stand,
    initialized: u64,
    ready: Option<(bool, u64)>,
    /// Its container was ready since its present start.
    started: bool,
    created: u64,
}

/// Pods, and who makes them.
#[derive(Debug, Clone, Default)]
pub(super) struct Kubernetes {
    /// Pods as the pod sets list them, by name, each with its node.
    pub wanted: BTreeMap<String, (i32, Arc<Pod>)>,
    /// Pods as they are.
    pub live: BTreeMap<String, Live>,
    /// What the operator knows of them.
    pub cache: BTreeMap<String, Arc<Pod>>,
    /// Until when the cache stands still.
    pub cache_stands_until: u64,
    /// When a pod that is missing is made.
    making: BTreeMap<String, u64>,
    /// Longest time until a pod is made or finds a machine.
    pub slowness_ms: u64,
    /// How long every process takes to start; `None`: some time.
    pub start_ms: Option<u64>,
    uids: u64,
}

/// What happened to the disk of a node.
pub(super) type Wiped = Vec<i32>;

pub(super) fn timestamp(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(1_780_315_200_000 + ms as i64).unwrap()
}

/// The API server keeps seconds.
fn time(ms: u64) -> Time {
    Time(timestamp(ms / 1000 * 1000))
}

fn condition(type_: &str, status: bool, at: u64, reason: Option<&str>) -> PodCondition {
    PodCondition {
        type_: type_.to_owned(),
        status: if status { "True" } else { "False" }.to_owned(),
        last_transition_time: Some(time(at)),
        reason: reason.map(str::to_owned),
        ..PodCondition::default()
    }
}

impl Live {
    fn write(&mut self) {
        let (is_scheduled, container) = match self.stand {
            Stand::Pending(_) => (false, None),
            Stand::Runs | Stand::Silent(..) => (
                true,
                Some(ContainerState {
                    running: Some(ContainerStateRunning::default()),
                    ..Default::default()
                }),
            ),
            Stand::Crashed(_) => {
                let waiting =
                    ContainerStateWaiting { reason: Some("ContainerCreating".to_owned()), message: None };
                (true, Some(ContainerState { waiting: Some(waiting), ..Default::default() }))
            }
        };
        let crashed = matches!(self.stand, Stand::Crashed(_));
        let mut conditions = vec![condition(
            "PodScheduled",
            is_scheduled,
            self.created,
            (!is_scheduled).then_some("Unschedulable"),
        )];
        if is_scheduled {
            conditions.push(condition("Initialized", true, self.initialized, None));
            let (ready, since) = self.ready.unwrap_or((false, self.created));
            conditions.push(condition("Ready", ready, since, None));
        }
        let status = ContainerStatus {
            name: "kafka".to_owned(),
            ready: self.ready.is_some_and(|(ready, _)| ready),
            started: Some(self.started),
            restart_count: i32::from(crashed),
            state: container,
            ..ContainerStatus::default()
        };
        let pod = Arc::make_mut(&mut self.pod);
        pod.metadata.deletion_timestamp = self.kill_at.map(time);
        pod.status = Some(PodStatus {
            phase: Some(if is_scheduled { "Running" } else { "Pending" }.to_owned()),
            conditions: Some(conditions),
            container_statuses: is_scheduled.then(|| vec![status]),
            ..PodStatus::default()
        });
    }

    fn set_ready(&mut self, ready: bool, now: u64) {
        if self.ready.map_or(ready, |(before, _)| before != ready) {
            self.ready = Some((ready, now));
            self.started = self.started && self.stand == Stand::Runs || ready;
            self.write();
        }
    }

    /// Whether the API server says that it is ready.
    pub(super) fn is_ready(&self) -> bool {
        self.ready.is_some_and(|(ready, _)| ready) && self.kill_at.is_none()
    }

    /// Its UID.
    pub(super) fn uid(&self) -> &str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }
}

impl Kubernetes {
    /// In which these pods are to be made.
    pub(super) fn of(wanted: BTreeMap<String, (i32, Arc<Pod>)>) -> Self {
        Self { wanted, slowness_ms: 2000, ..Self::default() }
    }

    /// Time passes. Returns the nodes whose disks went with tother pods.
    pub(super) fn advance(&mut self, kafka: &mut Kafka, now: u64, random: &mut Random) -> Wiped {
        let mut wiped = Vec::new();
        for (name, (node, wanted)) in &self.wanted {
            if self.live.contains_key(name) {
                continue;
            }
            let slowness = self.slowness_ms.max(500);
            let due = *self.making.entry(name.clone()).or_insert_with(|| now + random.within(100..slowness));
            if now < due {
                continue;
            }
            self.making.remove(name);
            self.uids += 1;
            let mut pod = Pod::clone(wanted);
            pod.metadata.uid = Some(format!("uid-{}", self.uids));
            pod.metadata.creation_timestamp = Some(time(now));
            let stand = Stand::Pending(now + random.within(500..slowness + 500));
            let mut live = Live {
                pod: Arc::new(pod),
                node: *node,
                kill_at: None,
                stand,
                initialized: now,
                ready: None,
                started: false,
                created: now,
            };
            live.write();
            self.live.insert(name.clone(), live);
        }
        let mut gone = Vec::new();
        for (name, live) in &mut self.live {
            kubelet(live, kafka, self.start_ms, now, random);
            let ended = kafka.nodes[&live.node].process.is_none();
            let is_silent = matches!(live.stand, Stand::Silent(..));
            if live.kill_at.is_some_and(|at| !is_silent && (ended || now >= at)) {
                gone.push(name.clone());
            }
        }
        for name in gone {
            wiped.extend(self.remove(&name, kafka));
        }
        if now >= self.cache_stands_until {
            self.cache = self.live.iter().map(|(name, live)| (name.clone(), Arc::clone(&live.pod))).collect();
        }
        wiped
    }

    /// A pod is no more. Returns its node when its disk went with it.
    fn remove(&mut self, name: &str, kafka: &mut Kafka) -> Option<i32> {
        let node = self.live.remove(name)?.node;
        kafka.kill(node);
        kafka.nodes[&node].ephemeral.then(|| {
            kafka.wipe(node);
            node
        })
    }

    /// A pod is deleted, if it still is the one with this UID. Returns its node.
    pub(super) fn delete(&mut self, name: &str, uid: &str, kafka: &mut Kafka, now: u64) -> Option<i32> {
        let live = self.live.get_mut(name).filter(|live| live.uid() == uid && live.kill_at.is_none())?;
        live.kill_at = Some(now + GRACE_MS);
        live.write();
        kafka.stop(live.node, now);
        Some(live.node)
    }

    /// The container of a pod crashes.
    pub(super) fn crash(&mut self, name: &str, kafka: &mut Kafka, now: u64, back_ms: u64) {
        let Some(live) = self.live.get_mut(name).filter(|live| live.stand == Stand::Runs) else { return };
        kafka.kill(live.node);
        live.stand = Stand::Crashed(now + back_ms);
        live.set_ready(false, now);
        live.write();
    }

    /// The machine of a pod falls silent. It comes back with its disk, or its pod is gone for good.
    pub(super) fn silence(&mut self, name: &str, kafka: &mut Kafka, now: u64, back_ms: u64) {
        let Some(live) = self.live.get_mut(name).filter(|live| live.stand == Stand::Runs) else { return };
        kafka.kill(live.node);
        live.stand = Stand::Silent(now, now + back_ms);
    }

    /// A pod is lost with its machine, at once. Returns its node when its disk went with it.
    pub(super) fn lose(&mut self, name: &str, kafka: &mut Kafka) -> Option<i32> {
        self.remove(name, kafka)
    }

    /// For how long the Kafka of pods has answered nothing, as tother agents say.
    pub(super) fn unresponsive_nodes(&self, kafka: &Kafka, now: u64) -> BTreeMap<String, Unresponsive> {
        let running = self.live.iter().filter(|(_, live)| live.stand == Stand::Runs);
        let silent = running.filter_map(|(name, live)| {
            let since = kafka.nodes[&live.node].unresponsive_since(now)?;
            let told =
                Unresponsive { controller_for_seconds: None, broker_for_seconds: Some((now - since) / 1000) };
            Some((name.clone(), told))
        });
        silent.collect()
    }

    /// Nothing is late any more.
    pub(super) fn heal(&mut self, now: u64) {
        self.slowness_ms = 2000;
        self.cache_stands_until = 0;
        for due in self.making.values_mut() {
            *due = (*due).min(now + 1000);
        }
        for live in self.live.values_mut() {
            match &mut live.stand {
                Stand::Pending(until) | Stand::Crashed(until) | Stand::Silent(_, until) => {
                    *until = (*until).min(now + 1000);
                }
                Stand::Runs => {}
            }
        }
    }
}

/// What the kubelet of a pod does.
fn kubelet(live: &mut Live, kafka: &mut Kafka, start_ms: Option<u64>, now: u64, random: &mut Random) {
    match live.stand {
        Stand::Pending(until) | Stand::Crashed(until) if now >= until && live.kill_at.is_none() => {
            if matches!(live.stand, Stand::Pending(_)) {
                live.initialized = now;
            }
            live.stand = Stand::Runs;
            let takes_ms = start_ms.unwrap_or_else(|| random.within(1500..9000));
            kafka.start(live.node, takes_ms, now);
            live.write();
        }
        Stand::Silent(since, until) => {
            if now >= until {
                live.stand = Stand::Crashed(now + 1000);
                live.set_ready(false, now);
                live.write();
            } else if now > since + MACHINE_SILENT_MS {
                live.set_ready(false, now);
            }
        }
        Stand::Runs => {
            let node = &kafka.nodes[&live.node];
            if node.process.is_none() && live.kill_at.is_none() {
                live.stand = Stand::Crashed(now + 1000);
                live.set_ready(false, now);
                live.write();
                return;
            }
            let serves = node.process.as_ref().is_some_and(|process| {
                let answers = process.unresponsive_since(now).is_none();
                process.acts(now) && answers && matches!(process.stage, Stage::Serves | Stage::Stops)
            });
            let registered = kafka.metadata.registered.get(&live.node).is_some_and(|one| !one.fenced);
            let ready = serves && (registered || !node.broker);
            // A probe comes every few seconds.
            if random.permille(500) {
                live.set_ready(ready, now);
            }
        }
        Stand::Pending(_) | Stand::Crashed(_) => {}
    }
}
