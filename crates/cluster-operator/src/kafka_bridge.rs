//! KafkaBridge resources: `observe → plan → apply → status`; the plan is made by `planner::kafka_bridge`.

pub(crate) mod driver;
