//! What a watch has seen, read without awaiting.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use tokio::sync::watch as state;

use super::decoded::Decoded;
use super::event::Event;
use super::kept_unreadable::KeptUnreadable;
use super::packed::{Held, Packing};
use super::unreadable::{Seen, Unreadable};
use crate::limits::Budget;
pub use crate::object_ref::ObjectRef;
use crate::server::Health;

type Handler<T> = Arc<dyn Fn(&Event<'_, T>) + Send + Sync>;
type UnreadableHandler = Arc<dyn Fn(&ObjectRef, Option<&Arc<Unreadable>>) + Send + Sync>;

struct Entry<T> {
    held: Held<T>,
    /// Names this state of the object: no other entry of the cache has the same.
    state: u64,
    /// Hash of uid and resource version: a list read again reports only what changed.
    version: u64,
    /// What the budget was charged for it.
    bytes: usize,
    /// What the value takes while it is read.
    unpacked: usize,
}

struct Inner<T> {
    kind: String,
    /// How values are kept; `None`: as they are.
    packing: Option<Packing<T>>,
    /// What was decoded and is in use.
    decoded: Decoded<T>,
    objects: RwLock<HashMap<ObjectRef, Entry<T>>>,
    /// What is there and cannot be read. The last state that could be read, if there was one, stays among the objects.
    unreadable: KeptUnreadable,
    /// What all caches together may take.
    budget: Option<Budget>,
    handlers: RwLock<Vec<Handler<T>>>,
    unreadable_handlers: RwLock<Vec<UnreadableHandler>>,
    /// Namespaces whose first list has arrived; empty: all.
    listed: RwLock<HashSet<String>>,
    /// Watches whose first list has not arrived.
    missing: state::Sender<usize>,
    /// Objects that were looked at one after the other.
    scanned: AtomicUsize,
}

/// How objects become what is stored.
pub(super) struct Storing<K, T> {
    /// What is kept of an object; `None` leaves it out.
    pub project: Box<dyn Fn(K) -> Option<T> + Send + Sync>,
    /// What it takes.
    pub weigh: Box<dyn Fn(&T) -> Weight + Send + Sync>,
}

/// What a value takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Bytes that it takes in a cache that keeps it as it is.
    pub kept: usize,
    /// Bytes that it takes while a pass reads it.
    pub read: usize,
}

impl From<usize> for Weight {
    /// Of a value that is read as it is kept.
    fn from(bytes: usize) -> Self {
        Self { kept: bytes, read: bytes }
    }
}

