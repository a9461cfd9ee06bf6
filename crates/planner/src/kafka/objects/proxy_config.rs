//! The ConfigMap of a proxy: what Envoy is started with, and the files of ports and brokers, which it reads again when they change.
//! A broker that comes or goes restarts no proxy, and no connection to another broker is lost.

use std::collections::BTreeMap;

use api::common::template::IpFamily;
use api::{labels, names, ports};
use k8s_openapi::api::core::v1::ConfigMap;
use objects::{DesiredObject, Object};
use serde::Serialize;

use super::meta::component_labels;
use super::proxy_resources::memory_limit;
use crate::envoy::{
    Address, Admin, Any, Bootstrap, CircuitBreakers, Cluster as EnvoyCluster, ConfigSource,
    DownstreamConnections, DynamicResources, Endpoint, Endpoints, Filter, FilterChain, FilterConfig,
    FixedHeap, HeaderMatch, HealthCheck, HttpConnectionManager, HttpFilter, HttpProtocolOptions, LbEndpoint,
    Listener as EnvoyListener, LoadAssignment, Message, Monitor, Node as EnvoyNode, OverloadAction,
    OverloadManager, OverloadTrigger, PathConfigSource, ResourceMonitor, Route, RouteAction,
    RouteConfiguration, RouteMatch, Router, SocketAddress, StaticResources, StringMatch, TcpHealthCheck,
    TcpKeepalive, TcpProxy, Threshold, Thresholds, UpstreamConnectionOptions, VirtualHost, WatchedDirectory,
};
use crate::kafka::addresses::upstream;
use crate::kafka::cluster::{Cluster, Listener, Node, OwnServices, SingleAddress};

/// Where the ConfigMap is mounted.
pub(crate) const FOLDER: &str = "/etc/kastellan-proxy";
/// Path of the readiness check.
pub(crate) const READY: &str = "/ready";
/// Path of the liveness check.
pub(crate) const ALIVE: &str = "/healthy";
/// Path of the figures for Prometheus.
const METRICS: &str = "/metrics";
/// Where Envoy takes orders: nobody outside the pod can.
const ADMIN: &str = "/tmp/admin.sock";
/// Name of the cluster that leads there, and of the listener that leads to it.
const HEALTH: &str = "health";
/// Connections of a port: the bound is that of all of them.
const NO_BOUND: u32 = 1_000_000;
/// Bytes of a connection that wait in each direction until the other side takes them.
const BUFFER: u32 = 32 * 1024;
/// What a connection takes of the memory while both sides keep up.
const OF_CONNECTION: u64 = 48 * 1024;
/// Connections where the memory has no limit.
const CONNECTIONS_WITHOUT_LIMIT: i64 = 50_000;
/// The share of the memory at which no more connections are taken.
const FULL: f64 = 0.9;
const HEAP: &str = "envoy.resource_monitors.fixed_heap";
/// Hosts that are tried for a connection.
const ATTEMPTS: u32 = 3;

