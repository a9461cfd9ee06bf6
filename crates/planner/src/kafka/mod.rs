//! Kafka clusters: from what was observed to a [`plan::Plan`].

pub mod admin_call;
mod admin_calls;
pub mod certificates;
pub mod claim_growth;
pub mod cluster;
pub mod config;
pub mod deleted_cluster;
pub mod existing;
pub mod need;
pub mod objects;
pub mod observed;
pub mod orphans;
pub mod plan;
mod planned_events;
pub mod pod_state;
pub mod references;
pub mod restart;
pub mod restart_reasons;
pub mod roll;
pub mod roll_order;
pub mod roll_rules;
pub mod settled;
pub mod status;
pub mod transitions;
pub mod validate;
pub mod versions;
pub mod watched_namespace;
