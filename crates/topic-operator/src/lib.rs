//! Keeps Kafka topics as KafkaTopic resources say.
//!
//! From the top floor down: `controller` (which event leads to which look), `left_watch` (resources that a watch shows no
//! more), `apply`, `reconcile` and `replicas` (carry out), `job` and `batch` (what they work on), `verdicts` (writes
//! statuses), `plan`, `config`, `values`, `status` (pure decisions), `observe` and `kubernetes` (what is read and
//! written), `index` and `queue` (what is kept in memory). `strays` are resources that no watch tells of.
//!
//! One direction only: resources are carried into Kafka. Topics without a resource are never touched.
//!
//! When the Kafka resource is deleted, this operator takes its finalizer off all topics of that cluster without
//! deleting them in Kafka. It disappears itself together with the Kafka resource, so the cluster operator does the
//! same for what is left.

mod apply;
mod batch;
mod config;
mod controller;
mod grants;
mod index;
mod job;
pub mod kubernetes;
mod left_watch;
mod losses;
mod message;
pub mod metrics;
mod observe;
mod plan;
mod queue;
mod reconcile;
mod replicas;
mod resource;
mod seen;
pub mod settings;
mod startup_check;
pub mod status;
mod strays;
#[cfg(test)]
mod test_resources;
pub mod topic;
mod unreadable;
mod values;
mod verdicts;
mod watches;

pub use controller::start;
pub use settings::Settings;
