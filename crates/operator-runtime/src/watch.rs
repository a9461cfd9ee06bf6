//! Watch caches: one watch per kind (and namespace), shared by all that need it.
//!
//! A cache stores a *projection* of each object, as small as its users allow, and tells handlers about changes. It is read without
//! awaiting. A lost connection is resumed; when the server has forgotten where we were, the list is read again and objects that
//! vanished meanwhile are reported as deleted. Lists are read in pages, consistently (a streamed list may be older than the last write,
//! which a restarted operator must not act on).
//!
//! Each object is read by itself. An object that cannot be read is known to be there ([`Cache::unreadable`]) and holds up nothing: not the
//! readiness of the process, not the other objects, and it is never taken for a deleted one.

mod cache;
mod decoded;
mod event;
mod index;
pub(crate) mod json;
mod kept_unreadable;
mod owner;
mod packed;
pub(crate) mod source;
mod unreadable;

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::env::Namespaces;
use crate::limits::{Budget, Largest, Limits};
use crate::queue::Backoff;

pub use self::cache::{Cache, ObjectRef, Weight};
use self::cache::{Storing, key_of};
pub use self::event::Event;
pub use self::index::{Index, UnreadableIndex};
pub use self::owner::OwnerRef;
use self::packed::Packing;
use self::source::{Change, Source, SourceError};
pub use self::unreadable::{NamedTopic, Unreadable};
pub(crate) use self::unreadable::{Seen, explain, metadata, read};

/// Pause before a watch is tried again for which the right is missing and need not be there.
const WITHOUT_RIGHT: Duration = Duration::from_mins(5);

/// Describes a watch; [`Watch::start`] begins it. `Watch<PartialObjectMeta<K>>` lets the server send metadata only.
pub struct Watch<K> {
    namespaces: Vec<String>,
    client: Client,
    labels: Option<String>,
    fields: Option<String>,
    largest: Largest,
    budget: Option<Budget>,
    optional: bool,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<K> Watch<K>
where
    K: Resource + Clone + DeserializeOwned + fmt::Debug + Send + 'static,
    K::DynamicType: Default,
{
    /// All objects of a kind in the whole cluster; also for cluster-wide kinds.
    pub fn all(client: &Client) -> Self {
        Self::of(client, vec![String::new()])
    }

    /// One watch per namespace, or a single one for all.
    pub fn namespaced(client: &Client, namespaces: &Namespaces) -> Self
    where
        K: Resource<Scope = NamespaceResourceScope>,
    {
        match namespaces {
            Namespaces::All => Self::all(client),
            Namespaces::Some(names) => Self::of(client, names.clone()),
        }
    }

    fn of(client: &Client, namespaces: Vec<String>) -> Self {
        Self {
            namespaces,
            client: client.clone(),
            labels: None,
            fields: None,
            largest: Largest::DEFAULT,
            budget: None,
            optional: false,
            kind: std::marker::PhantomData,
        }
    }

    /// Only objects with these labels (`a=b,c in (d,e)`). `None` changes nothing.
    pub fn labels(mut self, selector: Option<&str>) -> Self {
        if let Some(selector) = selector.filter(|selector| !selector.is_empty()) {
            self.labels = Some(selector.to_owned());
        }
        self
    }

    /// Only objects with these fields (`metadata.name=x`).
    pub fn fields(mut self, selector: &str) -> Self {
        self.fields = Some(selector.to_owned());
        self
    }

    /// With bounds for the size of one object and of all that is stored. An object beyond them counts as unreadable.
    pub fn within(mut self, limits: &Limits) -> Self {
        self.largest = limits.largest_object;
        self.budget = Some(limits.budget.clone());
        self
    }

    /// With a bound for the size of one object.
    pub fn largest(mut self, largest: Largest) -> Self {
        self.largest = largest;
        self
    }

    /// Without the right to watch, or without the kind, the cache stays empty and unready, and the server is asked again now
    /// and then, without a warning.
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Starts the watch. `project` makes what is stored; `None` leaves the object out. Managed fields are gone before `project` sees the
    /// object, except for our own entry (see [`crate::apply::own_entry`]), which `project` should drop unless it stores objects that are
    /// compared with [`objects::compare`]. Ends with `shutdown`. What is stored counts as nothing: it must be small.
    pub fn start<T: Send + Sync + 'static>(
        self,
        shutdown: &CancellationToken,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
    ) -> Cache<T> {
        self.start_weighed(shutdown, project, |_| Weight::from(0))
    }

