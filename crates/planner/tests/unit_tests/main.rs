//! The planner as a function: every test here makes plans and looks at them; no other process, no network.
//!
//! One program for all of them, since linking one costs more time than running its tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "../common/mod.rs"]
mod common;

mod any_manifest;
mod authorities;
mod bad_input;
mod certificate_life_cycles;
mod connect_resizing;
mod connect_roll;
mod connect_trust;
mod connector_rounds;
mod connectors;
mod connectors_over_time;
mod dead_machines;
mod differences;
mod draining;
mod every_path;
mod evictions;
mod examples;
mod existing_nodes;
mod failed_log_dirs;
mod feature_levels;
mod foreign_additions;
mod held;
mod house;
mod image_build_faults;
mod image_build_pods;
mod image_builds;
mod implied_pools;
mod internal_security;
mod issued_certificates;
mod kafka_bridge;
mod kafka_connect;
mod kafka_exporter;
mod kafka_mirror_maker;
mod kafka_mirror_maker2;
mod leaving_controllers;
mod listener_addresses;
mod listener_certificates;
mod listener_rules;
mod listener_types;
mod logging;
mod lost_memory;
mod lost_nodes;
mod made_size;
mod mirror_bounds;
mod names;
mod network_policy;
mod new_claims;
mod node_config;
mod odd_specs;
mod older_manifests;
mod openshift_builds;
mod operator_hold;
mod options;
mod orphaned_pools;
mod other_clusters;
mod override_kinds;
mod override_pairs;
mod overrides;
mod ownership;
mod paths;
mod planning;
mod plans_as_values;
mod plug_ins;
mod pool_templates;
mod properties;
mod proxies;
mod reference_objects;
mod references;
mod refused_overrides;
mod resizing;
mod revisions;
mod rolling;
mod secrecy;
mod simulator;
mod single_address;
mod snapshots;
mod spec_warnings;
mod static_validation;
mod storage_changes;
mod supplied_authorities;
mod taking_up;
mod templates;
mod topic_operator;
mod upkeep;
mod validation;
mod volume_removal;
