//! What may change of a running cluster, and what has to wait: from what exists to what is asked for. Each kind of change
//! has its file, with the states that it can be in as an enum. Pure.
//!
//! Static mistakes of the resources are found in [`validate`](super::validate); what is decided here depends on what
//! exists.

pub mod cluster_id;
pub mod leaving;
pub mod membership;
pub mod node_ids;
pub mod pools;
pub mod quorum;
pub mod roles;
pub mod scaling;
pub mod size;
pub mod topic_operator;
pub mod upgrade;
pub mod volumes;
