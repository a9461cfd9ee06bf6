//! What has to hold for a cluster as a whole, whatever nodes it has.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::ports;

use super::{Findings, Specs, names, templates};
use crate::kafka::cluster::{Cluster, Listener, Pool, PoolOrigin, SingleAddress, Volume, VolumeKind, Way};
use crate::settings::PlanSettings;

/// The first metadata version with which a broker may have more than one log directory.
const METADATA_OF_SEVERAL_VOLUMES: &str = "3.7-IV2";

/// Checks the cluster that the resources make, with its nodes. `knows_options`: whether its options are those of the resource.
pub fn check(
    cluster: &Cluster,
    specs: Specs<'_>,
    settings: &PlanSettings,
    knows_options: bool,
    findings: &mut Findings,
) {
    // A pool with a problem of its own should not be blamed for more.
    if !findings.blame_node_pools() {
        findings.of_node_pools(|findings| roles(&cluster.pools, findings));
    }
    if knows_options {
        replication(cluster, findings);
    }
    findings.of_node_pools(|findings| several_volumes(cluster, findings));
    listeners(cluster, findings);
    names::validate(cluster, findings);
    templates::validate(specs.kafka, specs.pools, cluster, settings, findings);
}

fn roles(pools: &[Pool], findings: &mut Findings) {
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
    only_copy(pools, findings);
    if controllers > 0 && controllers.is_multiple_of(2) {
        findings.warn(
            reasons::KAFKA_KRAFT_CONTROLLER_NODE_COUNT,
            format!("there are {controllers} controllers: an odd number survives as many failures with fewer nodes"),
        );
    }
}

/// Brokers of an older metadata version do not start with more than one log directory.
fn several_volumes(cluster: &Cluster, findings: &mut Findings) {
    let model = cluster.version.model();
    let level = |name: &str| model.metadata_level(name).map(|(_, level)| level);
    let (asked, least) = (level(&cluster.metadata_version), level(METADATA_OF_SEVERAL_VOLUMES));
    if asked.zip(least).is_none_or(|(asked, least)| asked >= least) {
        return;
    }
    for pool in cluster.pools.iter().filter(|pool| pool.broker && pool.volumes.len() > 1) {
        findings.problem(
            format!("KafkaNodePool {} spec.storage.volumes", pool.name),
            format!(
                "brokers with {} volumes need the metadata version {METADATA_OF_SEVERAL_VOLUMES} or a newer one, and \
                 spec.kafka.metadataVersion asks for {}: write a newer one there, or one volume",
                pool.volumes.len(),
                cluster.metadata_version
            ),
        );
    }
}

/// What the listeners say of single brokers has to do for all of them.
fn listeners(cluster: &Cluster, findings: &mut Findings) {
    for (index, listener) in cluster.listeners.iter().enumerate() {
        let field = format!("spec.kafka.listeners[{index}].configuration");
        for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
            if let Some(template) = &listener.advertised.port_template
                && let Err(complaint) = template.port(node.id)
            {
                findings.problem(format!("{field}.advertisedPortTemplate"), complaint);
                break;
            }
        }
        unknown_brokers(cluster, listener, &field, findings);
        let Some(services) = listener.own_services() else { continue };
        if let Some(single) = &services.single {
            broker_ports(cluster, single, &field, findings);
        }
        if !matches!(services.way, Way::Ingress { .. } | Way::TlsRoute { .. }) {
            continue;
        }
        for node in cluster.nodes().into_iter().filter(|node| node.pool.broker) {
            if services.of_broker(node.id, &cluster.pod_name(node)).host.is_none() {
                findings.problem(
                    format!("{field}.brokers"),
                    format!(
                        "the host of broker {}{} is missing: add it here, or a hostTemplate such as broker-{{nodeId}}.example.org",
                        node.id,
                        of_deleted(node.pool)
                    ),
                );
            }
        }
    }
}

/// Of whom a node is that no resource tells of any more.
fn of_deleted(pool: &Pool) -> String {
    if pool.origin == PoolOrigin::Deleted {
        format!(" (of KafkaNodePool {}, which was deleted, and has not left yet)", pool.name)
    } else {
        String::new()
    }
}

