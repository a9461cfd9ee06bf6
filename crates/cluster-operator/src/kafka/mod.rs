//! Kafka clusters: `observe → plan → apply → status`; the plan is made by `planner::kafka`.

pub mod admin_clients;
pub mod apply;
pub mod kafka_calls;
pub mod key_making;
pub mod late_answers;
pub mod observe;
pub mod option_calls;
pub mod reconcile;
pub mod restart_pods;
