//! The agent with real processes of Kafka. Tests run side by side: they mostly wait.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

#[path = "../support/mod.rs"]
mod support;

// Tests begin in alphabetical order: the longest one first.
mod certificates;
mod connect;
mod format;
mod node;
mod plug_ins;
mod properties;
mod relay;
