//! Watch caches: one watch per kind (and namespace), shared by all that need it.
//!
//! A cache stores a *projection* of each object, as small as its users allow, and tells handlers about changes. It is read without
//! awaiting. A lost connection is resumed; when the server has forgotten where we were, the list is read again and objects that
//! vanished meanwhile are reported as deleted. Lists are read in pages, consistently (a streamed list may be older than the last write,
//! which a restarted operator must not act on).

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{Stream, StreamExt, pin_mut};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher::{self, Config};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch as state;
use tokio_util::sync::CancellationToken;

use crate::env::Namespaces;
use crate::queue::Backoff;
use crate::server::Health;

/// Objects per page of a list. Bounds the memory of a start: a page is decoded as a whole.
const PAGE_SIZE: u32 = 250;

/// The server ends a watch after so many seconds and we resume it: a dead connection is noticed at the latest then.
const WATCH_SECONDS: u32 = 240;

/// Namespace and name of an object.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Empty for cluster-wide objects.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectRef {
    /// From both parts.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// A change in a cache. The cache shows the new state already when a handler is called.
#[derive(Debug)]
pub enum Event<'a, T> {
    /// New or changed.
    Applied {
        /// Which object.
        key: &'a ObjectRef,
        /// As it was; `None` when it is new.
        old: Option<&'a Arc<T>>,
        /// As it is.
        new: &'a Arc<T>,
    },
    /// Gone, or no longer selected by the projection.
    Deleted {
        /// Which object.
        key: &'a ObjectRef,
        /// As it was last seen.
        old: &'a Arc<T>,
    },
}

impl<'a, T> Event<'a, T> {
    /// Which object.
    pub fn key(&self) -> &'a ObjectRef {
        match self {
            Self::Applied { key, .. } | Self::Deleted { key, .. } => key,
        }
    }

    /// As it is, or as it was last seen.
    pub fn latest(&self) -> &'a Arc<T> {
        match self {
            Self::Applied { new, .. } => new,
            Self::Deleted { old, .. } => old,
        }
    }
}

type Handler<T> = Arc<dyn Fn(&Event<'_, T>) + Send + Sync>;

struct Entry<T> {
    value: Arc<T>,
    /// Hash of uid and resource version: a list read again reports only what changed.
    version: u64,
}

struct Inner<T> {
    kind: String,
    objects: RwLock<HashMap<ObjectRef, Entry<T>>>,
    handlers: RwLock<Vec<Handler<T>>>,
    /// Watches whose first list has not arrived.
    missing: state::Sender<usize>,
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
    fn new(kind: String, watches: usize) -> Self {
        let inner = Inner {
            kind,
            objects: RwLock::default(),
            handlers: RwLock::default(),
            missing: state::Sender::new(watches),
        };
        Self { inner: Arc::new(inner) }
    }

    /// A cache without a watch that holds these objects, for tests and for kinds that a server does not have.
    pub fn fixed(objects: impl IntoIterator<Item = (ObjectRef, T)>) -> Self {
        let cache = Self::new("fixed".to_owned(), 0);
        for (key, value) in objects {
            cache.put(&key, 0, value);
        }
        cache
    }

    /// The object, if there is one.
    pub fn get(&self, key: &ObjectRef) -> Option<Arc<T>> {
        self.read().get(key).map(|entry| Arc::clone(&entry.value))
    }

    /// All objects, in no order.
    pub fn list(&self) -> Vec<Arc<T>> {
        self.read().values().map(|entry| Arc::clone(&entry.value)).collect()
    }

    /// All objects with their keys, in no order.
    pub fn entries(&self) -> Vec<(ObjectRef, Arc<T>)> {
        self.read().iter().map(|(key, entry)| (key.clone(), Arc::clone(&entry.value))).collect()
    }

    /// Objects of one namespace, in no order.
    pub fn list_in(&self, namespace: &str) -> Vec<Arc<T>> {
        self.list_where(|key, _| key.namespace == namespace)
    }

    /// Objects that the test accepts, in no order. The test must not call this cache.
    pub fn list_where(&self, mut accept: impl FnMut(&ObjectRef, &T) -> bool) -> Vec<Arc<T>> {
        let objects = self.read();
        let chosen = objects.iter().filter(|(key, entry)| accept(key, &entry.value));
        chosen.map(|(_, entry)| Arc::clone(&entry.value)).collect()
    }

    /// Keys of all objects, in no order.
    pub fn keys(&self) -> Vec<ObjectRef> {
        self.read().keys().cloned().collect()
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.read().len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.read().is_empty()
    }

    /// Whether the first list of every watch is in.
    pub fn is_ready(&self) -> bool {
        *self.inner.missing.borrow() == 0
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
        for (key, value) in self.entries() {
            handler(&Event::Applied { key: &key, old: None, new: &value });
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<ObjectRef, Entry<T>>> {
        self.inner.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: &Event<'_, T>) {
        let handlers = self.inner.handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for handler in handlers {
            handler(event);
        }
    }

    fn put(&self, key: &ObjectRef, version: u64, value: T) {
        let new = Arc::new(value);
        let entry = Entry { value: Arc::clone(&new), version };
        let old =
            self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), entry);
        self.tell(&Event::Applied { key, old: old.as_ref().map(|entry| &entry.value), new: &new });
    }

    fn remove(&self, key: &ObjectRef) {
        let old = self.inner.objects.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let Some(old) = old {
            self.tell(&Event::Deleted { key, old: &old.value });
        }
    }

    fn apply<K: Resource>(
        &self,
        mut object: K,
        project: &(dyn Fn(K) -> Option<T> + Send + Sync),
    ) -> ObjectRef {
        let key = ObjectRef::of(&object);
        let version = version_of(&object);
        let known = self.read().get(&key).map(|entry| entry.version);
        if known == Some(version) {
            return key;
        }
        object.meta_mut().managed_fields =
            object.meta_mut().managed_fields.take().and_then(crate::apply::own_entry);
        match project(object) {
            Some(value) => self.put(&key, version, value),
            None => self.remove(&key),
        }
        key
    }
}

fn version_of<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.meta().uid.hash(&mut hasher);
    object.meta().resource_version.hash(&mut hasher);
    hasher.finish()
}