/// Objects of one kind. Cheap to clone; all clones show the same.
pub struct Cache<T> {
    inner: Arc<Inner<T>>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for Cache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("kind", &self.inner.kind).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    pub(super) fn new(
        kind: String,
        packing: Option<Packing<T>>,
        budget: Option<Budget>,
        watches: usize,
    ) -> Self {
        let inner = Inner {
            kind,
            packing,
            objects: RwLock::default(),
            unreadable: KeptUnreadable::within(budget.clone()),
            budget,
            handlers: RwLock::default(),
            unreadable_handlers: RwLock::default(),
            listed: RwLock::default(),
            missing: state::Sender::new(watches),
            scanned: AtomicUsize::new(0),
            decoded: Decoded::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A cache without a watch that holds these objects, for tests and for kinds that a server does not have.
    pub fn fixed(objects: impl IntoIterator<Item = (ObjectRef, T)>) -> Self {
        let cache = Self::new("fixed".to_owned(), None, None, 0);
        for (key, value) in objects {
            cache.put_fixed(&key, value);
        }
        cache
    }

    /// As [`Self::fixed`]; the objects are kept as text, as the caches of an operator keep them.
    pub fn fixed_packed(objects: impl IntoIterator<Item = (ObjectRef, T)>) -> Self
    where
        T: serde::Serialize + serde::de::DeserializeOwned,
    {
        let cache = Self::new("fixed".to_owned(), Some(Packing::json()), None, 0);
        for (key, value) in objects {
            cache.put_fixed(&key, value);
        }
        cache
    }

    /// Changes an object of a [`Cache::fixed`], or takes it out, and tells the handlers.
    #[cfg(test)]
    pub(super) fn set_fixed(&self, key: &ObjectRef, value: Option<T>) {
        if let Some(value) = value {
            self.put_fixed(key, value);
            return;
        }
        let old = self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(old) = old.and_then(|old| self.value(key, &old.held, old.state)) {
            self.tell(&Event::Deleted { key, old: &old, told: None });
        }
    }

    /// Says that an unreadable object of a [`Cache::fixed`] can be read again.
    #[cfg(test)]
    pub(super) fn set_readable(&self, key: &ObjectRef) {
        if self.inner.unreadable.remove(key) {
            self.tell_unreadable(key, None);
        }
    }

    fn put_fixed(&self, key: &ObjectRef, value: T) {
        let value = Arc::new(value);
        let whole = || Held::Whole(Arc::clone(&value));
        let held = self.inner.packing.as_ref().map_or_else(whole, |packing| packing.hold(&value));
        self.put(
            key,
            &value,
            Entry { held, state: self.inner.decoded.next_state(), version: 0, bytes: 0, unpacked: 0 },
        );
    }

    /// Marks an object of a [`Cache::fixed`] as unreadable, for tests.
    pub fn with_unreadable(self, key: &ObjectRef, unreadable: Unreadable) -> Self {
        self.set_unreadable(key, unreadable);
        self
    }

    /// The kind of the objects as the API spells it in addresses, for example `kafkatopics`.
    pub fn kind(&self) -> &str {
        &self.inner.kind
    }

    /// The object, if there is one. A cache that packs its objects decodes it, unless somebody still holds what was decoded of
    /// it before: keep what is needed twice.
    pub fn get(&self, key: &ObjectRef) -> Option<Arc<T>> {
        let (held, state) = self.read().get(key).map(|entry| (entry.held.clone(), entry.state))?;
        self.value(key, &held, state)
    }

    /// Whether there is such an object.
    pub fn contains(&self, key: &ObjectRef) -> bool {
        self.read().contains_key(key)
    }

    /// Bytes that the object takes while it is read; 0 when there is none, or when nobody weighs objects of the kind.
    pub fn bytes_when_read(&self, key: &ObjectRef) -> usize {
        self.read().get(key).map_or(0, |entry| entry.unpacked)
    }

    /// All objects, in no order.
    pub fn list(&self) -> Vec<Arc<T>> {
        self.list_where(|_, _| true)
    }

    /// All objects with their keys, in no order.
    pub fn entries(&self) -> Vec<(ObjectRef, Arc<T>)> {
        self.keys().into_iter().filter_map(|key| self.get(&key).map(|value| (key, value))).collect()
    }

    /// Objects of one namespace, in no order.
    pub fn list_in(&self, namespace: &str) -> Vec<Arc<T>> {
        let mut keys = self.keys();
        keys.retain(|key| key.namespace == namespace);
        keys.iter().filter_map(|key| self.get(key)).collect()
    }

    /// Objects that the test accepts, in no order.
    pub fn list_where(&self, mut accept: impl FnMut(&ObjectRef, &T) -> bool) -> Vec<Arc<T>> {
        let keys = self.keys();
        let all = keys.iter().filter_map(|key| self.get(key).map(|value| (key, value)));
        all.filter(|(key, value)| accept(key, value)).map(|(_, value)| value).collect()
    }

    /// Keys of all objects, in no order.
    pub fn keys(&self) -> Vec<ObjectRef> {
        self.scan().keys().cloned().collect()
    }

    /// Objects that were looked at one after the other since the start. What a pass costs must not depend on how many other
    /// owners there are, so a pass over one owner adds nothing to this number: it finds its objects with an
    /// [`Index`](super::Index).
    pub fn scanned(&self) -> usize {
        self.inner.scanned.load(Ordering::Relaxed)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// The object, if it is there and cannot be read. [`Cache::get`] may still have the last state that could be.
    pub fn unreadable(&self, key: &ObjectRef) -> Option<Arc<Unreadable>> {
        self.inner.unreadable.get(key)
    }

    /// Number of objects that are there and cannot be read.
    pub fn count_unreadable(&self) -> usize {
        self.inner.unreadable.len()
    }

    /// All objects that are there and cannot be read, in no order.
    pub fn all_unreadable(&self) -> Vec<(ObjectRef, Arc<Unreadable>)> {
        self.inner.unreadable.list()
    }

    /// Whether the first list of every watch is in.
    pub fn is_ready(&self) -> bool {
        *self.inner.missing.borrow() == 0
    }

    /// Whether the objects of a namespace were listed.
    pub fn is_listed(&self, namespace: &str) -> bool {
        let listed = self.inner.listed.read().unwrap_or_else(PoisonError::into_inner);
        listed.contains("") || listed.contains(namespace)
    }

    /// Waits for the first list of every watch.
    pub async fn ready(&self) {
        let mut missing = self.inner.missing.subscribe();
        // The sender lives as long as this cache: waiting cannot fail.
        let _ = missing.wait_for(|missing| *missing == 0).await;
    }

    /// Lets the process become ready only when this cache is; `health` shows the kind until then.
    pub fn gate_readiness(&self, health: &Health) {
        let gate = health.gate(&format!("the list of {}", self.inner.kind));
        let cache = self.clone();
        tokio::spawn(async move {
            cache.ready().await;
            gate.open();
            // The gate stays for good: dropping it would be the same, but keeping it says so.
            drop(gate);
        });
    }

    /// Adds a handler. It is told at once about the objects that are there already. Handlers run in the watch's task, one event after the
    /// other: they must be quick (put a key into a queue).
    pub fn on_change(&self, handler: impl Fn(&Event<'_, T>) + Send + Sync + 'static) {
        let handler: Handler<T> = Arc::new(handler);
        self.inner.handlers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&handler));
        for key in self.keys() {
            if let Some(value) = self.get(&key) {
                handler(&Event::Applied { key: &key, old: None, new: &value });
            }
        }
    }

    /// Adds a handler for objects that cannot be read: it is told when there is one or when it changed, at once about
    /// those that are there already, and with `None` when it can be read or is gone.
    pub fn on_unreadable(
        &self,
        handler: impl Fn(&ObjectRef, Option<&Arc<Unreadable>>) + Send + Sync + 'static,
    ) {
        let handler: UnreadableHandler = Arc::new(handler);
        let handlers = &self.inner.unreadable_handlers;
        handlers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&handler));
        for (key, unreadable) in self.all_unreadable() {
            handler(&key, Some(&unreadable));
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<ObjectRef, Entry<T>>> {
        self.inner.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The objects, for a look at every one of them.
    fn scan(&self) -> std::sync::RwLockReadGuard<'_, HashMap<ObjectRef, Entry<T>>> {
        let objects = self.read();
        self.inner.scanned.fetch_add(objects.len(), Ordering::Relaxed);
        objects
    }

    fn tell(&self, event: &Event<'_, T>) {
        let handlers = self.inner.handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for handler in handlers {
            handler(event);
        }
    }

    fn tell_unreadable(&self, key: &ObjectRef, unreadable: Option<&Arc<Unreadable>>) {
        let handlers = self.inner.unreadable_handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for handler in handlers {
            handler(key, unreadable);
        }
    }

    fn put(&self, key: &ObjectRef, new: &Arc<T>, entry: Entry<T>) {
        let old =
            self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), entry);
        let old = old.and_then(|entry| self.value(key, &entry.held, entry.state));
        self.tell(&Event::Applied { key, old: old.as_ref(), new });
    }

