//! The statuses of the Kafka resource and its pools.

use std::collections::BTreeSet;

use api::conditions::{Condition, format_time, merge, reasons, types};
use api::kafka::status::{KafkaStatus, ListenerAddress, ListenerStatus, UsedNodePool};
use api::kafka_node_pool::{KafkaNodePoolStatus, ProcessRole};
use api::{Kafka, KafkaNodePool, labels, names};
use jiff::Timestamp;

use objects::ObjectId;

use super::certificates::Certificates;
use super::cluster::{Cluster, Exposure, Listener, Pool, Warning};
use super::objects::meta::pool_labels;
use super::observed::Observed;
use super::plug_ins;
use super::pod_state::PATIENCE;
use super::transitions::membership;
use super::validate::Invalid;
use crate::pod_set::pod_error::PodAction;
use crate::roll::waiting::{WaitKind, Waiting};
use crate::words;
use crate::workload::resizing::Resize;

/// The status of a resource that cannot be carried out. What runs is left as it is, and so is what was said of it.
pub fn invalid(kafka: &Kafka, invalid: &Invalid, warnings: &[Warning], now: Timestamp) -> KafkaStatus {
    let old = kafka.status.as_ref();
    let mut conditions = vec![Condition::not_ready(invalid.reason, invalid.message())];
    conditions.extend(warnings.iter().map(warning));
    let mut status = old.cloned().unwrap_or_default();
    status.conditions = Some(merge(conditions, old.and_then(|old| old.conditions.as_deref()), now));
    status.observed_generation = kafka.metadata.generation;
    status
}

/// The status of a resource whose pass failed. What was known of the cluster stays, and so do the warnings of the plan, as far
/// as there was one.
pub fn failed(
    kafka: &Kafka,
    planned: Option<&KafkaStatus>,
    reason: &str,
    message: impl Into<String>,
    now: Timestamp,
) -> KafkaStatus {
    let old = kafka.status.as_ref();
    let mut conditions = planned.and_then(|status| status.conditions.clone()).unwrap_or_default();
    conditions.retain(|condition| condition.is(types::WARNING));
    conditions.push(Condition::not_ready(reason, message));
    let mut status = old.cloned().unwrap_or_default();
    status.conditions = Some(merge(conditions, old.and_then(|old| old.conditions.as_deref()), now));
    status.observed_generation = kafka.metadata.generation;
    status
}

/// What Kubernetes refused to do to pods that are there, also to those that are not wanted any more.
pub fn errors_of_live_pods(observed: &Observed) -> impl Iterator<Item = Warning> {
    let errors = observed.pod_errors.iter().filter(|(_, error)| error.action != PodAction::Create);
    errors.map(|(pod, error)| Warning {
        reason: reasons::KUBERNETES_ERROR.to_owned(),
        message: error.words(pod),
    })
}

/// The status of a paused resource: it says so, and what was known of the cluster stays.
pub fn paused(kafka: &Kafka, now: Timestamp) -> KafkaStatus {
    let mut status = kafka.status.clone().unwrap_or_default();
    status.conditions = Some(merge(vec![Condition::paused()], status.conditions.as_deref(), now));
    status
}

/// How far the cluster is.
#[derive(Debug, Default)]
pub struct Progress {
    /// What it waits for; empty: nothing.
    pub waiting_for: Vec<String>,
    /// Whether something has been waiting for so long that it counts as a failure.
    pub stuck: bool,
    /// Since when the roll waits for more than a pod that starts.
    pub roll_waits_since: Option<Timestamp>,
    /// What deserves a look, in addition to what the resource itself gives reason for.
    pub warnings: Vec<Warning>,
    /// Objects that have a name which the cluster needs and belong to somebody else: the status leads no client to these.
    pub held_by_others: BTreeSet<ObjectId>,
}

impl Progress {
    /// Notes that a pod is not ready since a time.
    pub fn unready_since(&mut self, since: Option<Timestamp>, now: Timestamp) {
        if since.is_some_and(|since| now.duration_since(since) > PATIENCE) {
            self.stuck = true;
        }
    }

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

    /// Notes what is known about a pod that is not there or not ready.
    pub fn pod_has_words(&mut self, words: String) {
        let reason = reasons::POD_NOT_READY.to_owned();
        self.warnings.push(Warning { reason, message: words.clone() });
        self.waiting_for.push(words);
    }

    /// Notes how far other resources of a pod are that it gets without a restart.
    pub fn resizes(&mut self, pod: &str, resize: Resize) {
        let words = match resize {
            // Of what is impossible there is a restart.
            Resize::Done | Resize::Impossible(_) => return,
            Resize::Due => format!("pod {pod} is to get other resources without a restart"),
            Resize::UnderWay(words) => {
                format!("pod {pod} gets other resources without a restart: {words}")
            }
            Resize::Deferred(words) => {
                let words =
                    format!("pod {pod} waits for other resources, which Kubernetes puts off: {words}");
                let reason = reasons::IN_PLACE_RESIZING_DEFERRED.to_owned();
                self.warnings.push(Warning { reason, message: words.clone() });
                words
            }
        };
        self.waiting_for.push(words);
    }

