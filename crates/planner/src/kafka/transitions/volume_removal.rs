//! Volumes that a pool no longer asks for: each node keeps each of them until the broker itself says that nothing is on it.
//!
//! What is under way is read from Kafka at every look. The pod set remembers the storage with the volume until no pod has it any more, so
//! that a removal is gone on with, or taken back, by whichever process comes next.

pub(crate) mod elections;
pub(crate) mod moves;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::{Kafka, KafkaNodePool, StrimziPodSet, annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::drain;
use super::volumes::{self, Volumes};
use crate::findings::{Findings, Held, HeldPart};
use crate::kafka::cluster::{Pool, Storage, VolumeState, jbod};
use crate::kafka::log_dirs_view::{BrokerLogDirs, CORDONED};
use crate::kafka::need::{Need, SilenceKind};
use crate::kafka::observed::Observed;
use crate::kafka::pod_state;
use crate::kafka::transitions::node_ids;
use crate::kafka::validate::storage;
use crate::pod_words::{PATIENCE, is_long_unready, is_ready};

/// Volumes, rates, or nodes that left, that a pod set remembers at most: a pool has at most 100 volumes.
const MOST_REMOVED: usize = 200;

/// What there may be in Kafka of the removal of volumes of a pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RemovedVolumes {
    /// The volumes.
    pub volumes: BTreeSet<i32>,
    /// Rates that may have been set.
    pub rates: BTreeSet<u64>,
    /// Nodes that left the pool while these of their volumes did: when one comes again, its directories there are still cordoned.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left: BTreeMap<i32, BTreeSet<i32>>,
    /// Brokers that started without one of the volumes, and of which every partition had a leader when Kafka was asked after that: UIDs of
    /// their pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub led: BTreeMap<i32, String>,
}

/// What a pod set remembers; nothing where its annotation cannot be read.
pub(crate) fn of_set(set: &StrimziPodSet) -> RemovedVolumes {
    let text = set.metadata.annotations.as_ref().and_then(|all| all.get(annotations::REMOVED_VOLUMES));
    let known: RemovedVolumes = text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    // No operator has written so many.
    let sizes = [known.volumes.len(), known.rates.len(), known.left.len(), known.led.len()];
    let is_odd =
        sizes.into_iter().chain(known.left.values().map(BTreeSet::len)).any(|size| size > MOST_REMOVED);
    if is_odd { RemovedVolumes::default() } else { known }
}

/// What the pool says, or else the Kafka resource.
fn annotation<'a>(kafka: &'a Kafka, pool: &'a KafkaNodePool, key: &str) -> Option<&'a String> {
    let of = |all: &'a Option<BTreeMap<String, String>>| all.as_ref()?.get(key);
    of(&pool.metadata.annotations).or_else(|| of(&kafka.metadata.annotations))
}

/// What brokers have to be asked about volumes that leave, or left a moment ago; `None`: no pool has any.
pub(crate) fn question(observed: &Observed) -> Option<Need> {
    let cluster = observed.kafka.as_ref()?.name_any();
    let mut asked = BTreeMap::new();
    for raw in &observed.pools {
        let Some(set) = observed.pod_sets.get(&names::pod_set(&cluster, &raw.name_any())) else { continue };
        let wanted = storage::read(&raw.spec.storage, "", &mut Findings::default());
        let known = of_set(set);
        let mut volumes = match volumes::of(&wanted, volumes::remembered(Some(set))) {
            Volumes::Changing { removed, .. } => removed,
            Volumes::Settled | Volumes::Kept { .. } => BTreeSet::new(),
        };
        volumes.extend(&known.volumes);
        let is_over = volumes.is_empty() && known.rates.is_empty();
        let runs = |pod: &&std::sync::Arc<Pod>| {
            pod.metadata.deletion_timestamp.is_none() && pod_state::is_broker(pod)
        };
        let listed = set.spec.pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
        for pod in listed.filter_map(|name| observed.pods.get(name)).filter(runs) {
            let Some(id) = node_of(pod) else { continue };
            let left = known.left.get(&id);
            if is_over && left.is_none() {
                continue;
            }
            let all = volumes.iter().chain(left.into_iter().flatten());
            asked.insert(id, all.map(|volume| jbod::log_dir(*volume, id)).collect());
        }
    }
    (!asked.is_empty()).then_some(Need::LogDirs(asked))
}

