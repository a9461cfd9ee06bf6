//! What is written into the ConfigMap of a node.

pub(crate) mod agent;
mod lines;
pub mod live;
pub(crate) mod logging;
pub mod model;
pub(crate) mod node_files;
pub(crate) mod plug_in_lines;
pub mod server;
pub mod user;
