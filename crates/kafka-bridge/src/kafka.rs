//! Kafka, through librdkafka: options, the clients that requests share, records to send, questions about topics, calls that wait.

pub(crate) mod clients;
pub(crate) mod options;
pub(crate) mod producer;
pub(crate) mod said;
pub(crate) mod topics;
pub(crate) mod waiting;
