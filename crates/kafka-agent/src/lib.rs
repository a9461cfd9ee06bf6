//! The entry point of every Kafka pod.

pub mod config;
