//! The statuses of the Kafka resource and its pools.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::{Condition, format_time, merge, reasons};
use api::kafka::status::{KafkaStatus, ListenerAddress, ListenerStatus, UsedNodePool};
use api::kafka_node_pool::{KafkaNodePoolStatus, ProcessRole};
use api::{Kafka, KafkaNodePool, labels, names};
use jiff::Timestamp;

use objects::ObjectId;

use super::certificates::Certificates;
use super::cluster::{Cluster, Exposure, Listener, Pool, Warning};
use super::features;
use super::objects::meta::pool_labels;
use super::observed::Observed;
use super::operator_hold::HeldPlan;
use super::plug_ins;
use super::pod_state::PATIENCE;
use super::transitions::membership;
use crate::pod_set::pod_error::PodAction;
use crate::roll::waiting::{WaitKind, Waiting};
use crate::silence::Silence;
use crate::status::{self, warning};
use crate::workload::resizing::Resize;

/// What Kubernetes refused to do to pods that are there, also to those that are not wanted any more.
pub fn errors_of_live_pods(observed: &Observed) -> impl Iterator<Item = Warning> {
    let errors = observed.pod_errors.iter().filter(|(_, error)| error.action != PodAction::Create);
    errors.map(|(pod, error)| Warning {
        reason: reasons::KUBERNETES_ERROR.to_owned(),
        message: error.words(pod),
    })
}

/// How far the cluster is.
#[derive(Debug, Default)]
pub struct Progress {
    /// What it waits for; empty: nothing.
    pub waiting_for: Vec<String>,
    /// Whether something has been waiting for so long that it counts as a failure.
    pub stuck: bool,
    /// Since when what a condition says has lasted, also when its words are others by now; by the reason of the condition.
    pub lasting: BTreeMap<&'static str, Timestamp>,
    /// What deserves a look, in addition to what the resource itself gives reason for.
    pub warnings: Vec<Warning>,
    /// Objects that have a name which the cluster needs and belong to another owner: the status leads no client to these.
    pub held_by_others: BTreeSet<ObjectId>,
}

impl Progress {
    /// Notes that a Deployment is not available since a time.
    pub fn deployment(&mut self, name: &str, unavailable_since: Option<Timestamp>, now: Timestamp) {
        let long = |since: &Timestamp| now.duration_since(*since) > PATIENCE;
        let Some(since) = unavailable_since.filter(long) else { return };
        self.stuck = true;
        self.warnings.push(Warning {
            reason: reasons::DEPLOYMENT_NOT_AVAILABLE.to_owned(),
            message: format!(
                "deployment {name} has not been available since {}: its pods and its own conditions say why",
                format_time(since)
            ),
        });
    }

    /// Notes that the Kafka of another cluster answers.
    pub fn other_cluster(&mut self, silence: &Silence) {
        let message = format!(
            "nothing is asked of Kafka or changed there: {silence}; look at what the Services of the cluster lead to, and at \
             status.clusterId of the Kafka resource"
        );
        self.stuck = true;
        self.warnings
            .push(Warning { reason: reasons::OTHER_KAFKA_CLUSTER.to_owned(), message: message.clone() });
        self.waiting_for.insert(0, message);
    }

    /// Notes what is known about a pod that is not there or not ready.
    pub fn pod_has_words(&mut self, words: String) {
        self.pod_has(Warning { reason: reasons::POD_NOT_READY.to_owned(), message: words });
    }

    /// Notes what is wrong with a pod.
    pub fn pod_has(&mut self, warning: Warning) {
        self.waiting_for.push(warning.message.clone());
        self.warnings.push(warning);
    }

    /// Notes how far other resources of a pod are that it gets without a restart.
    pub fn resizes(&mut self, pod: &str, resize: Resize) {
        let Some((words, is_warning)) = resize.words(pod) else { return };
        if is_warning {
            let reason = reasons::IN_PLACE_RESIZING_DEFERRED.to_owned();
            self.warnings.push(Warning { reason, message: words.clone() });
        }
        self.waiting_for.push(words);
    }