    /// The value that an entry holds.
    fn value(&self, key: &ObjectRef, held: &Held<T>, state: u64) -> Option<Arc<T>> {
        let packed = match held {
            Held::Whole(value) => return Some(Arc::clone(value)),
            Held::Packed(packed) => packed,
        };
        if let Some(value) = self.inner.decoded.get(state) {
            return Some(value);
        }
        let value = self.inner.packing.as_ref().and_then(|packing| packing.unpack(packed)).map(Arc::new);
        match &value {
            Some(value) => self.inner.decoded.note(state, value),
            // The text was made from such a value. Should that ever fail, the object must not count as gone.
            None => self.set_unreadable(key, Unreadable::with_broken_copy(metadata_of(key))),
        }
        value
    }

    fn set_unreadable(&self, key: &ObjectRef, unreadable: Unreadable) {
        let (unreadable, old) = self.inner.unreadable.put(key, unreadable);
        let again = old.as_ref().is_some_and(|old| old.why == unreadable.why);
        if !again {
            let known =
                if self.read().contains_key(key) { "what runs is left as it is" } else { "it is left alone" };
            tracing::warn!(kind = %self.inner.kind, object = %key, why = %unreadable.why, "an object cannot be read: {known}");
        }
        if old.as_ref() != Some(&unreadable) {
            self.tell_unreadable(key, Some(&unreadable));
        }
    }

