//! KafkaBridge: programs that serve Kafka over HTTP, in a Deployment.

pub(crate) mod bridge;
mod deployment;
pub(crate) mod java;
mod objects;
pub mod observed;
pub mod plan;
mod properties;
pub mod references;
pub mod status;
pub mod validate;
