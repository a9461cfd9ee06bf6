//! Everything that the cluster operator decides.
//!
//! Pure: no network, no clock, no chance, no HashMap whose order shows. What was observed and the time go in, a plan comes
//! out; Cargo keeps it so (`tests/unit_tests/house.rs`). [`plan`] is what the plans of all kinds have in common, [`completion`] leads to a
//! complete one. Each kind of resource has a folder, such as [`kafka`], [`kafka_connect`], [`kafka_connector`] and [`pod_set`]; [`node_pool`] is for pools that no Kafka
//! resource looks after. What kinds share stands beside these folders: [`workers`] and [`clients`], [`roll`], `workload`, `process`.

pub mod clients;
pub mod completion;
mod envoy;
pub mod evictions;
pub mod findings;
mod fingerprint;
pub mod kafka;
pub mod kafka_bridge;
pub mod kafka_connect;
pub mod kafka_connector;
pub mod kafka_mirror_maker;
pub mod kafka_mirror_maker2;
pub mod live_object;
mod live_of_owner;
pub mod node_pool;
pub mod option_text;
pub mod orphans;
pub mod overrides;
pub mod ownership;
pub mod plan;
pub mod pod_set;
pub mod pod_words;
mod process;
mod rack;
pub mod references;
pub mod referred;
pub mod restart_reason;
pub mod roll;
pub mod settings;
pub mod silence;
pub mod status;
mod text;
mod user_options;
pub mod versions;
pub mod view;
mod words;
pub mod workers;
mod workload;
