//! `log4j2.properties` of the nodes and of the entity operator.

use crate::process::log_file::{Logging, file};

/// The loggers of a Kafka node and their levels, unless the user says otherwise.
const KAFKA_LOGGERS: &[(&str, &str)] = &[
    ("kafka", "INFO"),
    ("org.apache.kafka", "INFO"),
    ("kafka.request.logger", "WARN"),
    ("kafka.network.Processor", "OFF"),
    ("kafka.server.KafkaApis", "OFF"),
    ("kafka.network.RequestChannel$", "WARN"),
    ("org.apache.kafka.controller", "INFO"),
    ("kafka.log.LogCleaner", "INFO"),
    ("state.change.logger", "INFO"),
    ("kafka.authorizer.logger", "INFO"),
];

/// The file of a Kafka node.
pub(crate) fn kafka(logging: &Logging) -> String {
    file(logging, KAFKA_LOGGERS)
}

/// The file of the topic or the user operator: they read the root logger's level.
pub(crate) fn entity_operator(logging: &Logging) -> String {
    file(logging, &[])
}
