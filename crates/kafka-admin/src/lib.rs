//! A typed asynchronous Kafka admin client.
