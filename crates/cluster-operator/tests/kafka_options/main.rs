//! What the resource says is what Kafka runs with: plans carried out on a real broker.

// Helpers of tests count as tests: a surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../../planner/tests/common/mod.rs"]
mod paper;

mod changes;
mod draining;
mod features;
mod quotas;
mod removal;
mod roll;
mod volumes;
mod voters;
mod world;
