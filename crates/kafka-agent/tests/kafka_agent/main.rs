//! The agent with real processes of Kafka. Most of the time they wait for one another, so that tests run beside each other.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

#[path = "../support/mod.rs"]
mod support;

// The first one begins first, and takes the longest.
mod certificates;
mod connect;
mod format;
mod node;
mod plug_ins;
mod properties;
