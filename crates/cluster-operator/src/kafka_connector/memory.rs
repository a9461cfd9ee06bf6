//! What is remembered of connectors from pass to pass.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use operator_runtime::watch::ObjectRef;
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::past::Past;
use tokio::time::Instant;

use crate::lock::lock;

/// What is remembered of one connector.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// UID of the resource.
    uid: Option<String>,
    /// What was done.
    pub past: Past,
    /// Annotations whose work is done.
    pub answered: Vec<Annotation>,
    /// A list of connectors has to be at least as new as this.
    pub not_before: Option<Instant>,
    /// What the last pass saw of it, as a hash.
    pub shown: Option<u64>,
    /// Whether it is its turn to be asked for its topics.
    pub topics_wanted: bool,
    /// Whether it waits for a Connect that is away.
    pub waits: bool,
}

/// The memories of all connectors.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<ObjectRef, Memory>>);

impl Memories {
    /// What is remembered of a connector. What was remembered of a former connector of the same name is not.
    pub(super) fn of(&self, key: &ObjectRef, uid: Option<&str>) -> Memory {
        let mut all = self.lock();
        let memory = all.entry(key.clone()).or_default();
        if memory.uid.as_deref() != uid {
            let topics_wanted = memory.topics_wanted;
            *memory = Memory { uid: uid.map(ToOwned::to_owned), topics_wanted, ..Memory::default() };
        }
        memory.clone()
    }

    /// Changes what is remembered of a connector, if anything is.
    pub(super) fn change(&self, key: &ObjectRef, change: impl FnOnce(&mut Memory)) {
        if let Some(memory) = self.lock().get_mut(key) {
            change(memory);
        }
    }

    /// A part of what is remembered of a connector.
    pub(super) fn read<T>(&self, key: &ObjectRef, read: impl FnOnce(&Memory) -> T) -> Option<T> {
        self.lock().get(key).map(read)
    }

    /// Forgets a connector that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, Memory>> {
        lock(&self.0)
    }
}
