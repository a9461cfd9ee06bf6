//! Everything that the cluster operator decides.
//!
//! Pure: no network, no clock, no chance, no HashMap whose order shows. What was observed and the time go in, a plan comes
//! out; Cargo keeps it so (`tests/unit_house.rs`). Each kind of resource has a folder: [`kafka`] and [`pod_set`];
//! [`node_pool`] is for pools that no Kafka resource looks after, and `workload` is what all pods share.

pub mod findings;
mod fingerprint;
pub mod kafka;
pub mod node_pool;
pub mod pod_set;
mod workload;
