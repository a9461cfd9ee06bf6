//! How much an Envoy takes on.

use serde::Serialize;

use super::message::{Any, Message};

/// How much an Envoy takes on.
#[derive(Debug, Serialize)]
pub struct OverloadManager {
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
pub struct ResourceMonitor {
    /// Its name.
    pub name: &'static str,
    /// How much there is of it.
    pub typed_config: Monitor,
}

/// How much there is of something.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Monitor {
    /// Connections of clients.
    Connections(Any<DownstreamConnections>),
    /// Memory.
    Heap(Any<FixedHeap>),
}

/// Connections of clients.
#[derive(Debug, Serialize)]
pub struct DownstreamConnections {
    /// How many there may be at a time.
    pub max_active_downstream_connections: i64,
}

impl Message for DownstreamConnections {
    const TYPE_URL: &'static str = "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";
}

/// Memory.
#[derive(Debug, Serialize)]
pub struct FixedHeap {
    /// All of it.
    pub max_heap_size_bytes: u64,
}

impl Message for FixedHeap {
    const TYPE_URL: &'static str =
        "type.googleapis.com/envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
}

/// What is done when something is used up.
#[derive(Debug, Serialize)]
pub struct OverloadAction {
    /// Its name.
    pub name: &'static str,
    /// When.
    pub triggers: Vec<OverloadTrigger>,
}

/// When an action is taken.
#[derive(Debug, Serialize)]
pub struct OverloadTrigger {
    /// Name of the monitor.
    pub name: &'static str,
    /// The share that is used.
    pub threshold: Threshold,
}

/// A share.
#[derive(Debug, Serialize)]
pub struct Threshold {
    /// From 0 to 1.
    pub value: f64,
}
