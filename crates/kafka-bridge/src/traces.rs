//! Traces of requests, sent to a collector of OpenTelemetry: OTLP over HTTP, as JSON.
//!
//! From the top floor down: `export` (the queue, and who empties it), `settings` (OpenTelemetry's variables), `span` (what is told
//! of one request: names and numbers, never a value of a record, a header or a body).

pub(crate) mod export;
pub(crate) mod settings;
pub(crate) mod span;
