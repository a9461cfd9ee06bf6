//! Real processes for tests: an API server, a Kafka node.