/// What is said of brokers that are not there may be meant for later ones.
fn unknown_brokers(cluster: &Cluster, listener: &Listener, field: &str, findings: &mut Findings) {
    let of_services = listener.own_services().into_iter().flat_map(|services| services.brokers.keys());
    let advertised = &listener.advertised;
    let said: BTreeSet<i32> =
        of_services.chain(advertised.hosts.keys()).chain(advertised.ports.keys()).copied().collect();
    let known = cluster.broker_ids();
    let unknown: Vec<String> = said.difference(&known).map(ToString::to_string).collect();
    if known.is_empty() || unknown.is_empty() {
        return;
    }
    findings.warn(
        reasons::LISTENER_BROKER_UNKNOWN,
        format!(
            "{field}.brokers: no broker has the node id {}: what is said of it counts as soon as there is one; remove it if none \
             is to come",
            unknown.join(" or ")
        ),
    );
}

/// Each broker has a port of its own behind a single address.
fn broker_ports(cluster: &Cluster, single: &SingleAddress, field: &str, findings: &mut Findings) {
    let first = single.first_broker_port;
    for id in cluster.broker_ids() {
        let wrong = match single.broker_port(id) {
            None => format!("{first} leaves broker {id} without a port, since ports end at 65535"),
            Some(port) if port == single.bootstrap_port => {
                format!("{first} gives broker {id} the port {port}, with which clients begin")
            }
            Some(port) if i32::from(port) == ports::METRICS => {
                format!("{first} gives broker {id} the port {port}, at which the proxy tells its figures")
            }
            Some(_) => continue,
        };
        findings.problem(
            format!("{field}.singleAddress.firstBrokerPort"),
            format!("{wrong}: write a number that leaves each broker (its number plus the node id) a port of its own"),
        );
        break;
    }
}

/// Fewer brokers than replicas, and defaults that lose records.
fn replication(cluster: &Cluster, findings: &mut Findings) {
    let brokers = cluster.broker_ids().len();
    for name in [
        "default.replication.factor",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
    ] {
        let value = cluster.config.get(name).and_then(|value| value.parse::<usize>().ok());
        if let Some(value) = value.filter(|value| brokers > 0 && *value > brokers) {
            findings.problem(
                format!("spec.kafka.config.{name}"),
                format!(
                    "{value} is more than the {brokers} brokers: write at most {brokers}, or add brokers"
                ),
            );
        }
    }
    if brokers > 1 {
        for (name, reason) in [
            ("default.replication.factor", reasons::KAFKA_DEFAULT_REPLICATION_FACTOR),
            ("min.insync.replicas", reasons::KAFKA_MIN_INSYNC_REPLICAS),
        ] {
            if !cluster.config.contains_key(name) {
                findings.warn(reason, format!("spec.kafka.config.{name} is not set: its default of 1 loses records when a broker fails"));
            }
        }
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

/// One node of a role on storage that goes with its pod: every restart loses what that role keeps.
fn only_copy(pools: &[Pool], findings: &mut Findings) {
    let is_ephemeral = |volume: &Volume| matches!(volume.kind, VolumeKind::Ephemeral { .. });
    let of_role = |has: fn(&Pool) -> bool| {
        let mut nodes =
            pools.iter().filter(|pool| has(pool)).flat_map(|pool| pool.nodes.iter().map(move |_| pool));
        nodes.next().filter(|_| nodes.next().is_none())
    };
    let broker = of_role(|pool| pool.broker).filter(|pool| pool.volumes.iter().all(is_ephemeral));
    let controller =
        of_role(|pool| pool.controller).filter(|pool| pool.metadata_volume().is_some_and(is_ephemeral));
    for (pool, role, lost) in [(broker, "broker", "the records"), (controller, "controller", "all topics")] {
        let Some(pool) = pool else { continue };
        findings.warn(
            reasons::KAFKA_STORAGE,
            format!(
                "KafkaNodePool {} spec.storage: the only {role} is on ephemeral storage, so that every restart of its pod loses {lost}: write \
                 type: persistent-claim in a new pool, or have more nodes of the role",
                pool.name
            ),
        );
    }
}
