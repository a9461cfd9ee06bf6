//! Kafka resources of older versions: what they mean for a cluster of today.

pub mod fields;
pub mod implied;
pub mod no_longer;
pub mod words;
pub mod zookeeper;
