//! Runs Kafka clusters from Kafka and KafkaNodePool resources.

pub mod kafka;
