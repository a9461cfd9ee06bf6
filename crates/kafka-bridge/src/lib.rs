//! HTTP to Kafka: the API of Strimzi's bridge on librdkafka.
//!
//! From the top floor down: `run` (ports and tasks), `service` (from a request to its answer), `events`, `consumer/` (many
//! consumers and no thread of ours for any), `kafka/` (clients that requests share, options, records to send, topics), `http/`
//! (connections, routes, bodies), `traces/` (spans for a collector), and what is pure: `requests`, `format`, `json`, `prefetch`, `base_uri`, `trace`, `settings`.

mod base_uri;
mod consumer;
mod error;
mod events;
mod format;
mod http;
mod json;
mod kafka;
mod metrics;
mod openapi;
mod placeholders;
mod prefetch;
mod requests;
mod run;
mod service;
pub mod settings;
mod trace;
mod traces;

pub use kafka::waiting::THREADS as WAITING_THREADS;
pub use run::{Bridge, StartError};
pub use settings::Settings;
pub use traces::settings::{Sampling, TraceSettings};
