//! `agent.config`: what the agent of a node needs to know.

use api::agent::AgentConfig;
use api::agent::KeyStore;
use api::agent::PlugIn;
use api::agent::RackSource;
use api::agent::Role;
use api::agent::container::{CLUSTER_TRUST, NODE_CERTIFICATES, NODE_KEYSTORE};

use super::server::custom_keystore;
use crate::kafka::cluster::{
    CONTROLLER_PORT, Cluster, Jmx, Metrics, Node, Pool, Quorum, Quotas, REPLICATION_PORT, Rack,
    TieredStorage, VolumeKind,
};

/// Upper bound of the heap when the pool names none: 5 GiB, the rest is for the page cache.
const HEAP_MAXIMUM: u64 = 5 * 1024 * 1024 * 1024;
/// The heap's share of the memory limit when the pool names no size.
const HEAP_PERCENTAGE: u8 = 50;

/// The file as JSON.
pub(crate) fn text(config: &AgentConfig) -> String {
    // Plain strings and numbers: this cannot fail.
    serde_json::to_string_pretty(config).unwrap_or_default()
}

/// The settings of a node's agent.
pub(crate) fn config(cluster: &Cluster, node: Node<'_>) -> AgentConfig {
    let pool = node.pool;
    let pod = cluster.pod_name(node);
    let mut keystores = vec![KeyStore {
        target: NODE_KEYSTORE.into(),
        key: format!("{NODE_CERTIFICATES}/{pod}.key").into(),
        certificates: format!("{NODE_CERTIFICATES}/{pod}.crt").into(),
    }];
    if pool.broker {
        for listener in cluster.open_listeners(node.id).filter(|listener| listener.certificate.is_some()) {
            let file = format!("{NODE_CERTIFICATES}/{}-{}", listener.name, listener.port);
            keystores.push(KeyStore {
                target: custom_keystore(listener).into(),
                key: format!("{file}.key").into(),
                certificates: format!("{file}.crt").into(),
            });
        }
    }
    let mut roles = Vec::new();
    if pool.controller {
        roles.push(Role::Controller);
    }
    if pool.broker {
        roles.push(Role::Broker);
    }
    let jvm = &pool.jvm;
    let rack = cluster.rack.as_ref().filter(|_| pool.broker).map(|rack| match rack {
        Rack::TopologyLabel(key) => RackSource::TopologyLabel { key: key.clone() },
        Rack::EnvironmentVariable(name) => RackSource::Env { name: name.clone() },
    });
    let metadata = pool.metadata_volume().map(|volume| Pool::log_dir(volume, node.id)).unwrap_or_default();
    AgentConfig {
        node_id: node.id,
        pod_name: pod,
        roles,
        keystores,
        client_authorities: CLUSTER_TRUST.into(),
        metadata_log_dir: metadata.into(),
        log_dirs: pool.volumes_of(node.id).map(|volume| Pool::log_dir(volume, node.id).into()).collect(),
        initial_controllers: initial_controllers(cluster, node),
        static_voters: cluster.quorum == Quorum::Static,
        controller_port: pool.controller.then_some(CONTROLLER_PORT),
        replication_port: pool.broker.then_some(REPLICATION_PORT),
        internal_tls: cluster.internal_security.encrypts(),
        jvm: jvm.settings(Some(HEAP_MAXIMUM), HEAP_PERCENTAGE),
        rack,
        node_port_addresses: pool.broker && cluster.has_node_ports(),
        plug_ins: plug_ins(cluster, pool),
        jmx: cluster.jmx.map(Jmx::remote),
    }
}

/// The jars that the nodes of a pool are to run with.
pub(crate) fn plug_ins(cluster: &Cluster, pool: &Pool) -> Vec<PlugIn> {
    let mut wanted = Vec::new();
    wanted.extend(cluster.metrics.as_ref().map(Metrics::plug_in));
    if pool.broker {
        wanted.extend(matches!(cluster.quotas, Some(Quotas::PlugIn(_))).then_some(PlugIn::QuotasPlugIn));
        wanted.extend(cluster.tiered_storage.as_ref().map(TieredStorage::plug_in));
    }
    wanted
}

/// With which voters a node formats an empty disk; `None`: it joins what is there.
///
/// The first controllers found the quorum together, each with a directory id that the operator made. Once the quorum
/// has existed, a controller that lost a *persistent* volume must not found it again: if a majority had lost theirs,
/// they would elect a leader with an empty log and the survivors would follow. It joins as an observer with a new
/// directory id and, through `controller.quorum.auto.join.enable`, takes the place of its old voter. A controller on
/// an *ephemeral* volume loses its disk with every restart, and its data with it by the user's choice: it comes back
/// as the voter it was, at once, and a cluster that lost all its pods starts anew instead of never. Once some of the first controllers
/// have left and others vote, the few that are left must not found a quorum of their own beside those.
fn initial_controllers(cluster: &Cluster, node: Node<'_>) -> Option<String> {
    let Quorum::Dynamic { directory_ids, initial, formed } = &cluster.quorum else {
        return None;
    };
    if !node.pool.controller || !initial.contains(&node.id) {
        return None;
    }
    let ephemeral =
        node.pool.metadata_volume().is_some_and(|volume| matches!(volume.kind, VolumeKind::Ephemeral { .. }));
    if *formed && !ephemeral {
        return None;
    }
    let controllers = cluster.controllers();
    let stay_all = initial.iter().all(|id| controllers.iter().any(|node| node.id == *id));
    if *formed && !(stay_all || controllers.iter().all(|node| initial.contains(&node.id))) {
        return None;
    }
    let mut voters = Vec::new();
    for controller in controllers {
        if let Some(directory) =
            directory_ids.get(&controller.id).filter(|_| initial.contains(&controller.id))
        {
            let host = cluster.pod_host(controller);
            voters.push(format!("{}@{host}:{CONTROLLER_PORT}:{directory}", controller.id));
        }
    }
    Some(voters.join(","))
}
