//! What is remembered of the connectors of KafkaMirrorMaker2 resources from pass to pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

use operator_runtime::watch::ObjectRef;
use planner::kafka_connector::asked::Annotation;
use planner::kafka_connector::past::Past;
use planner::kafka_mirror_maker2::removals::Removals;
use tokio::time::Instant;

use crate::lock::lock;

/// What is remembered of one resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// UID of the resource.
    uid: Option<String>,
    /// What was done about each connector, by name.
    pub past: BTreeMap<String, Past>,
    /// Annotations whose work is done.
    pub answered: Vec<Annotation>,
    /// Connectors that are to go.
    pub removals: Removals,
    /// The connectors that the resource asked for at the last look.
    pub wanted: BTreeSet<String>,
    /// A list of connectors has to be at least as new as this.
    pub not_before: Option<Instant>,
}

/// The memories of all resources.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<ObjectRef, Memory>>);

impl Memories {
    /// What is remembered of a resource. What was remembered of a former resource of the same name is not.
    pub(super) fn of(&self, key: &ObjectRef, uid: Option<&str>) -> Memory {
        self.lock(|all| {
            let memory = all.entry(key.clone()).or_default();
            if memory.uid.as_deref() != uid {
                *memory = Memory { uid: uid.map(ToOwned::to_owned), ..Memory::default() };
            }
            memory.clone()
        })
    }

    /// Changes what is remembered of a resource, if anything is.
    pub(super) fn change(&self, key: &ObjectRef, change: impl FnOnce(&mut Memory)) {
        self.lock(|all| {
            if let Some(memory) = all.get_mut(key) {
                change(memory);
            }
        });
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        self.lock(|all| drop(all.remove(key)));
    }

    fn lock<T>(&self, act: impl FnOnce(&mut HashMap<ObjectRef, Memory>) -> T) -> T {
        act(&mut lock(&self.0))
    }
}
