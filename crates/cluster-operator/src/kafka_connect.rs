//! KafkaConnect resources: `observe → plan → apply → status`; the plan is made by `planner::kafka_connect`.

pub(crate) mod driver;
