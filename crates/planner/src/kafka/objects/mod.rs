//! The objects of a Kafka cluster, one file each. Every function is pure and yields a `DesiredObject`, or a typed part of one, with
//! exactly the fields that we own.

pub mod claim;
pub mod config_map;
pub mod entity_operator;
mod ingress;
pub mod kafka_exporter;
pub mod listener_services;
mod listener_target;
pub mod meta;
pub mod network_policy;
pub mod pod;
pub mod pod_disruption_budget;
pub mod pod_set;
pub mod rbac;
mod route;
pub mod secret;
pub mod service;
mod tls_route;