    /// Notes addresses of listeners that are not known, in words.
    pub fn addresses_unknown(&mut self, words: &[String]) {
        for words in words {
            let reason = reasons::LISTENER_ADDRESS_UNKNOWN.to_owned();
            self.warnings.push(Warning { reason, message: words.clone() });
            // All brokers may wait for the single address.
            if !self.waiting_for.contains(words) {
                self.waiting_for.push(words.clone());
            }
        }
    }

    /// Notes that a new version of the operator restarts no pod yet.
    pub fn plan_is_held(&mut self, held: &HeldPlan) {
        self.lasting.insert(reasons::PLAN_HELD, held.since);
        self.warnings.push(Warning { reason: reasons::PLAN_HELD.to_owned(), message: held.why.clone() });
    }

    /// Notes that a roll waits.
    pub fn roll_waits(&mut self, waits: &Waiting, now: Timestamp) {
        if !waits.is_usual() {
            self.lasting.insert(reasons::ROLLING_UPDATE_WAITS, waits.since);
            self.waiting_for.insert(0, waits.why.clone());
            self.stuck |= waits.kind == WaitKind::Refused || now.duration_since(waits.since) > PATIENCE;
        }
    }
}

/// The status of the Kafka resource.
pub fn kafka(
    kafka: &Kafka,
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    warnings: &[Warning],
    progress: &Progress,
    now: Timestamp,
) -> KafkaStatus {
    let old = kafka.status.as_ref();
    let old_conditions = old.and_then(|old| old.conditions.as_deref());
    let mut conditions: Vec<Condition> = warnings.iter().map(warning).collect();
    let mut said = KafkaStatus {
        listeners: Some(
            cluster
                .listeners
                .iter()
                .map(|listener| listener_status(cluster, listener, certificates, &progress.held_by_others))
                .collect(),
        ),
        kafka_node_pools: Some(
            cluster
                .pools
                .iter()
                .filter(|pool| pool.origin.has_resource())
                .map(|pool| UsedNodePool { name: Some(pool.name.clone()) })
                .collect(),
        ),
        cluster_id: old.and_then(|old| old.cluster_id.clone()),
        operator_last_successful_version: old.and_then(|old| old.operator_last_successful_version.clone()),
        kafka_version: old.and_then(|old| old.kafka_version.clone()),
        kafka_metadata_version: old.and_then(|old| old.kafka_metadata_version.clone()),
        features: old.and_then(|old| old.features.clone()),
        auto_rebalance: old.and_then(|old| old.auto_rebalance.clone()),
        cluster_security: Some(cluster.internal_security.status()),
        ..KafkaStatus::default()
    };
    if let Some(view) = &observed.view {
        if said.cluster_id.is_none() && !view.cluster_id.is_empty() {
            said.cluster_id = Some(view.cluster_id.clone());
        }
        let model = cluster.version.model();
        if let Some(name) = view.metadata_level.and_then(|level| model.metadata_name(level)) {
            said.kafka_metadata_version = Some(name.to_owned());
        }
        if !view.features.is_empty() {
            said.features = Some(features::status(cluster, view, observed));
        }
    }
    let (condition, generation) = status::readiness(
        kafka,
        status::Progress {
            what: "Kafka cluster",
            waiting_for: &progress.waiting_for,
            stuck: progress.stuck,
            has_served: old.is_some_and(|old| old.kafka_version.is_some()),
        },
    );
    conditions.push(condition);
    said.observed_generation = generation;
    if progress.waiting_for.is_empty() {
        said.operator_last_successful_version = Some(observed.settings.operator_version.clone());
        said.kafka_version = Some(cluster.version.version.clone());
    }
    let mut conditions = drained_since(merge(conditions, old_conditions, now), old_conditions);
    for condition in &mut conditions {
        let since = condition.reason.as_deref().and_then(|reason| progress.lasting.get(reason));
        if let Some(since) = since {
            condition.last_transition_time = Some(format_time(*since));
        }
    }
    said.conditions = Some(conditions);
    said
}

