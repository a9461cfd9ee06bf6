//! The entry point of every Kafka pod.

fn main() {}
