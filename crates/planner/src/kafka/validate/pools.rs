//! The node pools of a cluster: roles, node ids, storage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::conditions::reasons;
use api::kafka_node_pool::ProcessRole;
use api::labels::ExclusionPattern;
use api::{KafkaNodePool, annotations, names};
use kube_core::ResourceExt;
use serde_json::Value;

use super::{Findings, node_ids, storage};
use crate::kafka::cluster::{JvmOptions, Pool, Templates, Volume, Warning};
use crate::kafka::observed::Observed;

/// Reads every pool. The JVM options and templates of the Kafka resource are laid under later.
pub fn validate(observed: &Observed, exclusion: &ExclusionPattern, findings: &mut Findings) -> Vec<Pool> {
    let cluster = observed.kafka.as_ref().map(|kafka| kafka.name_any()).unwrap_or_default();
    let mut current: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    let mut used: BTreeSet<i32> = BTreeSet::new();
    for pool in &observed.pools {
        let ids = current_ids(observed, &cluster, pool);
        for id in &ids {
            if !used.insert(*id) {
                findings.problem(
                    format!("KafkaNodePool {} status.nodeIds", pool.name_any()),
                    format!("node id {id} is used by another pool too: node ids must be unique in a cluster"),
                );
            }
        }
        current.insert(pool.name_any(), ids);
    }
    let mut pools = Vec::new();
    for raw in &observed.pools {
        let ids = current.remove(&raw.name_any()).unwrap_or_default();
        let pool = one(raw, observed, &cluster, &ids, &mut used, exclusion, findings);
        pools.push(pool);
    }
    overall(&observed.pools, &pools, &cluster, findings);
    pools
}

fn overall(raw: &[Arc<KafkaNodePool>], pools: &[Pool], cluster: &str, findings: &mut Findings) {
    if raw.is_empty() {
        findings.problem(
            "KafkaNodePool",
            format!(
                "no KafkaNodePool has the label strimzi.io/cluster: {cluster}: create one in the namespace of the \
                 Kafka resource with roles, replicas and storage"
            ),
        );
        return;
    }
    // A pool with a problem of its own should not be blamed for more.
    if !findings.problems.is_empty() {
        return;
    }
    for (role, has) in [
        ("controller", pools.iter().any(|pool| pool.controller && !pool.nodes.is_empty())),
        ("broker", pools.iter().any(|pool| pool.broker && !pool.nodes.is_empty())),
    ] {
        if !has {
            findings.problem(
                "KafkaNodePool spec.roles",
                format!("no pool with at least one replica has the role {role}: add it to a pool"),
            );
        }
    }
    let controllers: usize = pools.iter().filter(|pool| pool.controller).map(|pool| pool.nodes.len()).sum();
    if controllers > 0 && controllers.is_multiple_of(2) {
        findings.warn(
            reasons::KAFKA_KRAFT_CONTROLLER_NODE_COUNT,
            format!("there are {controllers} controllers: an odd number survives as many failures with fewer nodes"),
        );
    }
}

/// The ids that the pool has: from its status, or, where that was lost, from its pod set.
fn current_ids(observed: &Observed, cluster: &str, pool: &KafkaNodePool) -> BTreeSet<i32> {
    if let Some(ids) = pool.status.as_ref().and_then(|status| status.node_ids.as_ref()) {
        return ids.iter().copied().filter(|id| *id >= 0).collect();
    }
    let set_name = names::pod_set(cluster, &pool.name_any());
    let prefix = format!("{set_name}-");
    let pods = observed.pod_sets.get(&set_name).map(|set| set.spec.pods.as_slice()).unwrap_or_default();
    pods.iter()
        .filter_map(|pod| pod["metadata"]["name"].as_str())
        .filter_map(|name| name.strip_prefix(&prefix)?.parse().ok())
        .collect()
}