fn listener_status(
    cluster: &Cluster,
    listener: &Listener,
    certificates: &Certificates,
    held_by_others: &BTreeSet<ObjectId>,
) -> ListenerStatus {
    let leads_elsewhere = held_by_others.iter().any(|object| leads_in(object, cluster, listener));
    let addresses = if leads_elsewhere { &[] } else { cluster.addresses.bootstrap(listener) };
    let servers: Vec<String> =
        addresses.iter().map(|address| format!("{}:{}", address.host, address.port)).collect();
    let own = listener.certificate.as_ref().map(|own| own.chain.pem());
    let trusted = own.unwrap_or_else(|| certificates.cluster_ca.trusted());
    ListenerStatus {
        name: Some(listener.name.clone()),
        bootstrap_servers: Some(servers.join(",")),
        addresses: Some(
            addresses
                .iter()
                .map(|address| ListenerAddress {
                    host: Some(address.host.clone()),
                    port: Some(i32::from(address.port)),
                })
                .collect(),
        ),
        certificates: listener.tls.then(|| vec![trusted]),
    }
}

/// Whether clients of a listener begin at an object of this name.
fn leads_in(object: &ObjectId, cluster: &Cluster, listener: &Listener) -> bool {
    let own = names::external_bootstrap_service(&cluster.name, &listener.name);
    let name = match (&listener.exposure, object.kind.as_str()) {
        (Exposure::Internal { .. }, "Service") => names::bootstrap_service(&cluster.name),
        (Exposure::OwnServices(_), "Service") => own,
        (Exposure::OwnServices(_), "Ingress" | "Route" | "TLSRoute") => {
            names::external_bootstrap_route(&cluster.name, &listener.name, i32::from(listener.port))
        }
        _ => return false,
    };
    object.name == name
}

/// The status of a pool. `of_kafka` says how far nodes and volumes are emptied.
pub fn pool<'a>(
    cluster: &Cluster,
    pool: &Pool,
    of_kafka: impl Iterator<Item = &'a Warning>,
    observed: &Observed,
    now: Timestamp,
) -> KafkaNodePoolStatus {
    let raw = observed.pools.iter().find(|raw| raw.metadata.name.as_deref() == Some(&pool.name));
    let old = raw.and_then(|raw| raw.status.as_ref());
    let mut conditions: Vec<Condition> = pool.warnings.iter().map(warning).collect();
    conditions.extend(plug_ins::missing(cluster, pool, observed).iter().map(warning));
    conditions.extend(of_kafka.map(warning));
    conditions.extend(raw.and_then(|raw| moved(raw, &cluster.name)));
    let mut roles = Vec::new();
    if pool.controller {
        roles.push(ProcessRole::Controller);
    }
    if pool.broker {
        roles.push(ProcessRole::Broker);
    }
    KafkaNodePoolStatus {
        conditions: Some(drained_since(
            merge(conditions, old.and_then(|old| old.conditions.as_deref()), now),
            old.and_then(|old| old.conditions.as_deref()),
        )),
        observed_generation: pool.generation,
        node_ids: Some(pool.nodes.iter().copied().collect()),
        cluster_id: cluster.cluster_id.clone(),
        roles: Some(roles),
        replicas: i32::try_from(pool.nodes.len()).ok(),
        label_selector: Some(labels::selector_text(&pool_labels(cluster, pool))),
    }
}

/// Nodes are emptied since they began to be, however far that is by now.
fn drained_since(mut conditions: Vec<Condition>, old: Option<&[Condition]>) -> Vec<Condition> {
    let is_drain = |one: &Condition| one.reason.as_deref() == Some(reasons::NODES_DRAIN);
    let begun = old.unwrap_or_default().iter().filter(|one| is_drain(one));
    let since = begun.filter_map(|one| one.last_transition_time.clone()).min();
    for condition in conditions.iter_mut().filter(|one| is_drain(one)) {
        condition.last_transition_time = since.clone().or(condition.last_transition_time.take());
    }
    conditions
}

/// Says that a pool with nodes in the cluster carries the label of another one.
fn moved(raw: &KafkaNodePool, cluster: &str) -> Option<Condition> {
    let label = membership::label(raw);
    (label != Some(cluster)).then(|| {
        let message = format!(
            "metadata.labels {}: the nodes of this pool belong to cluster {cluster} and stay there: write \
             strimzi.io/cluster: {cluster}; for nodes in another cluster create another KafkaNodePool",
            membership::labelled(label)
        );
        Condition::not_ready(reasons::NODE_POOL_OF_ANOTHER_CLUSTER, message)
    })
}