/// Describes a watch; [`Watch::start`] begins it. `Watch<PartialObjectMeta<K>>` lets the server send metadata only.
pub struct Watch<K> {
    apis: Vec<(String, Api<K>)>,
    config: Config,
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
    K::DynamicType: Default,
{
    /// All objects of a kind in the whole cluster; also for cluster-wide kinds.
    pub fn all(client: &Client) -> Self {
        Self::of(vec![(String::new(), Api::all(client.clone()))])
    }

    /// One watch per namespace, or a single one for all.
    pub fn namespaced(client: &Client, namespaces: &Namespaces) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        match namespaces {
            Namespaces::All => Self::all(client),
            Namespaces::Some(names) => Self::of(
                names.iter().map(|name| (name.clone(), Api::namespaced(client.clone(), name))).collect(),
            ),
        }
    }

    fn of(apis: Vec<(String, Api<K>)>) -> Self {
        Self { apis, config: Config::default().page_size(PAGE_SIZE).timeout(WATCH_SECONDS) }
    }

    /// Only objects with these labels (`a=b,c in (d,e)`). `None` changes nothing.
    pub fn labels(mut self, selector: Option<&str>) -> Self {
        if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
            self.config = self.config.labels(selector);
        }
        self
    }

    /// Only objects with these fields (`metadata.name=x`).
    pub fn fields(mut self, selector: &str) -> Self {
        self.config = self.config.fields(selector);
        self
    }

    /// Starts the watch. `project` makes what is stored; `None` leaves the object out. Managed fields are gone before `project` sees the
    /// object, except for our own entry (see [`crate::apply::own_entry`]), which `project` should drop unless it stores objects that are
    /// compared with [`objects::compare`]. Ends with `shutdown`.
    pub fn start<T: Send + Sync + 'static>(
        self,
        shutdown: &CancellationToken,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Cache<T> {
        let kind = K::plural(&K::DynamicType::default()).into_owned();
        let cache = Cache::new(kind, self.apis.len());
        let project: Arc<dyn Fn(K) -> Option<T> + Send + Sync> = Arc::new(project);
        for (namespace, api) in self.apis {
            let stream = watcher::watcher(api, self.config.clone());
            let follow = follow(cache.clone(), namespace, stream, Arc::clone(&project));
            let shutdown = shutdown.clone();
            tokio::spawn(async move { shutdown.run_until_cancelled(follow).await });
        }
        cache
    }

    /// Stores the objects themselves, after `trim` dropped what nobody reads.
    pub fn start_trimmed(
        self,
        shutdown: &CancellationToken,
        trim: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Cache<K>
    where
        K: Sync,
    {
        self.start(shutdown, move |mut object: K| {
            trim(&mut object);
            Some(object)
        })
    }
}

/// Carries one watch into the cache for ever.
async fn follow<T, O, S>(
    cache: Cache<T>,
    namespace: String,
    stream: S,
    project: Arc<dyn Fn(O) -> Option<T> + Send + Sync>,
) where
    T: Send + Sync + 'static,
    O: Resource + Send + 'static,
    S: Stream<Item = Result<watcher::Event<O>, watcher::Error>> + Send,
{
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(15));
    let mut listed: Option<HashSet<ObjectRef>> = None;
    let mut first = true;
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        match event {
            Ok(watcher::Event::Init) => listed = Some(HashSet::new()),
            Ok(watcher::Event::InitApply(object)) => {
                let key = cache.apply(object, project.as_ref());
                if let Some(listed) = listed.as_mut() {
                    listed.insert(key);
                }
            }
            Ok(watcher::Event::InitDone) => {
                backoff.reset();
                let listed = listed.take().unwrap_or_default();
                for key in cache.keys() {
                    let ours = namespace.is_empty() || key.namespace == namespace;
                    if ours && !listed.contains(&key) {
                        cache.remove(&key);
                    }
                }
                if first {
                    first = false;
                    cache.inner.missing.send_modify(|missing| *missing = missing.saturating_sub(1));
                    tracing::debug!(kind = %cache.inner.kind, namespace = %namespace, objects = listed.len(), "first list is in");
                }
            }
            Ok(watcher::Event::Apply(object)) => {
                backoff.reset();
                cache.apply(object, project.as_ref());
            }
            Ok(watcher::Event::Delete(object)) => {
                backoff.reset();
                cache.remove(&ObjectRef::of(&object));
            }
            Err(error) => {
                let pause = backoff.pause();
                if is_expired(&error) {
                    tracing::debug!(kind = %cache.inner.kind, "the server forgot where the watch was, reading the list again");
                } else {
                    tracing::warn!(kind = %cache.inner.kind, namespace = %namespace, error = %error, retry_ms = pause.as_millis() as u64, "watch failed, trying again");
                }
                tokio::time::sleep(pause).await;
            }
        }
    }
}

fn is_expired(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::WatchError(status) | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => {
            status.code == 410
        }
        _ => false,
    }
}
