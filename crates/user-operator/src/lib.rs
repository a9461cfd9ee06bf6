//! Keeps Kafka users, ACLs and quotas as KafkaUser resources say.