fn node_of(pod: &Pod) -> Option<i32> {
    id_of(pod.metadata.name.as_deref()?)
}

fn id_of(pod: &str) -> Option<i32> {
    pod.rsplit_once('-')?.1.parse().ok()
}

/// The nodes that a pod set lists.
fn listed(set: &StrimziPodSet) -> BTreeSet<i32> {
    set.spec.pods.iter().filter_map(|pod| id_of(pod["metadata"]["name"].as_str()?)).collect()
}

/// Whether Kafka can keep new replicas away from a log directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cordons(pub bool);

/// How the storage of a pool changes.
pub(crate) struct Change {
    /// The storage that it is to have.
    pub asked: Storage,
    /// The storage that its nodes have, where anything tells of it.
    pub in_use: Option<Storage>,
    /// Volumes of the storage in use that are not asked for.
    pub removed: BTreeSet<i32>,
    /// Whether Kafka can keep new replicas away from a log directory.
    pub cordons: Cordons,
}

/// What the states of the volumes of a pool depend on.
struct Look<'a> {
    observed: &'a Observed,
    pool: &'a Pool,
    /// `None`: it is lost, or not written yet.
    set: Option<&'a StrimziPodSet>,
    pod_set: String,
    /// The volume on which every node is to have its metadata log, and on which those had it that run as the pod set lists them.
    metadata: [Option<i32>; 2],
    /// Volumes of which a user gives up what they hold.
    discarded: BTreeSet<i32>,
    cordons: Cordons,
    /// Why brokers did not say what they have; `None`: Kafka may still answer.
    silence: Option<String>,
    now: Timestamp,
}

/// Gives a pool the storage that it asks for, and keeps on each node the volumes that it does not ask for and that are not known to be
/// empty there.
pub(crate) fn settle(
    pool: &mut Pool,
    change: &Change,
    cluster: &str,
    observed: &Observed,
    now: Timestamp,
    findings: &mut Findings,
) {
    let Change { asked, in_use, removed, cordons } = change;
    let pod_set = names::pod_set(cluster, &pool.name);
    let set = observed.pod_sets.get(&pod_set).map(AsRef::as_ref);
    let known = set.map(of_set).unwrap_or_default();
    (pool.removal.known, pool.removal.left) = (known.volumes, known.left);
    let Some(in_use) = in_use.as_ref().filter(|_| !removed.is_empty()) else {
        pool.use_storage(asked.clone());
        return;
    };
    let raw = observed.pools.iter().find(|raw| raw.name_any() == pool.name);
    let of_user = observed.kafka.as_deref().zip(raw.map(AsRef::as_ref));
    pool.removal.moves =
        of_user.is_some_and(|(kafka, raw)| drain::is_asked(kafka, raw, annotations::DRAIN_VOLUMES));
    let discarded = of_user.and_then(|(kafka, raw)| annotation(kafka, raw, annotations::DISCARD_VOLUMES));
    let discarded =
        discarded.map(|text| node_ids::parse_ranges(text, observed.settings.max_wished_ids)).transpose();
    let discarded = discarded.unwrap_or_else(|why| {
        let key = annotations::DISCARD_VOLUMES;
        findings
            .warn(reasons::VOLUME_REMOVAL, format!("pool {}: annotation {key} is ignored: {why}", pool.name));
        None
    });
    let before = volumes::metadata_of(in_use);
    pool.use_storage(volumes::with_kept(asked, in_use, removed));
    let look = Look {
        observed,
        pool,
        set,
        pod_set,
        metadata: [pool.metadata_volume().and_then(|volume| volume.id), before],
        discarded: discarded.into_iter().flatten().collect(),
        cordons: *cordons,
        silence: silence(observed),
        now,
    };
    let states: BTreeMap<i32, BTreeMap<i32, VolumeState>> = removed
        .iter()
        .map(|volume| {
            let of_node = |node: &i32| (*node, look.state(*node, *volume));
            (*volume, pool.nodes.iter().map(of_node).collect())
        })
        .collect();
    let is_there =
        |nodes: &BTreeMap<i32, VolumeState>| nodes.values().any(|state| *state != VolumeState::Gone);
    let there: BTreeSet<i32> =
        states.iter().filter(|(_, nodes)| is_there(nodes)).map(|(volume, _)| *volume).collect();
    pool.use_storage(if there.is_empty() {
        asked.clone()
    } else {
        volumes::with_kept(asked, in_use, &there)
    });
    pool.removal.states = states.into_iter().filter(|(volume, _)| there.contains(volume)).collect();
    if let Some(message) = words::held(pool) {
        let held = Held {
            reason: reasons::VOLUME_REMOVAL.to_owned(),
            message,
            approval: None,
            part: HeldPart::Storage { pool: pool.name.clone() },
        };
        pool.warnings.push(held.warning());
        findings.hold(held);
    }
}