    /// As [`Watch::start`]; `weigh` says what takes what is stored.
    pub fn start_weighed<T: Send + Sync + 'static>(
        self,
        shutdown: &CancellationToken,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
        weigh: impl Fn(&T) -> Weight + Send + Sync + 'static,
    ) -> Cache<T> {
        self.start_with(None, shutdown, project, weigh)
    }

    fn start_with<T: Send + Sync + 'static>(
        self,
        packing: Option<Packing<T>>,
        shutdown: &CancellationToken,
        project: impl Fn(K) -> Option<T> + Send + Sync + 'static,
        weigh: impl Fn(&T) -> Weight + Send + Sync + 'static,
    ) -> Cache<T> {
        let kind = K::plural(&K::DynamicType::default()).into_owned();
        let cache = Cache::new(kind, packing, self.budget.clone(), self.namespaces.len());
        let storing = Storing { project: Box::new(project), weigh: Box::new(weigh) };
        let sink: Arc<dyn Sink> = Arc::new(Keeping { cache: cache.clone(), largest: self.largest, storing });
        for namespace in self.namespaces {
            let source = Source::new::<K>(&self.client, &namespace)
                .labels(self.labels.as_deref())
                .fields(self.fields.as_deref());
            let follow = Follow { sink: Arc::clone(&sink), namespace, source, optional: self.optional };
            let shutdown = shutdown.clone();
            tokio::spawn(async move { shutdown.run_until_cancelled(follow.run()).await });
        }
        cache
    }

    /// Stores the objects themselves, after `trim` dropped the fields that the operator does not read.
    pub fn start_trimmed(
        self,
        shutdown: &CancellationToken,
        trim: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Cache<K>
    where
        K: Serialize + Sync,
    {
        self.start_with(None, shutdown, trimmed(trim), weigh_whole)
    }

    /// As [`Watch::start_trimmed`], for large objects that are read now and then: they are kept as compressed text, and decoded
    /// each time. The budget is charged for the text.
    pub fn start_packed(
        self,
        shutdown: &CancellationToken,
        trim: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Cache<K>
    where
        K: Serialize + Sync,
    {
        self.start_with(Some(Packing::json()), shutdown, trimmed(trim), weigh_whole)
    }
}

fn weigh_whole<K: Serialize>(object: &K) -> Weight {
    crate::memory::size_of(object).into()
}

/// Keeps the object itself, after `trim`.
fn trimmed<K>(
    trim: impl Fn(&mut K) + Send + Sync + 'static,
) -> impl Fn(K) -> Option<K> + Send + Sync + 'static {
    move |mut object| {
        trim(&mut object);
        Some(object)
    }
}

/// Where a watch puts what it sees. Following a watch is the same for every kind, and so is in the program once: only what is
/// done with the text of an object depends on the kind.
trait Sink: Send + Sync {
    /// The kind of the objects.
    fn kind(&self) -> &str;
    /// Number of objects.
    fn len(&self) -> usize;
    /// Takes in the text of an object.
    fn apply(&self, object: &str) -> Result<ObjectRef, json::NotJson>;
    /// Takes in an object that is gone, and what it was like in the end.
    fn remove(&self, last: &ObjectMeta);
    /// Takes in that a list is complete.
    fn retain(&self, namespace: &str, listed: &HashSet<ObjectRef>);
    /// Takes in that the first list of a namespace is complete.
    fn listed_first(&self, namespace: &str);
    /// Whether there are objects that there was no room for.
    fn wants_room(&self, namespace: &str) -> bool;
}

