//! `server.config`: the broker's and controller's properties, final but for the placeholders that the agent resolves.

use std::collections::BTreeMap;

use api::agent::container::{self, CLIENTS_TRUST, CLUSTER_TRUST, NODE_KEYSTORE};
use api::{ports, principals};

use super::lines::{Lines, internal_protocol, keystore, truststore};
use super::plug_in_lines;
use crate::kafka::cluster::{
    Authorization, CONTROLLER_PORT, Cluster, Listener, ListenerAuthentication, Node, Pool, Quorum,
    REPLICATION_PORT, Rack,
};
use crate::kafka::log_dirs_view::METADATA;

pub use super::lines::REPLICATION_LISTENER;

/// Name of the controller listener.
pub const CONTROLLER_LISTENER: &str = ports::CONTROL_PLANE_LISTENER;

/// The option with which a node wants a certificate of other nodes and of the operators.
pub(crate) const INTERNAL_CLIENT_CERTIFICATE: &str = "listener.name.controlplane-9090.ssl.client.auth";

/// `controller.quorum.fetch.timeout.ms` where the configuration model does not know it.
const DEFAULT_FETCH_TIMEOUT_MS: i64 = 2000;

/// Of how many controllers a running broker has to know the addresses from its start: the active one may be gone.
const ENOUGH_CONTROLLERS: usize = 2;

/// The part of `server.config` that the operator decides: every line of it needs a restart.
pub fn fixed(cluster: &Cluster, node: Node<'_>) -> String {
    let mut lines = Lines::default();
    let pool = node.pool;
    lines.set("node.id", node.id.to_string());
    if pool.broker {
        match &cluster.rack {
            Some(Rack::TopologyLabel(_)) => {
                let file = format!("{}:{}", container::KUBERNETES_NODE, container::RACK_FILE);
                lines.set("broker.rack", format!("${{strimzidir:{file}}}"));
            }
            Some(Rack::EnvironmentVariable(name)) => {
                lines.set("broker.rack", format!("${{strimzienv:{name}}}"));
            }
            None => {}
        }
    }
    let roles: Vec<&str> = pool.roles().into_iter().rev().collect();
    lines.set("process.roles", roles.join(","));
    lines.set("controller.listener.names", CONTROLLER_LISTENER);
    quorum(cluster, node, &mut lines);
    if let Some(volume) = pool.metadata_volume() {
        lines.set(METADATA, Pool::log_dir(volume, node.id));
    }
    let log_dirs: Vec<String> =
        pool.volumes_of(node.id).map(|volume| Pool::log_dir(volume, node.id)).collect();
    lines.set("log.dirs", log_dirs.join(","));
    internal_tls(cluster, &mut lines, ports::CONTROL_PLANE_OPTIONS);
    if pool.broker {
        internal_tls(cluster, &mut lines, ports::REPLICATION_OPTIONS);
        for listener in cluster.open_listeners(node.id) {
            client_listener(&mut lines, listener);
        }
    }
    listener_lists(cluster, node, &mut lines);
    lines.set("sasl.enabled.mechanisms", "");
    lines.set("ssl.endpoint.identification.algorithm", "HTTPS");
    authorization(cluster, &mut lines);
    plug_in_lines::add(cluster, pool, &mut lines);
    lines.0
}

/// The whole `server.config`: what the operator decides ([`fixed`]), then the user's options in the order of their names.
pub fn whole(fixed: &str, cluster: &Cluster, node: Node<'_>) -> String {
    let mut lines = Lines(fixed.to_owned());
    for (name, value) in options_of(cluster, node) {
        lines.set(name, value);
    }
    lines.0
}

/// The options of a node that are not the operator's to decide.
pub fn options_of<'a>(cluster: &'a Cluster, node: Node<'_>) -> BTreeMap<&'a str, &'a str> {
    let mut options = shared_options(cluster);
    let own = cluster.node_config.get(&node.id);
    options.extend(own.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())));
    options
}

