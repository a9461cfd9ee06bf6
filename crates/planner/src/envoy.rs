//! The part of Envoy's configuration (API v3) that the operators write. Envoy reads it as JSON; field names are those of its
//! messages.

mod message;
mod overload;

use serde::Serialize;

pub use self::message::{Any, Message};
pub use self::overload::{
    DownstreamConnections, FixedHeap, Monitor, OverloadAction, OverloadManager, OverloadTrigger,
    ResourceMonitor, Threshold,
};

/// What Envoy is started with.
#[derive(Debug, Serialize)]
pub struct Bootstrap {
    /// Who it is.
    pub node: Node,
    /// Where it takes orders and tells its figures.
    pub admin: Admin,
    /// Where the rest stands.
    pub dynamic_resources: DynamicResources,
    /// What does not change while it runs.
    pub static_resources: StaticResources,
    /// How much it takes on.
    pub overload_manager: OverloadManager,
}

/// Who an Envoy is.
#[derive(Debug, Serialize)]
pub struct Node {
    /// Its name.
    pub id: String,
    /// What it belongs to.
    pub cluster: String,
}

/// Where Envoy takes orders.
#[derive(Debug, Serialize)]
pub struct Admin {
    /// The address.
    pub address: Address,
}

/// Where Envoy reads what changes.
#[derive(Debug, Serialize)]
pub struct DynamicResources {
    /// Ports.
    pub lds_config: ConfigSource,
    /// Where they lead.
    pub cds_config: ConfigSource,
}

/// A file that is read again when the folder that it lies in changes.
#[derive(Debug, Serialize)]
pub struct ConfigSource {
    /// The file.
    pub path_config_source: PathConfigSource,
}

/// A file and the folder that is watched for it.
#[derive(Debug, Serialize)]
pub struct PathConfigSource {
    /// The file.
    pub path: String,
    /// The folder.
    pub watched_directory: WatchedDirectory,
}

/// A folder in which files are replaced by renaming, as in a mounted ConfigMap.
#[derive(Debug, Serialize)]
pub struct WatchedDirectory {
    /// Its path.
    pub path: String,
}

/// What does not change while Envoy runs.
#[derive(Debug, Serialize)]
pub struct StaticResources {
    /// Ports.
    pub listeners: Vec<Listener>,
    /// Where they lead.
    pub clusters: Vec<Cluster>,
}

/// An address.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    /// Host and port.
    SocketAddress(SocketAddress),
    /// A socket in the file system.
    Pipe {
        /// Its path.
        path: String,
    },
}

/// Host and port.
#[derive(Debug, Serialize)]
pub struct SocketAddress {
    /// IP address, or a name where names are looked up.
    pub address: String,
    /// The port.
    pub port_value: u16,
    /// Whether an IPv6 address takes IPv4 connections too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ipv4_compat: bool,
}

/// A port.
#[derive(Debug, Serialize)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub address: Address,
    /// What becomes of its connections.
    pub filter_chains: Vec<FilterChain>,
    /// Bytes of a connection that wait to be passed on.
    pub per_connection_buffer_limit_bytes: u32,
    /// Whether its connections are none of those that are counted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_global_conn_limit: bool,
}

impl Message for Listener {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.config.listener.v3.Listener";
}

/// What becomes of connections.
#[derive(Debug, Serialize)]
pub struct FilterChain {
    /// The filters, in order.
    pub filters: Vec<Filter>,
}

/// A filter of connections.
#[derive(Debug, Serialize)]
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub typed_config: FilterConfig,
}

/// What a filter of connections does.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum FilterConfig {
    /// Leads bytes on.
    Tcp(Any<TcpProxy>),
    /// Speaks HTTP.
    Http(Box<Any<HttpConnectionManager>>),
}

/// Leads bytes on.
#[derive(Debug, Serialize)]
pub struct TcpProxy {
    /// Begin of the names of its figures.
    pub stat_prefix: String,
    /// Name of the cluster that it leads to.
    pub cluster: String,
    /// When a silent connection is closed; `0s`: never.
    pub idle_timeout: &'static str,
    /// Hosts that it tries for a connection.
    pub max_connect_attempts: u32,
}

impl Message for TcpProxy {
    const TYPE_URL: &'static str =
        "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
}

/// Speaks HTTP.
#[derive(Debug, Serialize)]
pub struct HttpConnectionManager {
    /// Begin of the names of its figures.
    pub stat_prefix: &'static str,
    /// Which path leads where.
    pub route_config: RouteConfiguration,
    /// The filters of requests, in order.
    pub http_filters: Vec<HttpFilter>,
    /// How long the head of a request may take.
    pub request_headers_timeout: &'static str,
    /// How long a request may take.
    pub request_timeout: &'static str,
    /// How long a request may stay without a word.
    pub stream_idle_timeout: &'static str,
    /// KiB that the head of a request may have.
    pub max_request_headers_kb: u32,
    /// What holds for connections.
    pub common_http_protocol_options: HttpProtocolOptions,
}

/// What holds for HTTP connections.
#[derive(Debug, Serialize)]
pub struct HttpProtocolOptions {
    /// How long one may stay without a request.
    pub idle_timeout: &'static str,
    /// How long one may last.
    pub max_connection_duration: &'static str,
}

