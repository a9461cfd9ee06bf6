//! Keeps Kafka topics as KafkaTopic resources say.
//!
//! Read it in this order, from the top floor down: [`controller`] (which event leads to which look), [`vanished`],
//! [`apply`], [`reconcile`] and [`replicas`] (carry out), [`plan`], [`config`], [`values`], [`status`] (pure decisions), [`observe`] and
//! [`kubernetes`] (what is read and written), [`index`] and [`queue`] (what is kept in memory). [`strays`] are what no watch
//! tells of.
//!
//! One direction only: resources are carried into Kafka. Topics without a resource are never touched.
//!
//! When the Kafka resource is deleted, this operator takes its finalizer off all topics of that cluster without
//! deleting them in Kafka. It disappears itself together with the Kafka resource, so the cluster operator has to do the
//! same for what is left ([`finalizers_without`] is the rule).

pub mod apply;
pub mod batch;
pub mod config;
pub mod controller;
pub mod grants;
pub mod index;
mod job;
pub mod kubernetes;
mod losses;
mod message;
pub mod metrics;
pub mod observe;
pub mod plan;
pub mod queue;
pub mod reconcile;
pub mod replicas;
pub mod resource;
pub mod review;
pub mod settings;
pub mod status;
pub mod strays;
#[cfg(test)]
mod test_resources;
pub mod topic;
mod unreadable;
pub mod values;
pub mod vanished;
mod verdicts;
pub mod watches;

pub use controller::Operator;
pub use settings::Settings;

/// The finalizers of a KafkaTopic without this operator's; none when it has none, so that nothing has to be written.
pub fn finalizers_without(finalizers: &[String]) -> Option<Vec<String>> {
    let ours = api::annotations::FINALIZER_TOPIC_OPERATOR;
    finalizers.iter().any(|f| f == ours).then(|| finalizers.iter().filter(|f| *f != ours).cloned().collect())
}