/// Why brokers did not say what they have; `None`: they did, or may still do.
fn silence(observed: &Observed) -> Option<String> {
    if !pod_state::some_broker_is_ready(observed) {
        return Some("no broker is ready that could say so".to_owned());
    }
    let is_about = |need: &Need| matches!(need, Need::LogDirs(_) | Need::Kafka);
    let (_, silence) = observed.unanswered.iter().find(|(need, _)| is_about(need))?;
    (silence.kind != SilenceKind::UnderWay).then(|| silence.to_string())
}

impl Look<'_> {
    /// A pod as the pod set lists it.
    fn listed(&self, pod: &str) -> Option<&Value> {
        self.set?.spec.pods.iter().find(|one| one["metadata"]["name"] == pod)
    }

    /// How far a volume is on a node.
    fn state(&self, node: i32, volume: i32) -> VolumeState {
        let pod = format!("{}-{node}", self.pod_set);
        let name = jbod::volume_name(volume);
        let live = self.observed.pods.get(&pod).map(AsRef::as_ref);
        let live = live.filter(|pod| pod.metadata.deletion_timestamp.is_none());
        let listed = self.listed(&pod);
        let is_listed = listed.map(|pod| lists(pod, &name));
        let is_there = match (live, is_listed) {
            (Some(live), _) => has(live, &name),
            // It stops, or is about to be made: that was decided before.
            (None, Some(is_listed)) => is_listed,
            (None, None) => {
                let claim = self.observed.claims.get(&names::persistent_volume_claim(Some(volume), &pod));
                claim.is_some_and(|claim| claim.metadata.deletion_timestamp.is_none())
            }
        };
        // Also of a node that does not have it, or not yet: its configuration names the directory.
        if self.metadata[0] == Some(volume) {
            return VolumeState::MetadataLog;
        }
        if !is_there {
            return VolumeState::Gone;
        }
        let Some(live) = live else {
            let hint = if self.discarded.contains(&volume) {
                "; it is not given up before the pod is there again"
            } else {
                ""
            };
            return VolumeState::Unknown(format!("its pod does not run{hint}"));
        };
        if !self.pool.broker {
            // Of log directories, a controller alone uses that of the metadata log.
            let is_elsewhere = has_moved(Some(live), listed) && self.metadata[1] != Some(volume);
            return if is_elsewhere { VolumeState::Empty } else { VolumeState::MetadataLogLeaves };
        }
        let Some(view) = &self.observed.log_dirs else {
            return match &self.silence {
                None if is_listed == Some(false) => VolumeState::Unconfirmed,
                None => VolumeState::Unknown("its broker has not answered yet".to_owned()),
                Some(why) => VolumeState::Unknown(why.clone()),
            };
        };
        if let Some(broker) = view.brokers.get(&node) {
            return self.told(broker, node, volume);
        }
        let why = view.silent.get(&node).map_or("its broker did not answer", String::as_str);
        self.of_silent(node, volume, live, why)
    }

    /// Of a broker that does not answer while others do. That says nothing about a disk in a restart, while the pod waits for its machine or
    /// its volumes, or while Kafka recovers its logs: Kafka ends again and again where it cannot use one.
    fn of_silent(&self, node: i32, volume: i32, live: &Pod, why: &str) -> VolumeState {
        let ends_again_and_again = is_long_unready(live, self.now) && has_restarted(live);
        if self.discarded.contains(&volume) && !ends_again_and_again {
            return VolumeState::Unknown(format!(
                "{why}; it is given up when its pod has not been ready for {} minutes and its container has ended meanwhile",
                PATIENCE.as_mins()
            ));
        }
        self.unless_discarded(node, volume, why)
    }

    /// What is not known, unless a user gives it up. A disk that its broker can read is not given up by that: the annotation names ids of
    /// volumes, and every node of the pool has one of that id.
    fn unless_discarded(&self, node: i32, volume: i32, why: &str) -> VolumeState {
        if !self.discarded.contains(&volume) {
            return VolumeState::Unknown(why.to_owned());
        }
        let pod = format!("{}-{node}", self.pod_set);
        let listed = self.listed(&pod);
        let live = self.observed.pods.get(&pod).map(AsRef::as_ref);
        // A voter that loses its metadata log has forgotten its votes. A broker alone fetches it again.
        if self.pool.controller && !(has_moved(live, listed) && self.metadata[1] != Some(volume)) {
            return VolumeState::MetadataLogLeaves;
        }
        VolumeState::Discarded
    }

    /// What the broker says.
    fn told(&self, broker: &BrokerLogDirs, node: i32, volume: i32) -> VolumeState {
        let path = jbod::log_dir(volume, node);
        if broker.metadata.as_ref() == Some(&path) {
            return VolumeState::MetadataLogLeaves;
        }
        if broker.metadata.is_none() {
            return self.unless_discarded(node, volume, "its broker does not say where its metadata log is");
        }
        let Some(dir) = broker.dirs.get(&path) else {
            return self.unless_discarded(node, volume, "its broker does not list the log directory");
        };
        if let Some(error) = &dir.error {
            return self.unless_discarded(
                node,
                volume,
                &format!("its broker cannot use the log directory: {error}"),
            );
        }
        if dir.count > 0 {
            return VolumeState::Replicas(dir.count);
        }
        let is_refused = self
            .observed
            .options
            .refused
            .keys()
            .any(|change| change.option == CORDONED && change.broker == Some(node));
        let can_cordon = self.cordons.0 && broker.cordoned.is_some() && !is_refused;
        if can_cordon && !broker.is_cordoned(&path) { VolumeState::Open } else { VolumeState::Empty }
    }
}

