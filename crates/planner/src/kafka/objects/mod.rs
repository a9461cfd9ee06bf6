//! The objects of a Kafka cluster, one file each. Every function is pure and yields a `DesiredObject`, or a typed part of one, with
//! exactly the fields that we own.

pub(crate) mod certificate;
pub(crate) mod claim;
pub(crate) mod config_map;
pub(crate) mod entity_operator;
mod ingress;
pub(crate) mod kafka_exporter;
pub(crate) mod listener_services;
mod listener_target;
pub(crate) mod meta;
pub(crate) mod network_policy;
pub(crate) mod pod;
pub(crate) mod pod_disruption_budget;
pub(crate) mod pod_set;
pub(crate) mod proxy;
pub(crate) mod proxy_config;
mod proxy_resources;
pub mod rbac;
mod route;
pub(crate) mod secret;
pub(crate) mod service;
mod tls_route;
