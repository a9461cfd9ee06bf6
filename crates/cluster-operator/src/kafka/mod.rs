//! Kafka clusters: `observe → plan → apply → status`.

pub mod actions;
pub mod cluster;
pub mod observed;