fn one(
    raw: &KafkaNodePool,
    observed: &Observed,
    cluster: &str,
    current: &BTreeSet<i32>,
    used: &mut BTreeSet<i32>,
    exclusion: &ExclusionPattern,
    findings: &mut Findings,
) -> Pool {
    let name = raw.name_any();
    let path = format!("KafkaNodePool {name}");
    let mut warnings = Vec::new();
    if raw.spec.roles.is_empty() {
        findings.problem(
            format!("{path} spec.roles"),
            "is empty: write [broker], [controller] or [controller, broker]",
        );
    }
    let mut controller = raw.spec.roles.contains(&ProcessRole::Controller);
    let mut broker = raw.spec.roles.contains(&ProcessRole::Broker);
    keep_roles(raw, observed, current, (&mut controller, &mut broker), findings);
    let replicas = usize::try_from(raw.spec.replicas).unwrap_or_else(|_| {
        findings.problem(
            format!("{path} spec.replicas"),
            format!("{} is negative: write 0 or more", raw.spec.replicas),
        );
        current.len()
    });
    let mut wished = |key: &str| {
        let text = raw.metadata.annotations.as_ref().and_then(|all| all.get(key));
        text.map(|text| node_ids::parse_ranges(text)).transpose().unwrap_or_else(|message| {
            let message = format!("annotation {key} is ignored: {message}");
            warnings.push(Warning { reason: "InvalidNodeIds".to_owned(), message });
            None
        })
    };
    let next = wished(annotations::NEXT_NODE_IDS).unwrap_or_default();
    let remove = wished(annotations::REMOVE_NODE_IDS).unwrap_or_default();
    // More nodes than ids of interest exist nowhere; a slip of the pen must not eat the memory.
    let replicas = if replicas > 10_000 {
        findings.problem(format!("{path} spec.replicas"), format!("{replicas} is more than 10000"));
        current.len()
    } else {
        replicas
    };
    let mut nodes = node_ids::assign(current, replicas, used, &next, &remove);
    let removed: BTreeSet<i32> = current.difference(&nodes).copied().collect();
    if let Some(message) = why_kept(observed, &removed, controller, broker) {
        findings
            .warn(reasons::SCALE_DOWN_PREVENTION_CHECK, format!("pool {name} is not scaled down: {message}"));
        nodes.extend(&removed);
    }
    used.extend(&nodes);
    let labels = exclusion.inherited(raw.metadata.labels.as_ref()).unwrap_or_else(|error| {
        findings.problem(format!("{path} metadata.labels"), error.to_string());
        BTreeMap::new()
    });
    let (volumes, jbod, storage_json) = volumes(raw, observed, cluster, &path, &mut warnings, findings);
    Pool {
        uid: raw.uid().unwrap_or_default(),
        generation: raw.metadata.generation,
        labels,
        controller,
        broker,
        nodes,
        volumes,
        jbod,
        storage_json,
        resources: raw.spec.resources.as_ref().and_then(|resources| serde_json::to_value(resources).ok()),
        jvm: raw.spec.jvm_options.as_ref().map(jvm).unwrap_or_default(),
        templates: templates(raw.spec.template.as_ref()),
        warnings,
        name,
    }
}

/// A role that is taken away while it is still needed stays.
fn keep_roles(
    raw: &KafkaNodePool,
    observed: &Observed,
    current: &BTreeSet<i32>,
    (controller, broker): (&mut bool, &mut bool),
    findings: &mut Findings,
) {
    let name = raw.name_any();
    let had = raw.status.as_ref().and_then(|status| status.roles.as_ref());
    let had = |role| had.is_some_and(|roles: &Vec<ProcessRole>| roles.contains(&role));
    if current.is_empty() {
        return;
    }
    if had(ProcessRole::Broker)
        && !*broker
        && let Some(message) = why_kept(observed, current, false, true)
    {
        findings.warn(
            reasons::SCALE_DOWN_PREVENTION_CHECK,
            format!("pool {name} keeps the broker role: {message}"),
        );
        *broker = true;
    }
    if had(ProcessRole::Controller) && !*controller {
        findings.warn(
            reasons::SCALE_DOWN_PREVENTION_CHECK,
            format!("pool {name} keeps the controller role: controllers cannot be taken out of a running quorum yet"),
        );
        *controller = true;
    }
}

