//! The node pools as they become: what each asks for, and what of it can be had with what exists.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::{KafkaNodePool, annotations, kinds, names};
use jiff::Timestamp;
use kube_core::ResourceExt;

use super::deleted_pools;
use super::departure::Departure;
use super::drain;
use super::leaving::{Hold, Replicas, list};
use super::membership;
use super::pool_finalizer;
use super::quorum::QuorumState;
use super::roles::{self, RoleChange};
use super::scaling::{GrowthHold, Scaler, Scaling, Wish};
use super::size::{self, MAX_CONTROLLERS, Size};
use super::volume_removal::{self, Change, Cordons};
use super::volumes::{self, Volumes};
use crate::findings::{Findings, Held, HeldPart};
use crate::kafka::cluster::{Pool, PoolOrigin};
use crate::kafka::existing::{Existing, PoolFacts};
use crate::kafka::observed::Observed;
use crate::kafka::pod_state;
use crate::kafka::validate::WantedPool;

/// What the pools of a cluster depend on beside their resources.
pub(crate) struct Seen<'a> {
    /// What was observed.
    pub observed: &'a Observed,
    /// How the controllers find each other.
    pub quorum: &'a QuorumState,
    /// Whether Kafka can keep new replicas away from a log directory.
    pub cordons: Cordons,
    /// The time.
    pub now: Timestamp,
}

/// The pools of a cluster, in the order of their names.
pub(crate) fn settle(
    cluster: &str,
    wanted: &[WantedPool],
    seen: &Seen<'_>,
    findings: &mut Findings,
) -> Vec<Pool> {
    let Seen { observed, quorum, cordons, now } = *seen;
    let existing = Existing::of(observed);
    findings.of_node_pools(|findings| {
        for (pool, id) in existing.conflicts() {
            findings.problem(
                format!("KafkaNodePool {pool} status.nodeIds"),
                format!("node id {id} is used by another pool too: node ids must be unique in a cluster"),
            );
        }
        for raw in &observed.pools {
            say_membership(raw, cluster, observed, findings);
        }
    });
    say_pools_of_others(cluster, observed, findings);
    let asks_for_controllers = |wanted: &WantedPool| {
        let has = || existing.pool(&wanted.pool.name).nodes.len();
        wanted.pool.controller && wanted.replicas.unwrap_or_else(has) > 0
    };
    let departure = Departure::new(observed, cluster, quorum, wanted.iter().any(asks_for_controllers));
    let settler = Settler {
        observed,
        departure,
        cluster,
        quorum,
        cordons,
        now,
        too_large: too_large(wanted, &existing, observed.settings.max_nodes, findings),
        existing: existing.clone(),
    };
    let mut scaler = Scaler::new(observed, existing, quorum, departure);
    let pools: Vec<Pool> =
        wanted.iter().map(|pool| settler.settle_pool(pool, &mut scaler, findings)).collect();
    without_a_pool(observed, &pools, findings);
    pools
}

/// The pools that would make the cluster larger than an operator plans, or its quorum larger than nodes list; what is there stays.
fn too_large(
    wanted: &[WantedPool],
    existing: &Existing,
    most: usize,
    findings: &mut Findings,
) -> BTreeSet<String> {
    let size = |wanted: &WantedPool| {
        let has = existing.pool(&wanted.pool.name).nodes.len();
        (has, wanted.replicas.unwrap_or(has))
    };
    let sizes: Vec<(usize, usize)> = wanted.iter().map(size).collect();
    let mut refused = BTreeSet::new();
    let controllers: Vec<&WantedPool> = wanted.iter().filter(|wanted| wanted.pool.controller).collect();
    let of_quorum = |wanted: &&WantedPool| {
        let facts = existing.pool(&wanted.pool.name);
        let is_controller = facts.controller.decided || facts.controller.running;
        let has = if is_controller { facts.nodes.len() } else { 0 };
        (has, wanted.replicas.unwrap_or(has))
    };
    let quorum: Vec<(usize, usize)> = controllers.iter().map(of_quorum).collect();
    for (pool, size) in controllers.into_iter().zip(size::of(&quorum, MAX_CONTROLLERS)) {
        if size == Size::TooLarge {
            pool.say_too_many_controllers(MAX_CONTROLLERS, findings);
            refused.insert(pool.pool.name.clone());
        }
    }
    for (pool, size) in wanted.iter().zip(size::of(&sizes, most)) {
        if size == Size::TooLarge {
            pool.say_too_large(most, findings);
            refused.insert(pool.pool.name.clone());
        }
    }
    refused
}

/// Says when the label and the nodes of a pool are of two clusters, and when another cluster has its pods.
fn say_membership(pool: &KafkaNodePool, cluster: &str, observed: &Observed, findings: &mut Findings) {
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
            format!("its StrimziPodSet would be called {set}, which is that of {other}: give the pool another name"),
        );
    }
}

