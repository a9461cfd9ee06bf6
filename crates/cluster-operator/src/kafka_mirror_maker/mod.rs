//! KafkaMirrorMaker resources: each becomes a KafkaMirrorMaker2; the plan is made by `planner::kafka_mirror_maker`.

pub(crate) mod driver;
