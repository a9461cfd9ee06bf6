//! KafkaConnect: clusters of Kafka Connect. What has to do with workers as such stands in [`crate::workers`].

pub(crate) mod build;
pub mod call;
pub mod group;
pub mod observed;
mod older;
pub mod plan;
pub mod references;
pub mod status;
pub mod validate;