/// Names the pools that carry the label of the cluster and have their nodes in another one.
fn say_pools_of_others(cluster: &str, observed: &Observed, findings: &mut Findings) {
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

/// What the settling of every pool depends on.
struct Settler<'a> {
    observed: &'a Observed,
    departure: Departure<'a>,
    cluster: &'a str,
    existing: Existing,
    quorum: &'a QuorumState,
    /// Whether Kafka can keep new replicas away from a log directory.
    cordons: Cordons,
    now: Timestamp,
    /// Pools that would make the cluster too large.
    too_large: BTreeSet<String>,
}

impl Settler<'_> {
    fn settle_pool(&self, wanted: &WantedPool, scaler: &mut Scaler<'_>, findings: &mut Findings) -> Pool {
        let mut pool = wanted.pool.clone();
        let facts = self.existing.pool(&pool.name);
        (pool.controller, pool.broker, pool.departing) = self.roles(&wanted.pool, &facts, findings);
        let replicas = wanted.replicas.filter(|_| !self.too_large.contains(&pool.name));
        let (nodes, scaling) = scaler.scale(&Wish {
            pool: pool.name.clone(),
            replicas: replicas.unwrap_or(facts.nodes.len()),
            next: wanted.next.clone(),
            remove: wanted.remove.clone(),
            controller: pool.controller,
            broker: pool.broker,
        });
        let loses_role = pool.broker && !wanted.pool.broker;
        pool.leaving = if loses_role { nodes.clone() } else { scaling.held_nodes() };
        pool.nodes = nodes;
        if !pool.departing.is_empty() {
            // Of a pool that loses the role no new node gets a vote either.
            pool.departing.clone_from(&pool.nodes);
        }
        if let Scaling::HeldBack { nodes, why } = &scaling {
            if pool.controller {
                pool.departing.extend(self.departure.departing(&pool.name, nodes, why));
            }
            // Brokers that are empty, and controllers for a while yet, get no new replicas.
            let is_kept_empty = why.is_of_quorum() && pool.broker && !pool.departing.is_empty();
            if self.drains(&pool.name) && (!why.is_of_quorum() || is_kept_empty) {
                pool.drained.clone_from(nodes);
                pool.emptied = is_kept_empty || matches!(why, Hold::Traces(_));
            }
        }
        pool.waits_for = say_scaling(&pool, &scaling, findings);
        self.volumes(wanted, &mut pool, findings);
        if let Some(raw) = self.raw(&pool.name).filter(|_| self.may_hold_records(&pool)) {
            deleted_pools::protect(&mut pool, raw, pool_finalizer::is_released(raw));
        }
        pool
    }

    /// Whether the nodes of a pool may have something to lose: the quorum has formed, or brokers were ready, though Kafka does not tell of that.
    fn may_hold_records(&self, pool: &Pool) -> bool {
        let set = self.observed.pod_sets.get(&names::pod_set(self.cluster, &pool.name));
        let was_so = set.is_some_and(|set| deleted_pools::remembered_name(set).is_some());
        pool.origin != PoolOrigin::Implied
            && (self.quorum.has_existed() || was_so || pod_state::some_broker_is_ready(self.observed))
    }

    fn raw(&self, pool: &str) -> Option<&KafkaNodePool> {
        self.observed.pools.iter().find(|raw| raw.name_any() == pool).map(AsRef::as_ref)
    }

    /// Whether nodes of a pool that are to leave are emptied first.
    fn drains(&self, pool: &str) -> bool {
        let kafka = self.observed.kafka.as_deref();
        kafka
            .zip(self.raw(pool))
            .is_some_and(|(kafka, raw)| drain::is_asked(kafka, raw, annotations::DRAIN_NODES))
    }

    /// Whether the nodes are controllers, whether they are brokers, and which are to be controllers no longer.
    fn roles(&self, asked: &Pool, facts: &PoolFacts, findings: &mut Findings) -> (bool, bool, BTreeSet<i32>) {
        let broker = roles::broker(asked.broker, facts, Replicas::of(self.observed));
        let controller = roles::controller(asked.controller, &asked.name, facts, self.quorum, self.departure);
        for (role, change) in [("broker", &broker), ("controller", &controller)] {
            let (pool, role) = (asked.name.clone(), role.to_owned());
            match change {
                RoleChange::HeldBack(why) => findings.hold(Held {
                    reason: reasons::SCALE_DOWN_PREVENTION_CHECK.to_owned(),
                    message: format!("pool {pool} keeps the {role} role: {why}"),
                    approval: approval(why),
                    part: HeldPart::RoleRemoval { pool, role },
                }),
                RoleChange::Refused { voters } => findings.hold(Held {
                    reason: reasons::STATIC_CONTROLLER_QUORUM.to_owned(),
                    message: format!("pool {pool} does not get the {role} role: {}", fixed_voters(voters)),
                    approval: None,
                    part: HeldPart::Role { pool, role },
                }),
                RoleChange::Settled | RoleChange::Granted | RoleChange::Removable => {}
            }
        }
        let departing = match &controller {
            RoleChange::HeldBack(why) => self.departure.departing(&asked.name, &facts.nodes, why),
            _ => BTreeSet::new(),
        };
        (controller.has(asked.controller), broker.has(asked.broker), departing)
    }

    /// The volumes: those of the resource, or those in use when the change cannot be made.
    fn volumes(&self, wanted: &WantedPool, pool: &mut Pool, findings: &mut Findings) {
        let asked = &wanted.storage;
        let in_use = volumes::in_use(asked, self.cluster, &pool.name, &pool.nodes, self.observed);
        let volumes = volumes::of(asked, in_use.clone());
        if let Volumes::Kept { why, .. } = &volumes {
            let held = Held {
                reason: reasons::KAFKA_STORAGE.to_owned(),
                message: format!(
                    "KafkaNodePool {} spec.storage: {why}; the storage in use is kept, write it as it was",
                    pool.name
                ),
                approval: None,
                part: HeldPart::Storage { pool: pool.name.clone() },
            };
            pool.warnings.push(held.warning());
            findings.hold(held);
        }
        let (asked, removed) = match volumes {
            Volumes::Settled => (asked.clone(), BTreeSet::new()),
            Volumes::Changing { removed, .. } => (asked.clone(), removed),
            // What leaves goes on leaving, or what was moved would come back.
            Volumes::Kept { in_use, .. } => {
                let set = self.observed.pod_sets.get(&names::pod_set(self.cluster, &pool.name));
                let known = set.map(|set| volume_removal::of_set(set).volumes).unwrap_or_default();
                volumes::without(&in_use, &(&known - &volumes::ids(&asked.volumes)))
            }
        };
        let change = Change { asked, in_use, removed, cordons: self.cordons };
        volume_removal::settle(pool, &change, self.cluster, self.observed, self.now, findings);
    }
}