impl Message for HttpConnectionManager {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
}

/// A filter of requests.
#[derive(Debug, Serialize)]
pub struct HttpFilter {
    /// Its name.
    pub name: &'static str,
    /// The router filter, which follows the routes.
    pub typed_config: Any<Router>,
}

/// Follows routes.
#[derive(Debug, Serialize)]
pub struct Router {}

impl Message for Router {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
}

/// Which path leads where.
#[derive(Debug, Serialize)]
pub struct RouteConfiguration {
    /// By host.
    pub virtual_hosts: Vec<VirtualHost>,
}

/// The routes of some hosts.
#[derive(Debug, Serialize)]
pub struct VirtualHost {
    /// Its name.
    pub name: &'static str,
    /// The hosts.
    pub domains: Vec<&'static str>,
    /// The routes; the first that fits counts.
    pub routes: Vec<Route>,
}

/// Where a path leads.
#[derive(Debug, Serialize)]
pub struct Route {
    /// What it is for.
    #[serde(rename = "match")]
    pub match_: RouteMatch,
    /// What becomes of a request.
    #[serde(flatten)]
    pub action: RouteAction,
}

/// What a route is for.
#[derive(Debug, Serialize)]
pub struct RouteMatch {
    /// The path.
    pub path: &'static str,
    /// Headers that a request has to have.
    pub headers: Vec<HeaderMatch>,
}

/// A header that a request has to have.
#[derive(Debug, Serialize)]
pub struct HeaderMatch {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub string_match: StringMatch,
}

/// A text.
#[derive(Debug, Serialize)]
pub struct StringMatch {
    /// The whole of it.
    pub exact: &'static str,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteAction {
    /// A cluster answers.
    Route {
        /// Its name.
        cluster: &'static str,
        /// The path there.
        prefix_rewrite: &'static str,
    },
    /// Envoy answers.
    DirectResponse {
        /// Status.
        status: u16,
    },
}

/// Where connections lead.
#[derive(Debug, Serialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// How its hosts are found: `STRICT_DNS`, `STATIC`.
    #[serde(rename = "type")]
    pub discovery: &'static str,
    /// Which addresses names are looked up for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_lookup_family: Option<&'static str>,
    /// How long a connection may take.
    pub connect_timeout: &'static str,
    /// Bytes of a connection that wait to be passed on.
    pub per_connection_buffer_limit_bytes: u32,
    /// Its hosts.
    pub load_assignment: LoadAssignment,
    /// How it is found out which hosts answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheck>,
    /// How much may lead there at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    /// What holds for connections to the hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_connection_options: Option<UpstreamConnectionOptions>,
}

impl Message for Cluster {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
}

/// Hosts of a cluster.
#[derive(Debug, Serialize)]
pub struct LoadAssignment {
    /// Name of the cluster.
    pub cluster_name: String,
    /// Groups of hosts.
    pub endpoints: Vec<Endpoints>,
}

/// A group of hosts.
#[derive(Debug, Serialize)]
pub struct Endpoints {
    /// The hosts.
    pub lb_endpoints: Vec<LbEndpoint>,
}

/// A host, as one among others.
#[derive(Debug, Serialize)]
pub struct LbEndpoint {
    /// The host.
    pub endpoint: Endpoint,
}

/// A host.
#[derive(Debug, Serialize)]
pub struct Endpoint {
    /// Its address.
    pub address: Address,
}

/// How it is found out whether a host answers.
#[derive(Debug, Serialize)]
pub struct HealthCheck {
    /// How long an answer may take.
    pub timeout: &'static str,
    /// How often a host that answers is asked.
    pub interval: &'static str,
    /// The same of one to which nothing leads yet.
    pub no_traffic_interval: &'static str,
    /// How often a host that does not answer is asked.
    pub unhealthy_interval: &'static str,
    /// Failures in a row that count.
    pub unhealthy_threshold: u32,
    /// Successes in a row that count.
    pub healthy_threshold: u32,
    /// By a connection that says nothing.
    #[serde(rename = "tcp_health_check")]
    pub by_connection: TcpHealthCheck,
}

/// A connection that says nothing.
#[derive(Debug, Serialize)]
pub struct TcpHealthCheck {}

/// How much may lead to a cluster at a time.
#[derive(Debug, Serialize)]
pub struct CircuitBreakers {
    /// The bounds.
    pub thresholds: Vec<Thresholds>,
}

/// Bounds.
#[derive(Debug, Serialize)]
pub struct Thresholds {
    /// Connections.
    pub max_connections: u32,
    /// Connections that are being made.
    pub max_pending_requests: u32,
}

/// What holds for connections to hosts.
#[derive(Debug, Serialize)]
pub struct UpstreamConnectionOptions {
    /// How a host that went without a word is noticed.
    pub tcp_keepalive: TcpKeepalive,
}

/// Empty packets on silent connections.
#[derive(Debug, Serialize)]
pub struct TcpKeepalive {
    /// Seconds of silence before the first.
    pub keepalive_time: u32,
}
