//! How what a watch sees gets into its cache, within the budget.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};

use kube::Resource;

use super::{Cache, Entry, Event, ObjectRef, key_of};
use crate::limits::Budget;
use crate::watch::packed::Held;
use crate::watch::unreadable::{Seen, Unreadable};

/// How objects become what is stored.
pub(in crate::watch) struct Storing<K, T> {
    /// What is kept of an object; `None` leaves it out.
    pub project: Box<dyn Fn(K) -> Option<T> + Send + Sync>,
    /// Bytes that it takes.
    pub weigh: Box<dyn Fn(&T) -> usize + Send + Sync>,
    /// What all caches together may take.
    pub budget: Option<Budget>,
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// Takes in an object that is gone.
    pub(in crate::watch) fn remove<K>(&self, key: &ObjectRef, storing: &Storing<K, T>) {
        let was_unreadable = self.clear_unreadable(key);
        self.take_out(key, storing);
        if was_unreadable {
            self.tell_unreadable(key, None);
        }
    }

    fn take_out<K>(&self, key: &ObjectRef, storing: &Storing<K, T>) {
        let old = self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        let Some(old) = old else { return };
        if let Some(budget) = &storing.budget {
            budget.give_back(&key.namespace, old.bytes);
        }
        if let Some(old) = self.value(key, &old.held) {
            self.tell(&Event::Deleted { key, old: &old });
        }
    }

    /// Takes in the state of an object.
    pub(in crate::watch) fn apply<K: Resource>(&self, seen: Seen<K>, storing: &Storing<K, T>) -> ObjectRef {
        let mut object = match seen {
            Seen::Readable(object) => *object,
            Seen::Unreadable(unreadable) => {
                let key = key_of(&unreadable.metadata);
                self.set_unreadable(&key, *unreadable);
                return key;
            }
        };
        let key = ObjectRef::of(&object);
        let version = version_of(&object);
        let known = self.read().get(&key).map(|entry| (entry.version, entry.bytes));
        if known.is_some_and(|(known, _)| known == version) {
            if self.clear_unreadable(&key) {
                self.tell_unreadable(&key, None);
            }
            return key;
        }
        object.meta_mut().managed_fields =
            object.meta_mut().managed_fields.take().and_then(crate::apply::own_entry);
        let metadata = object.meta().clone();
        match (storing.project)(object) {
            Some(value) => {
                let value = Arc::new(value);
                let packing = self.inner.packing.as_ref();
                let held =
                    packing.map_or_else(|| Held::Whole(Arc::clone(&value)), |packing| packing.hold(&value));
                let unpacked = (storing.weigh)(&value);
                let bytes = match &held {
                    Held::Whole(_) => unpacked,
                    Held::Packed(packed) => packed.bytes(),
                };
                let before = known.map_or(0, |(_, bytes)| bytes);
                let charged =
                    storing.budget.as_ref().map(|budget| budget.charge(&key.namespace, before, bytes));
                if let Some(Err(why)) = charged {
                    self.set_unreadable(&key, Unreadable::for_want_of_room(metadata, why));
                    return key;
                }
                let was_unreadable = self.clear_unreadable(&key);
                self.put(&key, &value, Entry { held, version, bytes, unpacked });
                if was_unreadable {
                    self.tell_unreadable(&key, None);
                }
            }
            None => self.remove(&key, storing),
        }
        key
    }

    /// Takes in that a list is complete: what is not in it is gone.
    pub(in crate::watch) fn retain<K>(
        &self,
        namespace: &str,
        listed: &HashSet<ObjectRef>,
        storing: &Storing<K, T>,
    ) {
        let mut keys = self.keys();
        keys.extend(self.read_unreadable().keys().cloned());
        for key in keys {
            let ours = namespace.is_empty() || key.namespace == namespace;
            if ours && !listed.contains(&key) {
                self.remove(&key, storing);
            }
        }
    }
}

fn version_of<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.meta().uid.hash(&mut hasher);
    object.meta().resource_version.hash(&mut hasher);
    hasher.finish()
}
