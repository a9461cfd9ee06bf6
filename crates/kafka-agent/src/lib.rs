//! The entry point of every Kafka pod, and of every pod of Kafka Connect.
//!
//! An init container copies this binary into the pod (`install`); there it is process 1 of the Kafka container (`run`)
//! and answers the kubelet's probes (`probe`). [`run`] reads as the order of a start: configuration, key stores, storage,
//! JVM; then it watches over the JVM until the pod ends. [`worker`] does the same for Kafka Connect; what both have in common is in
//! `launch`.

pub mod cli;
pub mod files;
pub mod heap;
pub mod install;
pub mod jars;
pub mod jmx;
pub mod jvm;
pub mod keystore;
pub mod kubernetes;
mod launch;
pub mod layout;
pub mod listener;
pub mod node_info;
pub mod plug_ins;
pub mod probe;
pub mod process;
pub mod recovery;
pub mod render;
pub mod run;
pub mod run_error;
pub mod server;
pub mod state;
pub mod storage;
pub mod termination;
pub mod tls;
pub mod tls_reload;
pub mod watch;
pub mod worker;
pub mod worker_health;

pub use api::agent as config;
pub use api::properties;
