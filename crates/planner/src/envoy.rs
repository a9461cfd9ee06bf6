//! The part of Envoy's configuration (API v3) that the operators write. Envoy reads it as JSON; field names are those of its
//! messages.

#![allow(missing_docs, reason = "the names are those of Envoy's messages, which its documentation explains")]

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Bootstrap {
    pub node: Node,
    pub admin: Admin,
    pub dynamic_resources: DynamicResources,
    pub static_resources: StaticResources,
    pub overload_manager: OverloadManager,
}

/// How much an Envoy takes on.
#[derive(Debug, Serialize)]
pub(crate) struct OverloadManager {
    /// How often it is looked at.
    pub refresh_interval: &'static str,
    /// What is looked at.
    pub resource_monitors: Vec<ResourceMonitor>,
    /// What is done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<OverloadAction>,
}

/// Something that can be used up.
#[derive(Debug, Serialize)]
pub(crate) struct ResourceMonitor {
    /// Its name.
    pub name: &'static str,
    /// How much there is of it.
    pub typed_config: Monitor,
}

/// How much there is of something.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Monitor {
    /// Connections of clients.
    Connections(Any<DownstreamConnections>),
    /// Memory.
    Heap(Any<FixedHeap>),
}

/// Connections of clients.
#[derive(Debug, Serialize)]
pub(crate) struct DownstreamConnections {
    /// How many there may be at a time.
    pub max_active_downstream_connections: i64,
}

impl Message for DownstreamConnections {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
}

/// Memory.
#[derive(Debug, Serialize)]
pub(crate) struct FixedHeap {
    /// All of it.
    pub max_heap_size_bytes: u64,
}

impl Message for FixedHeap {
    const TYPE_URL: &'static str =
        "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
}

/// What is done when something is used up.
#[derive(Debug, Serialize)]
pub(crate) struct OverloadAction {
    /// Its name.
    pub name: &'static str,
    /// When.
    pub triggers: Vec<OverloadTrigger>,
}

/// When an action is taken.
#[derive(Debug, Serialize)]
pub(crate) struct OverloadTrigger {
    /// Name of the monitor.
    pub name: &'static str,
    /// The share that is used.
    pub threshold: Threshold,
}

/// A share.
#[derive(Debug, Serialize)]
pub(crate) struct Threshold {
    /// From 0 to 1.
    pub value: f64,
}

#[derive(Debug, Serialize)]
pub(crate) struct Node {
    pub id: String,
    pub cluster: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Admin {
    pub address: Address,
}

#[derive(Debug, Serialize)]
pub(crate) struct DynamicResources {
    pub lds_config: ConfigSource,
    pub cds_config: ConfigSource,
}

/// A file that is read again when the folder that it lies in changes.
#[derive(Debug, Serialize)]
pub(crate) struct ConfigSource {
    pub path_config_source: PathConfigSource,
}

#[derive(Debug, Serialize)]
pub(crate) struct PathConfigSource {
    pub path: String,
    pub watched_directory: WatchedDirectory,
}

/// A folder in which files are replaced by renaming, as in a mounted ConfigMap.
#[derive(Debug, Serialize)]
pub(crate) struct WatchedDirectory {
    pub path: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct StaticResources {
    pub listeners: Vec<Listener>,
    pub clusters: Vec<Cluster>,
}

/// A message that names its own type.
#[derive(Debug, Serialize)]
pub(crate) struct Any<T> {
    #[serde(rename = "@type")]
    type_url: &'static str,
    #[serde(flatten)]
    message: T,
}

/// A message that can stand where any message can.
pub(crate) trait Message: Sized {
    const TYPE_URL: &'static str;

