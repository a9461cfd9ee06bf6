//! The user operator against a real API server and a real Kafka node.

// Helpers of tests count as tests: a surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod clients;
mod credentials;
mod extremes;
mod faults;
mod handover;
mod hostile;
mod independence;
mod issuers;
mod passwords;
mod random;
mod refused;
mod rights;
mod secrecy;
mod world;