/// The ConfigMap.
pub(crate) fn config_map(
    cluster: &Cluster,
    listener: &Listener,
    services: &OwnServices,
    single: &SingleAddress,
    brokers: &[Node<'_>],
) -> DesiredObject {
    let name = names::proxy::deployment(&cluster.name, &listener.name);
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    let mut add = |name: String, port: u16, hosts: Vec<String>| {
        listeners.push(tcp_listener(&name, address(services, port)).any());
        clusters.push(tcp_cluster(name, hosts, listener.port).any());
    };
    let all = brokers.iter().map(|node| upstream(cluster, *node, listener)).collect();
    add("bootstrap".to_owned(), single.bootstrap_port, all);
    for node in brokers {
        let Some(port) = single.broker_port(node.id) else { continue };
        add(format!("broker-{}", node.id), port, vec![upstream(cluster, *node, listener)]);
    }
    let data = BTreeMap::from([
        (names::proxy::BOOTSTRAP.to_owned(), bootstrap(cluster, &name, services, single)),
        (names::proxy::LISTENERS.to_owned(), file(&listeners)),
        (names::proxy::CLUSTERS.to_owned(), file(&clusters)),
    ]);
    let labels = component_labels(cluster, &name, labels::component::KAFKA_PROXY);
    let body = ConfigMap { data: Some(data), ..ConfigMap::default() };
    Object::new(&cluster.owner(), name, labels, body).build()
}

/// What Envoy is started with: its only part that it does not read again.
pub(crate) fn bootstrap(
    cluster: &Cluster,
    name: &str,
    services: &OwnServices,
    single: &SingleAddress,
) -> String {
    let source = |file: &str| ConfigSource {
        path_config_source: PathConfigSource {
            path: format!("{FOLDER}/{file}"),
            watched_directory: WatchedDirectory { path: FOLDER.to_owned() },
        },
    };
    let admin = || Address::Pipe { path: ADMIN.to_owned() };
    let metrics = u16::try_from(ports::METRICS).unwrap_or_default();
    let to_admin = EnvoyCluster {
        discovery: "STATIC",
        dns_lookup_family: None,
        health_checks: Vec::new(),
        circuit_breakers: None,
        upstream_connection_options: None,
        ..cluster_of(HEALTH.to_owned(), vec![admin()])
    };
    let bootstrap = Bootstrap {
        node: EnvoyNode { id: name.to_owned(), cluster: cluster.name.clone() },
        admin: Admin { address: admin() },
        dynamic_resources: DynamicResources {
            lds_config: source(names::proxy::LISTENERS),
            cds_config: source(names::proxy::CLUSTERS),
        },
        static_resources: StaticResources {
            listeners: vec![health_listener(address(services, metrics))],
            clusters: vec![to_admin],
        },
        overload_manager: overload_manager(memory_limit(single)),
    };
    objects::json(&bootstrap).to_string()
}

/// No more connections than there is memory for. What memory has no limit for takes what the Kubernetes node has.
fn overload_manager(memory: Option<u64>) -> OverloadManager {
    let most = memory.and_then(|bytes| i64::try_from(bytes / OF_CONNECTION).ok());
    let connections = DownstreamConnections {
        max_active_downstream_connections: most.unwrap_or(CONNECTIONS_WITHOUT_LIMIT).max(1),
    };
    let mut monitors = vec![ResourceMonitor {
        name: "envoy.resource_monitors.global_downstream_max_connections",
        typed_config: Monitor::Connections(connections.any()),
    }];
    let mut actions = Vec::new();
    if let Some(max_heap_size_bytes) = memory {
        let heap = FixedHeap { max_heap_size_bytes };
        monitors.push(ResourceMonitor { name: HEAP, typed_config: Monitor::Heap(heap.any()) });
        actions.push(OverloadAction {
            name: "envoy.overload_actions.stop_accepting_connections",
            triggers: vec![OverloadTrigger { name: HEAP, threshold: Threshold { value: FULL } }],
        });
    }
    OverloadManager { refresh_interval: "0.25s", resource_monitors: monitors, actions }
}

/// A file with one resource a line.
fn file<T: Serialize>(resources: &[Any<T>]) -> String {
    let lines: Vec<String> = resources.iter().map(|resource| objects::json(resource).to_string()).collect();
    format!("{{\"resources\":[\n{}\n]}}\n", lines.join(",\n"))
}

/// Every address of the pod.
fn address(services: &OwnServices, port: u16) -> Address {
    let both = services.ip_families.contains(&IpFamily::IPv6);
    let address = if both { "::" } else { "0.0.0.0" };
    Address::SocketAddress(SocketAddress { address: address.to_owned(), port_value: port, ipv4_compat: both })
}

fn listener_of(name: &str, address: Address, filter: Filter) -> EnvoyListener {
    EnvoyListener {
        name: name.to_owned(),
        address,
        filter_chains: vec![FilterChain { filters: vec![filter] }],
        per_connection_buffer_limit_bytes: BUFFER,
        ignore_global_conn_limit: name == HEALTH,
    }
}

/// A port that leads to the cluster of the same name. Silent connections are the brokers' business: they close them.
fn tcp_listener(name: &str, address: Address) -> EnvoyListener {
    let proxy = TcpProxy {
        stat_prefix: name.to_owned(),
        cluster: name.to_owned(),
        idle_timeout: "0s",
        max_connect_attempts: ATTEMPTS,
    };
    listener_of(name, address, Filter { name: "tcp", typed_config: FilterConfig::Tcp(proxy.any()) })
}

/// Brokers behind their Services. A name with a dot at its end is looked up once, and not with every search domain.
fn tcp_cluster(name: String, hosts: Vec<String>, port: u16) -> EnvoyCluster {
    let address = |host: String| {
        Address::SocketAddress(SocketAddress {
            address: format!("{host}."),
            port_value: port,
            ipv4_compat: false,
        })
    };
    cluster_of(name, hosts.into_iter().map(address).collect())
}

fn cluster_of(name: String, hosts: Vec<Address>) -> EnvoyCluster {
    let hosts = hosts.into_iter().map(|address| LbEndpoint { endpoint: Endpoint { address } }).collect();
    EnvoyCluster {
        discovery: "STRICT_DNS",
        dns_lookup_family: Some("V4_PREFERRED"),
        connect_timeout: "5s",
        per_connection_buffer_limit_bytes: BUFFER,
        load_assignment: LoadAssignment {
            cluster_name: name.clone(),
            endpoints: vec![Endpoints { lb_endpoints: hosts }],
        },
        health_checks: vec![HealthCheck {
            timeout: "3s",
            interval: "10s",
            no_traffic_interval: "10s",
            unhealthy_interval: "2s",
            unhealthy_threshold: 2,
            healthy_threshold: 1,
            by_connection: TcpHealthCheck {},
        }],
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![Thresholds { max_connections: NO_BOUND, max_pending_requests: NO_BOUND }],
        }),
        upstream_connection_options: Some(UpstreamConnectionOptions {
            tcp_keepalive: TcpKeepalive { keepalive_time: 60 },
        }),
        name,
    }
}

