//! Kafka clusters: `observe → plan → apply → status`.

pub mod actions;
pub mod apply;
pub mod ask;
pub mod asking;
pub mod certificates;
pub mod claims;
pub mod clients;
pub mod cluster;
pub mod config;
pub mod gone;
pub mod leftovers;
pub mod materials;
pub mod objects;
pub mod observe;
pub mod observed;
pub mod plan;
pub mod reasons;
pub mod reconcile;
pub mod restarts;
pub mod roll;
pub mod status;
pub mod validate;
pub mod versions;
