//! Runs Kafka clusters from Kafka and KafkaNodePool resources: watches, answers what plans ask for, carries plans out. The
//! crate `planner` decides.
//!
//! From the top floor down: [`operate`] wires, [`controller`] says which watch event leads to which pass, and each kind
//! of resource has a folder with its pass: [`kafka`] and [`pod_set`]; [`node_pools`] says which pools belong to whom.

pub mod caches;
mod controller;
pub mod kafka;
mod node_pools;
mod pod_set;
mod run;
pub mod settings;
mod unreadable;

pub use run::operate;