/// What probes and Prometheus may ask, and nothing else of what Envoy's own port would let them do.
fn health_listener(address: Address) -> EnvoyListener {
    let route = |path: &'static str, action: RouteAction| {
        let header = |name, exact| HeaderMatch { name, string_match: StringMatch { exact } };
        // With what follows a question mark Envoy would filter its figures, by an expression that takes its time.
        let headers = vec![header(":method", "GET"), header(":path", path)];
        Route { match_: RouteMatch { path, headers }, action }
    };
    let to_admin = |path: &'static str| RouteAction::Route { cluster: HEALTH, prefix_rewrite: path };
    let host = VirtualHost {
        name: HEALTH,
        domains: vec!["*"],
        routes: vec![
            route(READY, to_admin("/ready")),
            route(METRICS, to_admin("/stats/prometheus")),
            route(ALIVE, RouteAction::DirectResponse { status: 200 }),
        ],
    };
    let manager = HttpConnectionManager {
        stat_prefix: HEALTH,
        route_config: RouteConfiguration { virtual_hosts: vec![host] },
        http_filters: vec![HttpFilter { name: "router", typed_config: Router {}.any() }],
        request_headers_timeout: "5s",
        request_timeout: "10s",
        stream_idle_timeout: "30s",
        max_request_headers_kb: 8,
        common_http_protocol_options: HttpProtocolOptions {
            idle_timeout: "60s",
            max_connection_duration: "600s",
        },
    };
    let filter = Filter { name: "http", typed_config: FilterConfig::Http(Box::new(manager.any())) };
    listener_of(HEALTH, address, filter)
}
