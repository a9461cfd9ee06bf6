//! How far mirrors are. It is asked beside the passes, where the installation wants it: a source that does not answer holds nothing up.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use api::KafkaMirrorMaker2;
use futures::{StreamExt, stream};
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka_mirror_maker2::progress::{Known, Progress, Question};
use tokio::time::Instant;

use super::asking;
use super::shares::Shares;
use crate::kafka_connector::apis::Apis;
use crate::lock::lock;

/// Shortest time between two looks at the mirrors of a resource: each may write a status.
const INTERVAL: Duration = Duration::from_mins(1);
/// Mirrors of one resource that are asked about at a time: one with many sources that do not answer waits for its own.
const AT_A_TIME: usize = 2;

/// A resource as it was when its mirrors were asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    uid: Option<String>,
    generation: Option<i64>,
}

impl Version {
    fn of(resource: &KafkaMirrorMaker2) -> Self {
        Self { uid: resource.metadata.uid.clone(), generation: resource.metadata.generation }
    }
}

/// What is known of the mirrors of one resource.
#[derive(Debug)]
struct Looked {
    version: Version,
    is_under_way: bool,
    ended: Option<Instant>,
    found: Option<BTreeMap<String, Progress>>,
}

/// What is known of the mirrors of all resources. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Progresses(Option<Arc<Shared>>);

struct Shared {
    known: Mutex<HashMap<ObjectRef, Looked>>,
    apis: Arc<Apis>,
    queue: Queue<ObjectRef>,
    interval: Duration,
    shares: Shares,
}

impl Progresses {
    /// No cluster is asked.
    pub(crate) fn off() -> Self {
        Self(None)
    }

    /// The queue gets a resource when something else is known of its mirrors.
    pub(crate) fn new(apis: Arc<Apis>, queue: Queue<ObjectRef>, resync: Duration) -> Self {
        Self(Some(Arc::new(Shared {
            known: Mutex::default(),
            apis,
            queue,
            interval: resync.min(INTERVAL),
            shares: asking::shares(),
        })))
    }

    /// What is known of the mirrors of a resource as it is.
    pub(super) fn of(&self, key: &ObjectRef, resource: &KafkaMirrorMaker2) -> Known {
        let Some(shared) = &self.0 else { return Known::Off };
        let version = Version::of(resource);
        let known = shared.lock();
        let looked = known.get(key).filter(|looked| looked.version == version);
        looked.and_then(|looked| looked.found.clone()).map_or(Known::NotYet, Known::Asked)
    }

    /// Has the mirrors of a resource asked about, if it is time for that.
    pub(super) fn look(
        &self,
        key: &ObjectRef,
        resource: &KafkaMirrorMaker2,
        question: impl FnOnce() -> Option<Question>,
    ) {
        let Some(shared) = &self.0 else { return };
        let version = Version::of(resource);
        {
            let mut known = shared.lock();
            let looked = known.entry(key.clone()).or_insert_with(|| Looked {
                version: version.clone(),
                is_under_way: false,
                ended: None,
                found: None,
            });
            let is_recent = looked.ended.is_some_and(|ended| ended.elapsed() < shared.interval);
            if looked.is_under_way || (looked.version == version && is_recent) {
                return;
            }
            if looked.version != version {
                (looked.version, looked.found) = (version.clone(), None);
            }
            looked.is_under_way = true;
        }
        let Some(question) = question() else { return shared.note(key, &version, None) };
        tokio::spawn(Arc::clone(shared).find_out(key.clone(), version, question));
    }

    /// Forgets a resource that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        if let Some(shared) = &self.0 {
            shared.lock().remove(key);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, Looked>> {
        lock(&self.known)
    }

    async fn find_out(self: Arc<Self>, key: ObjectRef, version: Version, question: Question) {
        let api = self.apis.of(&key, version.uid.as_deref()).ok();
        let target = question.target.map(Arc::new);
        let share = self.shares.of(&key.namespace);
        let mut answers = Vec::with_capacity(question.mirrors.len());
        for mirror in question.mirrors {
            let (this, key, version) = (Arc::clone(&self), key.clone(), version.clone());
            let (api, target, share) = (api.clone(), target.clone(), Arc::clone(&share));
            answers.push(async move {
                let progress = match share.place().await {
                    Some(_place) if this.is_current(&key, &version) => {
                        asking::ask(&mirror, api.as_deref(), target.as_deref(), &share.room).await
                    }
                    _ => Progress::default(),
                };
                (mirror.alias, progress)
            });
        }
        let found = stream::iter(answers).buffer_unordered(AT_A_TIME).collect().await;
        self.note(&key, &version, Some(found));
    }

    fn is_current(&self, key: &ObjectRef, version: &Version) -> bool {
        self.lock().get(key).is_some_and(|looked| looked.version == *version)
    }

    /// Notes the end of a look.
    fn note(&self, key: &ObjectRef, version: &Version, found: Option<BTreeMap<String, Progress>>) {
        let mut known = self.lock();
        let Some(looked) = known.get_mut(key).filter(|looked| looked.version == *version) else { return };
        looked.is_under_way = false;
        looked.ended = Some(Instant::now());
        if looked.found != found {
            looked.found = found;
            self.queue.add(key.clone());
        }
    }
}