/// A cache that keeps what its watch sees.
struct Keeping<K, T> {
    cache: Cache<T>,
    largest: Largest,
    storing: Storing<K, T>,
}

impl<K, T> Sink for Keeping<K, T>
where
    K: Resource + DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
    T: Send + Sync + 'static,
{
    fn kind(&self) -> &str {
        self.cache.kind()
    }

    fn len(&self) -> usize {
        self.cache.len()
    }

    fn apply(&self, object: &str) -> Result<ObjectRef, json::NotJson> {
        Ok(self.cache.apply(object, read::<K>(object, self.largest)?, &self.storing))
    }

    fn remove(&self, last: &ObjectMeta) {
        self.cache.remove(&key_of(last), Some(last));
    }

    fn retain(&self, namespace: &str, listed: &HashSet<ObjectRef>) {
        self.cache.retain(namespace, listed);
    }

    fn listed_first(&self, namespace: &str) {
        self.cache.listed_first(namespace);
    }

    fn wants_room(&self, namespace: &str) -> bool {
        self.cache.wants_room(namespace)
    }
}

/// Carries one watch into its cache.
struct Follow {
    sink: Arc<dyn Sink>,
    namespace: String,
    source: Source,
    optional: bool,
}

impl Follow {
    /// For ever.
    async fn run(self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(15));
        let mut first = true;
        loop {
            let mut version = match self.list().await {
                Ok(version) => version,
                Err(error) => {
                    self.pause(&mut backoff, &error).await;
                    continue;
                }
            };
            backoff.reset();
            if first {
                first = false;
                self.sink.listed_first(&self.namespace);
                tracing::debug!(kind = %self.sink.kind(), namespace = %self.namespace, objects = self.sink.len(), "first list is in");
            }
            loop {
                let before = version.clone();
                let ended = self.source.watch(&mut version, |change| self.take_in(&change)).await;
                if version != before {
                    backoff.reset();
                }
                match ended {
                    // What there was no room for may fit in by now.
                    Ok(()) if self.sink.wants_room(&self.namespace) => break,
                    Ok(()) => {}
                    Err(error) => {
                        self.pause(&mut backoff, &error).await;
                        if error.is_expired()
                            || matches!(error, SourceError::NoVersion | SourceError::TooLong)
                        {
                            break;
                        }
                    }
                }
            }
        }
    }

    async fn list(&self) -> Result<String, SourceError> {
        let mut listed = HashSet::new();
        let version = self.source.list(|object| listed.extend(self.applied(object))).await?;
        self.sink.retain(&self.namespace, &listed);
        Ok(version)
    }

    fn take_in(&self, change: &Change<'_>) {
        match change {
            Change::Applied(object) => {
                self.applied(object);
            }
            Change::Deleted(object) => match metadata(object) {
                Ok(metadata) => self.sink.remove(&metadata),
                Err(error) => self.cannot_tell(&error),
            },
        }
    }

    fn applied(&self, object: &str) -> Option<ObjectRef> {
        match self.sink.apply(object) {
            Ok(key) => Some(key),
            Err(error) => {
                self.cannot_tell(&error);
                None
            }
        }
    }

    fn cannot_tell(&self, error: &json::NotJson) {
        tracing::warn!(kind = %self.sink.kind(), namespace = %self.namespace, %error, "the API server shows an object without a name");
    }

    async fn pause(&self, backoff: &mut Backoff, error: &SourceError) {
        if self.optional && (error.is_forbidden() || error.is_not_found()) {
            tracing::debug!(kind = %self.sink.kind(), "there is no right to watch, or no such kind");
            return tokio::time::sleep(WITHOUT_RIGHT).await;
        }
        let pause = backoff.pause();
        let (kind, namespace) = (self.sink.kind(), &self.namespace);
        if error.is_expired() {
            tracing::debug!(kind, namespace, "the server forgot where the watch was, reading the list again");
        } else {
            tracing::warn!(kind, namespace, error = %error, retry_ms = pause.as_millis() as u64, "watch failed, trying again");
        }
        tokio::time::sleep(pause).await;
    }
}
