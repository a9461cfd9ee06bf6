//! The cluster operator against a real API server, with the rights that the chart gives it and no others.

// Helpers of tests count as tests: a surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../common/operator.rs"]
mod operator;

mod as_written;
mod authors;
mod bad_input;
mod bounded_memory;
mod bridge;
mod connect;
mod connect_addresses;
mod connect_groups;
mod connectors;
mod deletion;
mod draining;
mod every_kind;
mod evictions;
mod extremes;
mod faults;
mod hostile;
mod hostile_beside;
mod hostile_broker;
mod issuers;
mod kafka_addresses;
mod kinds;
mod lifecycle;
mod listeners;
mod lost_volumes;
mod mirror_maker1;
mod mirror_maker2;
mod named_mistakes;
mod openshift_builds;
mod operator_hold;
mod overrides;
mod own_account;
mod pools;
mod process;
mod references;
mod refusals;
mod resizing;
mod restarts;
mod rights;
mod scaling;
mod secrecy;
mod secret_references;
mod slow_changes;
mod taken_names;
mod world;
