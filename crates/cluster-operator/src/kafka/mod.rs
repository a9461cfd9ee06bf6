//! Kafka clusters: `observe → plan → apply → status`; the plan is made by `planner::kafka`.

pub(crate) mod admin_clients;
mod agents;
pub(crate) mod answers;
pub(crate) mod call_error;
mod call_time;
pub(crate) mod certificate_metrics;
pub mod drain_calls;
pub(crate) mod dry_run;
pub mod failed_log_dirs;
pub mod kafka_calls;
pub(crate) mod late_answers;
pub mod leader_elections;
pub mod log_dir_calls;
mod lost_nodes;
pub(crate) mod node_addresses;
pub mod observe;
pub mod option_calls;
pub(crate) mod reconcile;
pub(crate) mod restart_pods;
pub mod roll_calls;
pub(crate) mod roll_metrics;
pub mod silent_brokers;
mod trial_writes;
mod turns;
mod up_to_date_topics;
mod views;
