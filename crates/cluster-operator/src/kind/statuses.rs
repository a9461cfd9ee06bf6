//! Statuses that are others than the last wanted ones.

use std::sync::Arc;

use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;

use super::{Driver, Kind};

impl<K: Kind> Driver<K> {
    /// Brings another pass when the status of a resource is not the last wanted one: a write from before came late, or another program
    /// wrote it.
    pub(crate) fn watch_statuses(self: &Arc<Self>, queue: &Queue<ObjectRef>) {
        let (driver, queue) = (Arc::clone(self), queue.clone());
        self.kind.resources().on_change(move |event| {
            if driver.statuses.differ(event) {
                queue.add(event.key().clone());
            }
        });
    }
}
