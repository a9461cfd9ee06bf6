//! The node pools of a cluster: roles, node ids, storage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::conditions::reasons;
use api::kafka::template::KafkaClusterTemplate;
use api::kafka_node_pool::ProcessRole;
use api::labels::ExclusionPattern;
use api::{KafkaNodePool, annotations, names};
use kube_core::ResourceExt;

use super::bounds::MAX_CONTROLLERS;
use super::{Findings, bounds, storage};
use crate::kafka::cluster::{JvmOptions, Pool, Volume, VolumeKind, Warning};
use crate::kafka::existing::{Existing, PoolFacts};
use crate::kafka::observed::Observed;
use crate::kafka::transitions::leaving::{Replicas, list};
use crate::kafka::transitions::quorum::Remembered;
use crate::kafka::transitions::roles::{self, RoleChange};
use crate::kafka::transitions::scaling::{GrowthHold, Scaler, Scaling, Wish};
use crate::kafka::transitions::{membership, node_ids};

/// Reads every pool. The JVM options and templates of the Kafka resource are laid under later.
pub fn validate(
    observed: &Observed,
    quorum: &Remembered,
    exclusion: &ExclusionPattern,
    findings: &mut Findings,
) -> Vec<Pool> {
    let cluster = observed.kafka.as_ref().map(|kafka| kafka.name_any()).unwrap_or_default();
    let existing = Existing::of(observed);
    for (pool, id) in existing.conflicts() {
        findings.problem(
            format!("KafkaNodePool {pool} status.nodeIds"),
            format!("node id {id} is used by another pool too: node ids must be unique in a cluster"),
        );
    }
    say_membership(observed, &cluster, findings);
    let too_large = too_large(observed, &existing, findings);
    let reader =
        Reader { observed, cluster: &cluster, existing: existing.clone(), quorum, exclusion, too_large };
    let mut scaler = Scaler::new(observed, existing, quorum);
    let pools: Vec<Pool> = observed.pools.iter().map(|raw| reader.read(raw, &mut scaler, findings)).collect();
    without_a_pool(observed, &pools, findings);
    overall(&observed.pools, &pools, &cluster, findings);
    pools
}

/// The pools that would give the quorum more controllers than every node is to list in its configuration.
fn too_many_controllers(
    observed: &Observed,
    existing: &Existing,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let pools: Vec<_> =
        observed.pools.iter().filter(|raw| raw.spec.roles.contains(&ProcessRole::Controller)).collect();
    let size = |raw: &&Arc<KafkaNodePool>| {
        let facts = existing.pool(&raw.name_any());
        let is_controller = facts.controller.decided || facts.controller.running;
        let has = if is_controller { facts.nodes.len() } else { 0 };
        (has, usize::try_from(raw.spec.replicas).unwrap_or(has))
    };
    let sizes: Vec<(usize, usize)> = pools.iter().map(size).collect();
    let mut refused = BTreeSet::new();
    for (raw, _) in
        pools.iter().zip(bounds::too_large(&sizes, MAX_CONTROLLERS)).filter(|(_, refused)| *refused)
    {
        findings.problem(
            format!("KafkaNodePool {} spec.replicas", raw.name_any()),
            format!(
                "{} would give the cluster more than {MAX_CONTROLLERS} controllers, of which every node lists each: a quorum \
                 has 3 or 5; put the other nodes into a pool with roles: [broker]",
                raw.spec.replicas
            ),
        );
        refused.insert(raw.name_any());
    }
    refused
}

/// The pools that would make the cluster larger than an operator plans; what is there stays.
fn too_large(observed: &Observed, existing: &Existing, findings: &mut Findings) -> BTreeSet<String> {
    let most = observed.settings.max_nodes;
    let sizes: Vec<(usize, usize)> = observed
        .pools
        .iter()
        .map(|raw| {
            let has = existing.pool(&raw.name_any()).nodes.len();
            (has, usize::try_from(raw.spec.replicas).unwrap_or(has))
        })
        .collect();
    let mut refused = too_many_controllers(observed, existing, findings);
    for (raw, too_large) in observed.pools.iter().zip(bounds::too_large(&sizes, most)) {
        if too_large {
            findings.problem(
                format!("KafkaNodePool {} spec.replicas", raw.name_any()),
                format!(
                    "{} would make the cluster larger than {most} nodes ({} of the operator): write less",
                    raw.spec.replicas,
                    api::env::MAX_NODES
                ),
            );
            refused.insert(raw.name_any());
        }
    }
    refused
}

