//! Runs Kafka clusters, Kafka Connect and connectors from custom resources: watches, answers what plans ask for, carries plans out. The
//! crate `planner` decides.
//!
//! From the top floor down: [`operate`] wires, [`controller`] says which watch event leads to which pass, and each kind
//! of resource has a folder with its pass: [`kafka`], [`kafka_connect`], [`kafka_connector`], [`kafka_bridge`] and [`pod_set`]; [`node_pools`] says which pools belong to whom. [`kind`] puts
//! the steps of a pass together, and [`carry_out`] writes what a plan says, for all kinds.

pub mod caches;
pub mod carry_out;
mod controller;
mod deleted_pods;
pub mod evictions;
mod holders;
pub mod kafka;
mod kafka_bridge;
mod kafka_connect;
pub mod kafka_connector;
mod kafka_mirror_maker;
mod kafka_mirror_maker2;
mod key_making;
mod kind;
mod lock;
mod node_pools;
mod platform;
mod pod_set;
mod reference_room;
mod room;
mod run;
pub mod settings;
mod start;
mod unreadable;
mod workers;

pub use run::operate;
