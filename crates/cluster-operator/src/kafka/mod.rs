//! Kafka clusters: `observe → plan → apply → status`; the plan is made by `planner::kafka`.

pub mod admin_clients;
pub mod answers;
pub mod apply;
pub mod call_error;
pub mod dry_run;
mod holders;
pub mod kafka_calls;
pub mod key_making;
pub mod late_answers;
pub mod node_addresses;
pub mod observe;
pub mod option_calls;
pub mod reconcile;
pub mod restart_pods;
pub mod roll_calls;
pub mod roll_metric;
mod room;
