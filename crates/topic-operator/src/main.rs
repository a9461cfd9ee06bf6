//! Keeps Kafka topics as KafkaTopic resources say.

fn main() {}
