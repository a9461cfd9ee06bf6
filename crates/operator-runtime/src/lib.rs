//! What every operator binary shares: environment, logging, leader election, health and metrics server, watch caches,
//! work queue, the loop that empties it, server-side apply, events, the connection to Kafka of an entity operator, and `main`.
//!
//! [`program`] reads a binary's settings with [`env`] and starts [`telemetry`] and [`server`]. The binary elects a [`leader`] (the cluster operator),
//! fills [`watch`] caches whose events put keys into a [`queue`], and carries plans out with [`apply`].

mod allocator;
pub mod apply;
pub mod batches;
mod claim_users;
pub mod client;
pub mod clock;
pub mod connections;
pub mod controller;
pub mod entity;
pub mod env;
pub mod events;
pub mod jaas;
pub mod kafka;
mod kubeconfig;
pub mod leader;
pub mod limits;
pub mod list;
pub mod log_file;
pub mod long_text;
pub mod memory;
pub mod metrics;
pub mod named_object;
pub mod object_ref;
mod planned_write;
pub mod process;
pub mod program;
pub mod queue;
pub mod referenced_objects;
pub mod refusal;
pub mod report;
pub mod server;
pub mod shutdown;
pub mod status;
pub mod telemetry;
pub mod watch;
