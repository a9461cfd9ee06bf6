//! `kubectl kafka`: a person's view of Kafka clusters.
//!
//! One module for each subcommand, each with its own documentation; the process around them is `main.rs`. So far there
//! is [`convert`].

pub mod convert;
pub mod exit;
