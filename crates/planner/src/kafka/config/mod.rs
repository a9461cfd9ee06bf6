//! What is written into the ConfigMap of a node.

pub mod agent;
pub mod live;
pub mod logging;
pub mod model;
pub mod server;
pub mod user;
