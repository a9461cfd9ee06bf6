//! KafkaConnect resources: `observe → plan → apply → status`; the plan is made by `planner::kafka_connect`.

pub mod driver;
pub mod observe;