/// Names the pools whose label and nodes are of two clusters, and those whose pods another cluster has.
fn say_membership(observed: &Observed, cluster: &str, findings: &mut Findings) {
    for pool in &observed.pools {
        let (name, label) = (pool.name_any(), membership::label(pool));
        if label != Some(cluster) {
            findings.warn(
                reasons::NODE_POOL_OF_ANOTHER_CLUSTER,
                format!(
                    "KafkaNodePool {name} metadata.labels {}: its nodes belong to this cluster and stay: write \
                     strimzi.io/cluster: {cluster}",
                    membership::labelled(label)
                ),
            );
        }
        let set = names::pod_set(cluster, &name);
        if let Some(other) = observed.pod_sets_of_others.get(&set) {
            findings.problem(
                format!("KafkaNodePool {name} metadata.name"),
                format!(
                    "its StrimziPodSet would be called {set}, which is that of {other}: give the pool \
                     another name"
                ),
            );
        }
    }
    for (pool, home) in &observed.pools_of_others {
        findings.warn(
            reasons::NODE_POOL_OF_ANOTHER_CLUSTER,
            format!(
                "KafkaNodePool {pool} metadata.labels strimzi.io/cluster: {cluster}: its nodes belong to cluster {home}, \
                 so it is left out here: write strimzi.io/cluster: {home}, and create another KafkaNodePool for this cluster"
            ),
        );
    }
}

/// Brokers that hold replicas and that no pool has: nobody can start them, and Kafka waits for them.
fn without_a_pool(observed: &Observed, pools: &[Pool], findings: &mut Findings) {
    let Some(view) = &observed.view else { return };
    let planned: BTreeSet<i32> = pools.iter().flat_map(|pool| pool.nodes.iter().copied()).collect();
    let others: BTreeSet<i32> = view.registered_brokers.difference(&planned).copied().collect();
    for broker in Replicas::of(observed).on(&others) {
        findings.warn(
            reasons::SCALE_DOWN_PREVENTION_CHECK,
            format!(
                "broker {broker} holds replicas and no KafkaNodePool has it: it stays registered in Kafka until they \
                 are moved to other brokers"
            ),
        );
    }
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
    for (role, of_role) in [
        ("controller", pools.iter().filter(|pool| pool.controller).collect::<Vec<_>>()),
        ("broker", pools.iter().filter(|pool| pool.broker).collect::<Vec<_>>()),
    ] {
        if of_role.iter().any(|pool| !pool.nodes.is_empty()) {
            continue;
        }
        let waiting = of_role.iter().find_map(|pool| pool.waits_for.clone());
        let message = waiting.map_or_else(
            || format!("no pool with at least one replica has the role {role}: add it to a pool"),
            |waiting| format!("there is no {role} yet; the cluster waits for {waiting}"),
        );
        findings.problem("KafkaNodePool spec.roles", message);
    }
    let controllers: usize = pools.iter().filter(|pool| pool.controller).map(|pool| pool.nodes.len()).sum();
    ephemeral_controllers(pools, findings);
    if controllers > 0 && controllers.is_multiple_of(2) {
        findings.warn(
            reasons::KAFKA_KRAFT_CONTROLLER_NODE_COUNT,
            format!("there are {controllers} controllers: an odd number survives as many failures with fewer nodes"),
        );
    }
}

/// Controllers that forget while brokers remember: a quorum that starts anew has no topics, and the brokers give their
/// logs up for it.
fn ephemeral_controllers(pools: &[Pool], findings: &mut Findings) {
    let is_ephemeral = |volume: &Volume| matches!(volume.kind, VolumeKind::Ephemeral { .. });
    let forgets = |pool: &&Pool| pool.controller && pool.metadata_volume().is_some_and(is_ephemeral);
    let keeps = pools.iter().any(|pool| pool.broker && !pool.volumes.iter().all(is_ephemeral));
    for pool in pools.iter().filter(forgets).filter(|_| keeps) {
        findings.warn(
            reasons::EPHEMERAL_CONTROLLERS,
            format!(
                "KafkaNodePool {name} spec.storage: the controllers keep the metadata on ephemeral storage while brokers \
                 have persistent volumes: when most controllers lose their pods at once, all topics are forgotten, and \
                 the brokers set aside the records on their volumes; write type: persistent-claim in a new pool of \
                 controllers before records matter",
                name = pool.name
            ),
        );
    }
}

/// What the reading of every pool depends on.
struct Reader<'a> {
    observed: &'a Observed,
    cluster: &'a str,
    existing: Existing,
    quorum: &'a Remembered,
    exclusion: &'a ExclusionPattern,
    /// Pools that would make the cluster too large.
    too_large: BTreeSet<String>,
}