/// Those that all nodes have unless they have a value of their own, and the one default that the operator sets for them.
pub fn shared_options(cluster: &Cluster) -> BTreeMap<&str, &str> {
    let options = cluster.config.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut options: BTreeMap<&str, &str> = options.collect();
    // Kafka's own default, written down so that rolling can rely on it.
    options.entry("min.insync.replicas").or_insert("1");
    options
}

/// `controller.quorum.fetch.timeout.ms`: how long a voter may lag behind and still counts as caught up, for every controller.
pub fn quorum_fetch_timeout_ms(cluster: &Cluster) -> i64 {
    const NAME: &str = "controller.quorum.fetch.timeout.ms";
    let default = cluster.version.model().options.get(NAME).and_then(|option| option.default.as_deref());
    let of_node = |node| {
        let options = options_of(cluster, node);
        options.get(NAME).and_then(|value| value.trim().parse().ok()).or_else(|| default?.parse().ok())
    };
    cluster.controllers().into_iter().filter_map(of_node).min().unwrap_or(DEFAULT_FETCH_TIMEOUT_MS)
}

fn quorum(cluster: &Cluster, node: Node<'_>, lines: &mut Lines) {
    let controllers = cluster.controllers();
    match &cluster.quorum {
        Quorum::Static => {
            let voters: Vec<String> = controllers
                .iter()
                .map(|controller| {
                    format!("{}@{}:{CONTROLLER_PORT}", controller.id, cluster.pod_host(*controller))
                })
                .collect();
            lines.set("controller.quorum.voters", voters.join(","));
        }
        Quorum::Dynamic { .. } => {
            let servers: Vec<String> = controllers
                .iter()
                .map(|controller| format!("{}:{CONTROLLER_PORT}", cluster.pod_host(*controller)))
                .collect();
            lines.set("controller.quorum.bootstrap.servers", servers.join(","));
            let knows_auto_join =
                cluster.version.model().options.contains_key("controller.quorum.auto.join.enable");
            if node.pool.controller && knows_auto_join {
                // A controller that was added, or lost its disk, becomes a voter by itself; one whose vote is taken away must not.
                let joins = !node.pool.departing.contains(&node.id);
                lines.set("controller.quorum.auto.join.enable", joins.to_string());
            }
        }
    }
}

/// Controllers that every node has to have been started with, where too few stay of those that founded the quorum: a running node that lost
/// the active controller looks for another one only under the addresses that it was started with. Where enough of the founders stay,
/// these are such addresses, and nothing has to restart.
pub(crate) fn anchors(cluster: &Cluster) -> Vec<i32> {
    let Quorum::Dynamic { initial, .. } = &cluster.quorum else { return Vec::new() };
    let departing = cluster.departing();
    let mut staying: Vec<i32> = cluster.controllers().into_iter().map(|node| node.id).collect();
    staying.retain(|id| !departing.contains(id));
    let founders = staying.iter().filter(|id| initial.contains(id)).count();
    let needed = ENOUGH_CONTROLLERS.min(initial.len());
    if founders >= needed.min(staying.len()) {
        return Vec::new();
    }
    staying.truncate(ENOUGH_CONTROLLERS);
    staying
}

fn internal_tls(cluster: &Cluster, lines: &mut Lines, prefix: &str) {
    if !cluster.internal_security.encrypts() {
        return;
    }
    keystore(lines, prefix, NODE_KEYSTORE);
    truststore(lines, prefix, CLUSTER_TRUST);
    if cluster.internal_security.authenticates() {
        lines.set(&format!("{prefix}ssl.client.auth"), "required");
    }
}

/// Path of the key store of a listener with a certificate of the user's own.
pub fn custom_keystore(listener: &Listener) -> String {
    format!("{}/{}-{}.pem", container::MADE_BY_AGENT, listener.name, listener.port)
}