/// Why nodes must stay; `None`: they may go.
fn why_kept(observed: &Observed, nodes: &BTreeSet<i32>, controller: bool, broker: bool) -> Option<String> {
    if nodes.is_empty() {
        return None;
    }
    if controller {
        return Some(format!(
            "nodes {} are controllers, which cannot be taken out of a running quorum yet",
            list(nodes)
        ));
    }
    let skip = observed.kafka.as_ref().is_some_and(|kafka| {
        annotations::is_true(kafka.metadata.annotations.as_ref(), annotations::SKIP_BROKER_SCALEDOWN_CHECK)
    });
    if !broker || skip {
        return None;
    }
    match observed.view.as_ref().and_then(|view| view.brokers_with_replicas.as_ref()) {
        None => Some(format!(
            "whether brokers {} hold replicas is not known while Kafka does not answer",
            list(nodes)
        )),
        Some(busy) => {
            let holding: BTreeSet<i32> = nodes.intersection(busy).copied().collect();
            (!holding.is_empty()).then(|| {
                format!("brokers {} hold replicas: move them to other brokers first", list(&holding))
            })
        }
    }
}

fn list(ids: &BTreeSet<i32>) -> String {
    let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
    texts.join(", ")
}

/// The volumes to use: those of the resource, or those in use when the change cannot be made.
fn volumes(
    raw: &KafkaNodePool,
    observed: &Observed,
    cluster: &str,
    path: &str,
    warnings: &mut Vec<Warning>,
    findings: &mut Findings,
) -> (Vec<Volume>, bool, String) {
    let (volumes, jbod) = storage::validate(&raw.spec.storage, &format!("{path} spec.storage"), findings);
    let wanted = serde_json::to_string(&raw.spec.storage).unwrap_or_default();
    let set = observed.pod_sets.get(&names::pod_set(cluster, &raw.name_any()));
    let remembered = set.and_then(|set| set.metadata.annotations.as_ref()?.get(annotations::STORAGE));
    let Some(remembered) = remembered else {
        return (volumes, jbod, wanted);
    };
    let Ok(old) = serde_json::from_str::<api::common::storage::Storage>(remembered) else {
        return (volumes, jbod, wanted);
    };
    let mut unheard = Findings::default();
    let (old_volumes, old_jbod) = storage::validate(&old, "", &mut unheard);
    if !unheard.problems.is_empty() || volumes.is_empty() {
        return (volumes, jbod, wanted);
    }
    match storage::forbidden_change(&old_volumes, old_jbod, &volumes, jbod) {
        None => (volumes, jbod, wanted),
        Some(why) => {
            let message =
                format!("{path} spec.storage: {why}; the storage in use is kept, write it as it was");
            warnings.push(Warning { reason: reasons::KAFKA_STORAGE.to_owned(), message: message.clone() });
            findings.warn(reasons::KAFKA_STORAGE, message);
            (old_volumes, old_jbod, remembered.clone())
        }
    }
}

/// Options of the JVM.
pub fn jvm(raw: &api::common::jvm::JvmOptions) -> JvmOptions {
    JvmOptions {
        xms: raw.xms.clone(),
        xmx: raw.xmx.clone(),
        xx: raw.xx.clone().unwrap_or_default(),
        system_properties: raw
            .java_system_properties
            .iter()
            .flatten()
            .filter_map(|property| Some((property.name.clone()?, property.value.clone().unwrap_or_default())))
            .collect(),
        gc_logging: raw.gc_logging_enabled.unwrap_or(false),
    }
}

/// A template section as JSON by key.
pub fn templates<T: serde::Serialize>(raw: Option<&T>) -> Templates {
    match raw.and_then(|raw| serde_json::to_value(raw).ok()) {
        Some(Value::Object(map)) => {
            Templates(map.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        _ => Templates::default(),
    }
}