    /// Takes in an object that is gone; `told`: its metadata as the API server told them with the deletion.
    pub(super) fn remove(&self, key: &ObjectRef, told: Option<&ObjectMeta>) {
        let was_unreadable = self.inner.unreadable.remove(key);
        self.take_out(key, told);
        if was_unreadable {
            self.tell_unreadable(key, None);
        }
    }

    fn take_out(&self, key: &ObjectRef, told: Option<&ObjectMeta>) {
        let old = self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        let Some(old) = old else { return };
        if let Some(budget) = &self.inner.budget {
            budget.give_back(&key.namespace, old.bytes);
        }
        if let Some(old) = self.value(key, &old.held, old.state) {
            self.tell(&Event::Deleted { key, old: &old, told });
        }
    }

    /// Takes in the state of an object, whose text this is.
    pub(super) fn apply<K: Resource>(&self, text: &str, seen: Seen<K>, storing: &Storing<K, T>) -> ObjectRef {
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
            if self.inner.unreadable.remove(&key) {
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
                let weight = (storing.weigh)(&value);
                let bytes = match &held {
                    Held::Whole(_) => weight.kept,
                    Held::Packed(packed) => packed.bytes(),
                };
                let before = known.map_or(0, |(_, bytes)| bytes);
                let charged =
                    self.inner.budget.as_ref().map(|budget| budget.charge(&key.namespace, before, bytes));
                if let Some(Err(why)) = charged {
                    self.set_unreadable(&key, Unreadable::for_want_of_room(metadata, why).naming(text));
                    return key;
                }
                let was_unreadable = self.inner.unreadable.remove(&key);
                let state = self.inner.decoded.next_state();
                self.put(&key, &value, Entry { held, state, version, bytes, unpacked: weight.read });
                if was_unreadable {
                    self.tell_unreadable(&key, None);
                }
            }
            None => self.remove(&key, None),
        }
        key
    }

    /// Takes in that a list is complete: what is not in it is gone.
    pub(super) fn retain(&self, namespace: &str, listed: &HashSet<ObjectRef>) {
        let mut keys = self.keys();
        keys.extend(self.all_unreadable().into_iter().map(|(key, _)| key));
        for key in keys {
            let ours = namespace.is_empty() || key.namespace == namespace;
            if ours && !listed.contains(&key) {
                self.remove(&key, None);
            }
        }
    }

    /// Takes in that the first list of one watch, of a namespace or of all (empty), is complete.
    pub(super) fn listed_first(&self, namespace: &str) {
        self.inner.listed.write().unwrap_or_else(PoisonError::into_inner).insert(namespace.to_owned());
        self.inner.missing.send_modify(|missing| *missing = missing.saturating_sub(1));
    }

    /// Whether there are objects of a namespace (all of them when it is empty) that there was no room for.
    pub(super) fn wants_room(&self, namespace: &str) -> bool {
        let ours = |key: &ObjectRef| namespace.is_empty() || key.namespace == namespace;
        self.all_unreadable().iter().any(|(key, found)| found.for_want_of_room && ours(key))
    }
}

/// Key of an object of which nothing else is known.
pub(super) fn key_of(metadata: &ObjectMeta) -> ObjectRef {
    ObjectRef::new(metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}

/// The metadata of an object of which nothing else is known.
fn metadata_of(key: &ObjectRef) -> ObjectMeta {
    let namespace = Some(key.namespace.clone()).filter(|namespace| !namespace.is_empty());
    ObjectMeta { name: Some(key.name.clone()), namespace, ..ObjectMeta::default() }
}

fn version_of<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.meta().uid.hash(&mut hasher);
    object.meta().resource_version.hash(&mut hasher);
    hasher.finish()
}
