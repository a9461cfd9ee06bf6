//! Runs Kafka clusters from Kafka and KafkaNodePool resources.
//!
//! From the top floor down: [`run`] wires, [`controller`] says which watch event leads to which pass, and each kind
//! of resource has a folder with its pass: [`kafka`] and [`podset`].

pub mod caches;
pub mod controller;
pub mod hash;
pub mod kafka;
pub mod podset;
mod run;
pub mod settings;
pub mod unreadable;
pub mod workload;

pub use run::{operate, run, runtime};