    fn any(self) -> Any<Self> {
        Any { type_url: Self::TYPE_URL, message: self }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Address {
    SocketAddress(SocketAddress),
    Pipe { path: String },
}

#[derive(Debug, Serialize)]
pub(crate) struct SocketAddress {
    /// IP address, or a name where names are looked up.
    pub address: String,
    pub port_value: u16,
    /// Whether an IPv6 address takes IPv4 connections too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ipv4_compat: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Listener {
    pub name: String,
    pub address: Address,
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

#[derive(Debug, Serialize)]
pub(crate) struct FilterChain {
    pub filters: Vec<Filter>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Filter {
    pub name: &'static str,
    pub typed_config: FilterConfig,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum FilterConfig {
    Tcp(Any<TcpProxy>),
    Http(Box<Any<HttpConnectionManager>>),
}

#[derive(Debug, Serialize)]
pub(crate) struct TcpProxy {
    pub stat_prefix: String,
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

#[derive(Debug, Serialize)]
pub(crate) struct HttpConnectionManager {
    pub stat_prefix: &'static str,
    pub route_config: RouteConfiguration,
    pub http_filters: Vec<HttpFilter>,
    /// How long the head of a request may take.
    pub request_headers_timeout: &'static str,
    /// How long a request may take.
    pub request_timeout: &'static str,
    /// How long a request may stay without a word.
    pub stream_idle_timeout: &'static str,
    pub max_request_headers_kb: u32,
    pub common_http_protocol_options: HttpProtocolOptions,
}

#[derive(Debug, Serialize)]
pub(crate) struct HttpProtocolOptions {
    /// How long a connection may stay without a request.
    pub idle_timeout: &'static str,
    /// How long a connection may last.
    pub max_connection_duration: &'static str,
}

impl Message for HttpConnectionManager {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
}

#[derive(Debug, Serialize)]
pub(crate) struct HttpFilter {
    pub name: &'static str,
    /// The router filter, which follows the routes.
    pub typed_config: Any<Router>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Router {}

impl Message for Router {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
}

#[derive(Debug, Serialize)]
pub(crate) struct RouteConfiguration {
    pub virtual_hosts: Vec<VirtualHost>,
}

#[derive(Debug, Serialize)]
pub(crate) struct VirtualHost {
    pub name: &'static str,
    pub domains: Vec<&'static str>,
    /// The routes; the first that fits counts.
    pub routes: Vec<Route>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Route {
    #[serde(rename = "match")]
    pub match_: RouteMatch,
    #[serde(flatten)]
    pub action: RouteAction,
}

#[derive(Debug, Serialize)]
pub(crate) struct RouteMatch {
    pub path: &'static str,
    pub headers: Vec<HeaderMatch>,
}

#[derive(Debug, Serialize)]
pub(crate) struct HeaderMatch {
    pub name: &'static str,
    pub string_match: StringMatch,
}

#[derive(Debug, Serialize)]
pub(crate) struct StringMatch {
    pub exact: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RouteAction {
    Route {
        cluster: &'static str,
        /// The path there.
        prefix_rewrite: &'static str,
    },
    DirectResponse {
        status: u16,
    },
}

#[derive(Debug, Serialize)]
pub(crate) struct Cluster {
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
    pub load_assignment: LoadAssignment,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub health_checks: Vec<HealthCheck>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub circuit_breakers: Option<CircuitBreakers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream_connection_options: Option<UpstreamConnectionOptions>,
}

impl Message for Cluster {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
}

#[derive(Debug, Serialize)]
pub(crate) struct LoadAssignment {
    pub cluster_name: String,
    pub endpoints: Vec<Endpoints>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Endpoints {
    pub lb_endpoints: Vec<LbEndpoint>,
}

#[derive(Debug, Serialize)]
pub(crate) struct LbEndpoint {
    pub endpoint: Endpoint,
}

#[derive(Debug, Serialize)]
pub(crate) struct Endpoint {
    pub address: Address,
}

#[derive(Debug, Serialize)]
pub(crate) struct HealthCheck {
    /// How long an answer may take.
    pub timeout: &'static str,
    /// How often a host that answers is asked.
    pub interval: &'static str,
    /// The same of one to which nothing leads yet.
    pub no_traffic_interval: &'static str,
    /// How often a host that does not answer is asked.
    pub unhealthy_interval: &'static str,
    pub unhealthy_threshold: u32,
    pub healthy_threshold: u32,
    /// By a connection that says nothing.
    #[serde(rename = "tcp_health_check")]
    pub by_connection: TcpHealthCheck,
}

/// A connection that says nothing.
#[derive(Debug, Serialize)]
pub(crate) struct TcpHealthCheck {}

#[derive(Debug, Serialize)]
pub(crate) struct CircuitBreakers {
    pub thresholds: Vec<Thresholds>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Thresholds {
    pub max_connections: u32,
    pub max_pending_requests: u32,
}

#[derive(Debug, Serialize)]
pub(crate) struct UpstreamConnectionOptions {
    /// How a host that went without a word is noticed.
    pub tcp_keepalive: TcpKeepalive,
}

/// Empty packets on silent connections.
#[derive(Debug, Serialize)]
pub(crate) struct TcpKeepalive {
    /// Seconds of silence before the first.
    pub keepalive_time: u32,
}
