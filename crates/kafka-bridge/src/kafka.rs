//! Kafka, through librdkafka: options, the clients that requests share, records to send, questions about topics, calls that wait.

pub mod clients;
pub mod options;
pub mod producer;
pub mod said;
pub mod topics;
pub mod waiting;