    /// Notes addresses of listeners that are not known, in words.
    pub fn addresses_unknown(&mut self, words: &[String]) {
        for words in words {
            let reason = reasons::LISTENER_ADDRESS_UNKNOWN.to_owned();
            self.warnings.push(Warning { reason, message: words.clone() });
            // All brokers may wait for the one address.
            if !self.waiting_for.contains(words) {
                self.waiting_for.push(words.clone());
            }
        }
    }

    /// Notes that a roll waits.
    pub fn roll_waits(&mut self, waits: &Waiting, now: Timestamp) {
        if !waits.is_usual() {
            self.roll_waits_since = Some(waits.since);
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
    let was_ready = old_conditions.into_iter().flatten().any(|condition| condition.is(types::READY));
    let done = progress.waiting_for.is_empty();
    let mut conditions: Vec<Condition> = warnings.iter().map(warning).collect();
    let mut status = KafkaStatus {
        observed_generation: kafka.metadata.generation,
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
                .filter(|pool| !pool.implied)
                .map(|pool| UsedNodePool { name: Some(pool.name.clone()) })
                .collect(),
        ),
        cluster_id: old.and_then(|old| old.cluster_id.clone()),
        operator_last_successful_version: old.and_then(|old| old.operator_last_successful_version.clone()),
        kafka_version: old.and_then(|old| old.kafka_version.clone()),
        kafka_metadata_version: old.and_then(|old| old.kafka_metadata_version.clone()),
        auto_rebalance: old.and_then(|old| old.auto_rebalance.clone()),
        cluster_security: Some(cluster.internal_security.status()),
        ..KafkaStatus::default()
    };
    if let Some(view) = &observed.view {
        if status.cluster_id.is_none() && !view.cluster_id.is_empty() {
            status.cluster_id = Some(view.cluster_id.clone());
        }
        let model = cluster.version.model();
        if let Some(name) = view.metadata_level.and_then(|level| model.metadata_name(level)) {
            status.kafka_metadata_version = Some(name.to_owned());
        }
    }
    if done {
        conditions.push(Condition::ready());
        status.operator_last_successful_version = Some(observed.settings.operator_version.clone());
        status.kafka_version = Some(cluster.version.version.clone());
    } else if was_ready && !progress.stuck {
        // It serves on while a change is carried out; the generation tells that the change is not done.
        conditions.push(Condition::ready());
        status.observed_generation = old.and_then(|old| old.observed_generation);
    } else {
        let (reason, what) = if was_ready || old.is_some_and(|old| old.kafka_version.is_some()) {
            (reasons::NOT_READY, "Kafka cluster is not ready")
        } else {
            (reasons::CREATING, "Kafka cluster is being deployed")
        };
        let message = format!("{what}: {}", shortened(&progress.waiting_for));
        conditions.push(Condition::not_ready(reason, message));
    }
    let mut conditions = merge(conditions, old_conditions, now);
    for condition in &mut conditions {
        // It waits since it began to, also when it waits for something else by now.
        if condition.reason.as_deref() == Some(reasons::ROLLING_UPDATE_WAITS) {
            condition.last_transition_time = progress.roll_waits_since.map(format_time);
        }
    }
    status.conditions = Some(conditions);
    status
}

/// The first few of a long list.
fn shortened(texts: &[String]) -> String {
    const SHOWN: usize = 5;
    words::first(texts, SHOWN, "; ")
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

/// The status of a pool.
pub fn pool(cluster: &Cluster, pool: &Pool, observed: &Observed, now: Timestamp) -> KafkaNodePoolStatus {
    let raw = observed.pools.iter().find(|raw| raw.metadata.name.as_deref() == Some(&pool.name));
    let old = raw.and_then(|raw| raw.status.as_ref());
    let mut conditions: Vec<Condition> = pool.warnings.iter().map(warning).collect();
    conditions.extend(plug_ins::missing(cluster, pool, observed).iter().map(warning));
    conditions.extend(raw.and_then(|raw| moved(raw, &cluster.name)));
    let mut roles = Vec::new();
    if pool.controller {
        roles.push(ProcessRole::Controller);
    }
    if pool.broker {
        roles.push(ProcessRole::Broker);
    }
    KafkaNodePoolStatus {
        conditions: Some(merge(conditions, old.and_then(|old| old.conditions.as_deref()), now)),
        observed_generation: pool.generation,
        node_ids: Some(pool.nodes.iter().copied().collect()),
        cluster_id: cluster.cluster_id.clone(),
        roles: Some(roles),
        replicas: i32::try_from(pool.nodes.len()).ok(),
        label_selector: Some(labels::selector_text(&pool_labels(cluster, pool))),
    }
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

fn warning(warning: &Warning) -> Condition {
    Condition::warning(&warning.reason, warning.message.clone())
}
