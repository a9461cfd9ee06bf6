//! What is written into the ConfigMap of a node.

pub(crate) mod agent;
pub mod live;
pub(crate) mod logging;
pub mod model;
pub(crate) mod node_files;
pub mod server;
pub mod user;