/// Says what keeps a pool from the number of nodes that it asks for. The answer is what it waits for, if that comes by
/// itself.
fn say_scaling(pool: &Pool, scaling: &Scaling, findings: &mut Findings) -> Option<String> {
    let is_drained = !pool.drained.is_empty();
    let on = if pool.origin.has_resource() { kinds::KAFKA_NODE_POOL } else { kinds::KAFKA };
    let pool = pool.name.as_str();
    match scaling {
        Scaling::Settled | Scaling::Growing { .. } | Scaling::Removable { .. } => None,
        Scaling::HeldBack { why, nodes } => {
            findings.hold(Held {
                reason: reasons::SCALE_DOWN_PREVENTION_CHECK.to_owned(),
                message: format!("pool {pool} is not scaled down: {}", reason(why, is_drained, on)),
                approval: approval(why),
                part: HeldPart::NodeRemoval { pool: pool.to_owned(), nodes: nodes.clone() },
            });
            None
        }
        Scaling::GrowthHeldBack { missing, why: GrowthHold::StaticQuorum { voters }, .. } => {
            findings.hold(Held {
                reason: reasons::STATIC_CONTROLLER_QUORUM.to_owned(),
                message: format!("pool {pool} does not get {missing} more nodes: {}", fixed_voters(voters)),
                approval: None,
                part: HeldPart::NewNodes { pool: pool.to_owned(), count: *missing },
            });
            None
        }
        Scaling::GrowthHeldBack { missing, why: GrowthHold::IdsUnknown, .. } => Some(format!(
            "pool {pool} to get {missing} more nodes: Kafka has not said yet which node ids it knows; ids that the \
             annotation {} of the pool names are taken at once",
            annotations::NEXT_NODE_IDS
        )),
    }
}

/// Why nodes stay, and how they can leave; `on`: the resource with the annotation.
fn reason(why: &Hold, is_drained: bool, on: &str) -> String {
    match why {
        Hold::Replicas(nodes) if is_drained => {
            format!("brokers {} hold replicas, which are moved to other brokers first", list(nodes))
        }
        Hold::Replicas(_) => format!(
            "{why}, or have the operator move them, with the annotation {}: \"true\" on the {on}",
            annotations::DRAIN_NODES
        ),
        _ => why.to_string(),
    }
}

/// The annotation of the Kafka resource with which a user takes the loss.
fn approval(hold: &Hold) -> Option<&'static str> {
    (!hold.is_of_quorum()).then_some(annotations::SKIP_BROKER_SCALEDOWN_CHECK)
}

fn fixed_voters(voters: &BTreeSet<i32>) -> String {
    format!(
        "the cluster was formatted with controller.quorum.voters, a fixed list, and its controllers stay nodes {}; use \
         other pools for more brokers",
        list(voters)
    )
}