impl Reader<'_> {
    fn read(&self, raw: &KafkaNodePool, scaler: &mut Scaler<'_>, findings: &mut Findings) -> Pool {
        let name = raw.name_any();
        let path = format!("KafkaNodePool {name}");
        let mut warnings = Vec::new();
        if raw.spec.roles.is_empty() {
            findings.problem(
                format!("{path} spec.roles"),
                "is empty: write [broker], [controller] or [controller, broker]",
            );
        }
        let facts = self.existing.pool(&name);
        let (controller, broker) = self.roles(raw, &facts, findings);
        let mut wish =
            wish(raw, &facts, &path, self.observed.settings.max_wished_ids, &mut warnings, findings);
        (wish.controller, wish.broker) = (controller, broker);
        if self.too_large.contains(&name) {
            wish.replicas = facts.nodes.len();
        }
        let (nodes, scaling) = scaler.scale(&wish);
        let waits_for = say_scaling(&name, &scaling, findings);
        let labels = self.exclusion.inherited(raw.metadata.labels.as_ref()).unwrap_or_else(|error| {
            findings.problem(format!("{path} metadata.labels"), error.to_string());
            BTreeMap::new()
        });
        let (volumes, jbod, storage_json) =
            volumes(raw, self.observed, self.cluster, &path, &mut warnings, findings);
        Pool {
            uid: raw.uid().unwrap_or_default(),
            generation: raw.metadata.generation,
            labels,
            controller,
            broker,
            nodes,
            waits_for,
            volumes,
            jbod,
            storage_json,
            resources: raw.spec.resources.clone(),
            jvm: raw.spec.jvm_options.as_ref().map(jvm).unwrap_or_default(),
            templates: KafkaClusterTemplate::default().overlaid(raw.spec.template.as_ref()),
            warnings,
            name,
        }
    }

    /// Whether the nodes are controllers, and whether they are brokers.
    fn roles(&self, raw: &KafkaNodePool, facts: &PoolFacts, findings: &mut Findings) -> (bool, bool) {
        let name = raw.name_any();
        let asks = |role| raw.spec.roles.contains(&role);
        let broker = roles::broker(asks(ProcessRole::Broker), facts, Replicas::of(self.observed));
        let controller = roles::controller(asks(ProcessRole::Controller), facts, self.quorum);
        for (role, change) in [("broker", &broker), ("controller", &controller)] {
            match change {
                RoleChange::HeldBack(why) => findings.warn(
                    reasons::SCALE_DOWN_PREVENTION_CHECK,
                    format!("pool {name} keeps the {role} role: {why}"),
                ),
                RoleChange::Refused { voters } => findings.warn(
                    reasons::STATIC_CONTROLLER_QUORUM,
                    format!("pool {name} does not get the {role} role: {}", fixed_voters(voters)),
                ),
                RoleChange::Settled | RoleChange::Granted | RoleChange::Removable => {}
            }
        }
        (controller.has(asks(ProcessRole::Controller)), broker.has(asks(ProcessRole::Broker)))
    }
}

/// What a pool asks for, but its roles.
fn wish(
    raw: &KafkaNodePool,
    facts: &PoolFacts,
    path: &str,
    max_ids: usize,
    warnings: &mut Vec<Warning>,
    findings: &mut Findings,
) -> Wish {
    let replicas = usize::try_from(raw.spec.replicas).unwrap_or_else(|_| {
        findings.problem(
            format!("{path} spec.replicas"),
            format!("{} is negative: write 0 or more", raw.spec.replicas),
        );
        facts.nodes.len()
    });
    let mut ids = |key: &str| {
        let text = raw.metadata.annotations.as_ref().and_then(|all| all.get(key));
        let parsed = text.map(|text| node_ids::parse_ranges(text, max_ids)).transpose();
        let ids = parsed.unwrap_or_else(|message| {
            let message = format!("annotation {key} is ignored: {message}");
            warnings.push(Warning { reason: "InvalidNodeIds".to_owned(), message });
            None
        });
        ids.unwrap_or_default()
    };
    let next = ids(annotations::NEXT_NODE_IDS);
    let remove = ids(annotations::REMOVE_NODE_IDS);
    Wish { pool: raw.name_any(), replicas, next, remove, ..Wish::default() }
}

/// Says what keeps a pool from the number of nodes that it asks for. The answer is what it waits for, if that comes by
/// itself.
fn say_scaling(pool: &str, scaling: &Scaling, findings: &mut Findings) -> Option<String> {
    match scaling {
        Scaling::Settled | Scaling::Growing { .. } | Scaling::Removable { .. } => None,
        Scaling::HeldBack { why, .. } => {
            findings
                .warn(reasons::SCALE_DOWN_PREVENTION_CHECK, format!("pool {pool} is not scaled down: {why}"));
            None
        }
        Scaling::GrowthHeldBack { missing, why: GrowthHold::StaticQuorum { voters }, .. } => {
            findings.warn(
                reasons::STATIC_CONTROLLER_QUORUM,
                format!("pool {pool} does not get {missing} more nodes: {}", fixed_voters(voters)),
            );
            None
        }
        Scaling::GrowthHeldBack { missing, why: GrowthHold::IdsUnknown, .. } => Some(format!(
            "pool {pool} to get {missing} more nodes: Kafka has not said yet which node ids it knows; ids that the \
             annotation {} of the pool names are taken at once",
            annotations::NEXT_NODE_IDS
        )),
    }
}

fn fixed_voters(voters: &BTreeSet<i32>) -> String {
    format!(
        "the cluster was formatted with controller.quorum.voters, a fixed list, and its controllers stay nodes {}; use \
         other pools for more brokers",
        list(voters)
    )
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
