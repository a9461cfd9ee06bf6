//! The topic operator against a real API server and real Kafka nodes.

mod basics;
mod endings;
mod faults;
mod guests;
mod idle;
mod random;
mod replicas;
mod world;
