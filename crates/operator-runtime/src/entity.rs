//! A running topic or user operator: a connection to Kafka, and a controller.

use kafka_admin::Admin;
use tokio::{sync::watch, task::JoinHandle};

/// A running topic or user operator.
#[derive(Debug)]
pub struct Operator {
    /// The kind that it looks after, in the plural.
    kind: &'static str,
    admin: watch::Receiver<Option<Admin>>,
    task: JoinHandle<()>,
}

impl Operator {
    /// Begins the work of a controller that ends with the shutdown.
    pub fn run(
        kind: &'static str,
        admin: watch::Receiver<Option<Admin>>,
        controller: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { kind, admin, task: tokio::spawn(controller) }
    }

    /// The connection to Kafka, once there is one.
    pub fn admin(&self) -> Option<Admin> {
        self.admin.borrow().clone()
    }

    /// Waits for the end, after the shutdown. Batches in flight are finished first.
    pub async fn ended(self) {
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the controller of {} ended unexpectedly", self.kind);
        }
    }
}
