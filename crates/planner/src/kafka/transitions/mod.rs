//! What may change of a running cluster, and what has to wait: from what exists to what is asked for. Each kind of change
//! has its file, with the states that it can be in as an enum. Pure.
//!
//! Static mistakes of the resources are found in [`validate`](super::validate); what is decided here depends on what
//! exists.

pub mod cluster_id;
pub mod deleted_pools;
pub(crate) mod departure;
pub mod drain;
mod found_storage;
pub mod internal_security;
pub(crate) mod leaving;
pub mod membership;
pub(crate) mod node_ids;
pub mod pool_finalizer;
pub(crate) mod pools;
pub(crate) mod quorum;
pub(crate) mod roles;
pub mod scaling;
pub(crate) mod size;
pub(crate) mod tiered_storage;
pub(crate) mod topic_operator;
pub(crate) mod upgrade;
pub(crate) mod volume_removal;
pub(crate) mod volumes;