fn client_listener(lines: &mut Lines, listener: &Listener) {
    let prefix = listener.prefix();
    match &listener.authentication {
        ListenerAuthentication::None => {}
        ListenerAuthentication::Tls => {
            lines.set(&format!("{prefix}ssl.client.auth"), "required");
            truststore(lines, &prefix, CLIENTS_TRUST);
        }
        ListenerAuthentication::ScramSha512 => {
            lines.set(
                &format!("{prefix}scram-sha-512.sasl.jaas.config"),
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            );
            lines.set(&format!("{prefix}sasl.enabled.mechanisms"), "SCRAM-SHA-512");
        }
        ListenerAuthentication::Custom { config, .. } => {
            for (name, value) in config {
                lines.set(&format!("{prefix}{name}"), value);
            }
        }
    }
    if let Some(limit) = listener.max_connections {
        lines.set(&format!("{prefix}max.connections"), limit.to_string());
    }
    if let Some(limit) = listener.max_connection_creation_rate {
        lines.set(&format!("{prefix}max.connection.creation.rate"), limit.to_string());
    }
    if listener.tls {
        let path = match listener.certificate {
            Some(_) => custom_keystore(listener),
            None => NODE_KEYSTORE.to_owned(),
        };
        keystore(lines, &prefix, &path);
    }
}

fn listener_lists(cluster: &Cluster, node: Node<'_>, lines: &mut Lines) {
    let pool = node.pool;
    let host = cluster.pod_host(node);
    let mut protocols = vec![format!("{CONTROLLER_LISTENER}:{}", internal_protocol(cluster))];
    let mut listeners = Vec::new();
    let mut advertised = Vec::new();
    if pool.controller {
        listeners.push(format!("{CONTROLLER_LISTENER}://0.0.0.0:{CONTROLLER_PORT}"));
        advertised.push(format!("{CONTROLLER_LISTENER}://{host}:{CONTROLLER_PORT}"));
    }
    if pool.broker {
        protocols.push(format!("{REPLICATION_LISTENER}:{}", internal_protocol(cluster)));
        listeners.push(format!("{REPLICATION_LISTENER}://0.0.0.0:{REPLICATION_PORT}"));
        advertised.push(format!("{REPLICATION_LISTENER}://{host}:{REPLICATION_PORT}"));
        for listener in &cluster.listeners {
            // A listener whose address is not known yet is left out: a broker that has it must tell where it is.
            let Some(address) = cluster.addresses.of_broker(node.id, listener) else { continue };
            let identifier = listener.identifier();
            protocols.push(format!("{identifier}:{}", protocol(listener)));
            listeners.push(format!("{identifier}://0.0.0.0:{}", listener.port));
            advertised.push(format!("{identifier}://{}:{}", address.host, address.port));
        }
    }
    lines.set("listener.security.protocol.map", protocols.join(","));
    lines.set("listeners", listeners.join(","));
    if pool.broker {
        lines.set("inter.broker.listener.name", REPLICATION_LISTENER);
    }
    lines.set("advertised.listeners", advertised.join(","));
}

fn protocol(listener: &Listener) -> &'static str {
    let sasl = matches!(
        listener.authentication,
        ListenerAuthentication::ScramSha512 | ListenerAuthentication::Custom { sasl: true, .. }
    );
    match (sasl, listener.tls) {
        (true, true) => "SASL_SSL",
        (true, false) => "SASL_PLAINTEXT",
        (false, true) => "SSL",
        (false, false) => "PLAINTEXT",
    }
}

fn authorization(cluster: &Cluster, lines: &mut Lines) {
    let (class, extra) = match &cluster.authorization {
        Authorization::None => return,
        Authorization::Simple { super_users } => {
            ("org.apache.kafka.metadata.authorizer.StandardAuthorizer", super_users)
        }
        Authorization::Custom { class, super_users, .. } => (class.as_str(), super_users),
    };
    lines.set("authorizer.class.name", class);
    let mut users = principals::super_users(&cluster.name);
    if !cluster.internal_security.authenticates() {
        // This is who the nodes and the operators are to each other.
        users.push(principals::ANONYMOUS.to_owned());
    }
    users.extend(extra.iter().map(|user| principals::of_user(principals::username(user).unwrap_or(user))));
    lines.set("super.users", users.join(";"));
}
