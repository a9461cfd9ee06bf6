//! The topic operator against a real API server and real Kafka nodes.

// Helpers of tests count as tests: a surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp, missing_docs)]

mod basics;
mod endings;
mod extremes;
mod faults;
mod guests;
mod hostile;
mod idle;
mod lost;
mod meanwhile;
mod moves;
mod random;
mod replicas;
mod rights;
mod secured;
mod values;
mod world;
mod writes;
