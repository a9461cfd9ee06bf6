//! Kafka clusters: from what was observed to a [`plan::Plan`].

pub mod admin_call;
pub mod certificates;
pub mod claim_growth;
pub mod cluster;
pub mod config;
pub mod deleted_cluster;
pub mod existing;
pub mod objects;
pub mod observed;
pub mod orphans;
pub mod plan;
pub mod pod_state;
pub mod references;
pub mod restart;
pub mod restart_reasons;
pub mod roll_order;
pub mod status;
pub mod transitions;
pub mod validate;
pub mod versions;
pub mod watched_namespace;
