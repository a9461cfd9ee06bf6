//! Connectors in a real Kafka Connect worker, with a real broker and a real API server.

// Helpers of tests count as tests: a surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../common/operator.rs"]
mod operator;

mod connectors;
mod mirrors;
mod world;