/// Whether the metadata log of a node is where its configuration says. The agent moves it before Kafka starts: a pod that has been made and
/// is not ready may not have come to that.
fn has_moved(live: Option<&Pod>, listed: Option<&Value>) -> bool {
    live.zip(listed).is_some_and(|(live, listed)| started_as(live, listed) && is_ready(live))
}

/// Whether a container of a pod has ended and was started again.
fn has_restarted(pod: &Pod) -> bool {
    let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    containers.into_iter().any(|container| container.restart_count > 0)
}

/// Whether a pod has a volume.
fn has(pod: &Pod, volume: &str) -> bool {
    pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten()).any(|one| one.name == volume)
}

/// Whether a pod that a pod set lists has a volume.
fn lists(pod: &Value, volume: &str) -> bool {
    pod["spec"]["volumes"].as_array().into_iter().flatten().any(|one| one["name"] == volume)
}

/// Whether a pod was started with the configuration and the template with which the pod set lists it.
fn started_as(live: &Pod, listed: &Value) -> bool {
    let all = live.metadata.annotations.as_ref();
    [annotations::CONFIGURATION_HASH, annotations::REVISION].iter().all(|key| {
        let of_live = all.and_then(|all| all.get(*key)).map(String::as_str);
        of_live == listed["metadata"]["annotations"][*key].as_str()
    })
}
