//! KafkaMirrorMaker2 resources: `observe → plan → apply → status`; the plan is made by `planner::kafka_mirror_maker2`.
//!
//! One pass looks after the workers and their connectors: it lists the connectors with one request, and makes at most one call about
//! each of them, beside each other.

mod asking;
pub(crate) mod driver;
mod memory;
mod others;
pub(crate) mod progress;
mod shares;
