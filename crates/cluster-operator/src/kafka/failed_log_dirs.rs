//! Asks brokers which of their log directories they cannot use any more, and decides when each is asked again. What that means for a cluster
//! is decided in `planner/src/kafka/failed_log_dirs.rs`.
//!
//! For its answer a broker looks at each disk that it still uses, and a disk that hangs holds the thread that does so for good. So each broker is
//! asked seldom and once, over connections of this question's own, and after a few questions without an answer not before Kafka starts
//! anew. What it said last counts until it says something else, or Kafka starts anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt as _, stream};
use kafka_admin::{Admin, AdminError, ConfigResource, ConfigSelection, ErrorCode, LogDir};
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka::log_dirs_view::{FailedLogDirs, LogDirFailures, METADATA};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::late_answers::Patience;
use crate::lock::lock;

/// Longest time for the answer of a broker.
const DEADLINE: Duration = Duration::from_secs(5);

/// Brokers that are asked at a time.
const AT_A_TIME: usize = 16;

/// How long a broker is not asked again after an answer. The pause is four times as long with each question that is not answered.
const PAUSE: Duration = Duration::from_mins(1);

/// Questions in a row without an answer after which a broker is not asked any more before its next start. Kafka has eight threads that serve
/// requests, unless `num.io.threads` says otherwise.
const MOST_SILENCES: u32 = 3;

/// How long a broker that is not ready is remembered.
const KEPT: Duration = Duration::from_hours(24);

/// How long a pass waits for answers. News that come later bring another one.
const WAIT: Duration = Duration::from_millis(100);

/// Failed log directories of one broker that are taken note of. A pool has at most 100 volumes.
const MOST_LOG_DIRS: usize = 100;

/// The longest path of a log directory that is taken note of, in bytes: those of the pods have some forty.
const LONGEST_PATH: usize = 256;

/// Clusters whose brokers are asked at a time: each question has connections of its own.
const CLUSTERS_AT_A_TIME: usize = 8;

/// Longest time for all brokers of a cluster. Those that were not asked by then are asked with the next question.
const WHOLE: Duration = Duration::from_secs(30);

/// Why a broker did not say how its log directories are.
#[derive(Debug)]
pub enum NoAnswer {
    /// It did not answer the question.
    Silent(AdminError),
    /// The question was not sent: the broker cannot be reached, or answers nothing else either.
    NotAsked(AdminError),
}

/// The brokers of a cluster, by id.
type Brokers = BTreeMap<i32, Broker>;

/// A broker that was asked.
#[derive(Debug)]
struct Broker {
    /// The start of its container that it was asked in.
    start: String,
    /// What it said last; `None`: nothing yet.
    told: Option<BTreeSet<String>>,
    /// Questions in a row that it did not answer.
    silent: u32,
    /// When to ask it again.
    again_at: Instant,
}

/// The brokers of a cluster, and the question to them that is under way.
#[derive(Debug, Default)]
struct Cluster {
    brokers: Brokers,
    question: Option<AbortHandle>,
}

/// The brokers of all clusters.
pub(crate) struct FailedLogDirMemory {
    known: Arc<Mutex<HashMap<ObjectRef, Cluster>>>,
    places: Arc<Semaphore>,
    queue: Queue<ObjectRef>,
}

impl FailedLogDirMemory {
    /// `queue` gets the clusters whose brokers say something new after the pass that asked has gone on.
    pub(crate) fn new(queue: &Queue<ObjectRef>) -> Self {
        let places = Arc::new(Semaphore::new(CLUSTERS_AT_A_TIME));
        Self { known: Arc::default(), places, queue: queue.clone() }
    }

    /// What these brokers say, as far as they have. `brokers`: a mark of the present start of each. `ask` asks brokers.
    pub(crate) async fn known_failures<S>(
        &self,
        key: &ObjectRef,
        brokers: &BTreeMap<i32, String>,
        patience: &Patience,
        ask: impl FnOnce(Vec<i32>) -> S,
    ) -> FailedLogDirs
    where
        S: Stream<Item = (i32, Result<Vec<LogDir>, NoAnswer>)> + Send + 'static,
    {
        let due = self.due(key, brokers);
        if !due.is_empty() {
            let (sender, answered) = oneshot::channel();
            let (known, queue, of) = (Arc::clone(&self.known), self.queue.clone(), key.clone());
            let answers = ask(due.keys().copied().collect());
            let places = Arc::clone(&self.places);
            let question = tokio::spawn(async move {
                // It is never closed.
                let _place = places.acquire().await;
                let (ends, mut answers, mut is_news) = (Instant::now() + WHOLE, pin!(answers), false);
                while let Ok(Some((id, answer))) = tokio::time::timeout_at(ends, answers.next()).await {
                    is_news |= due.get(&id).is_some_and(|start| note(&known, &of, id, start, answer));
                }
                // A pass that has gone on does not know it.
                if sender.send(()).is_err() && is_news {
                    queue.add(of);
                }
            });
            lock(&self.known).entry(key.clone()).or_default().question = Some(question.abort_handle());
            // What came so far counts.
            let _ = patience.wait(tokio::time::timeout(WAIT, answered)).await;
        }
        let all = lock(&self.known);
        let of_cluster = all.get(key).into_iter().flat_map(|cluster| &cluster.brokers);
        let present = of_cluster.filter(|(id, broker)| brokers.get(*id) == Some(&broker.start));
        let failures = |broker: &Broker| LogDirFailures {
            paths: broker.told.clone(),
            is_silent: broker.silent >= MOST_SILENCES,
        };
        present.map(|(id, broker)| (*id, failures(broker))).collect()
    }

    /// The brokers that are to be asked now: none while the question before is under way.
    fn due(&self, key: &ObjectRef, brokers: &BTreeMap<i32, String>) -> BTreeMap<i32, String> {
        let (mut all, now) = (lock(&self.known), Instant::now());
        let Cluster { brokers: known, question } = all.entry(key.clone()).or_default();
        if question.as_ref().is_some_and(|question| !question.is_finished()) {
            return BTreeMap::new();
        }
        // A broker that is not ready for a while is not asked more often for that.
        let is_kept = |broker: &Broker| now < broker.again_at + KEPT;
        known.retain(|id, broker| brokers.get(id).map_or(is_kept(broker), |start| *start == broker.start));
        let is_due = |id: &i32| {
            known.get(id).is_none_or(|broker| broker.silent < MOST_SILENCES && broker.again_at <= now)
        };
        let due: BTreeMap<i32, String> =
            brokers.iter().filter(|(id, _)| is_due(id)).map(|(id, start)| (*id, start.clone())).collect();
        for (id, start) in &due {
            let new = || Broker { start: start.clone(), told: None, silent: 0, again_at: now };
            let broker = known.entry(*id).or_insert_with(new);
            broker.again_at = now + PAUSE;
        }
        due
    }

    /// Ends the question to a cluster that is gone, and forgets it.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        let question = lock(&self.known).remove(key).and_then(|cluster| cluster.question);
        if let Some(question) = question {
            question.abort();
        }
    }
}

/// Notes what a broker answered; whether it is something new.
fn note(
    known: &Mutex<HashMap<ObjectRef, Cluster>>,
    key: &ObjectRef,
    id: i32,
    start: &str,
    answer: Result<Vec<LogDir>, NoAnswer>,
) -> bool {
    let mut all = lock(known);
    // A cluster that is gone is not remembered, nor what an earlier start of the broker said.
    let of_cluster = all.get_mut(key);
    let Some(broker) =
        of_cluster.and_then(|cluster| cluster.brokers.get_mut(&id)).filter(|broker| broker.start == start)
    else {
        return false;
    };
    let dirs = match answer {
        Ok(dirs) => dirs,
        Err(NoAnswer::Silent(error)) => {
            tracing::warn!(cluster = %key, broker = id, %error, "a broker does not say how its log directories are");
            broker.silent = broker.silent.saturating_add(1);
            broker.again_at = Instant::now() + PAUSE * 4_u32.saturating_pow(broker.silent - 1);
            return broker.silent >= MOST_SILENCES;
        }
        Err(NoAnswer::NotAsked(error)) => {
            tracing::debug!(cluster = %key, broker = id, %error, "a broker is not asked how its log directories are");
            return false;
        }
    };
    let failed = failed_paths(&dirs);
    let is_news = broker.told.as_ref() != Some(&failed);
    (broker.told, broker.silent, broker.again_at) = (Some(failed), 0, Instant::now() + PAUSE);
    is_news
}

/// The directories that a broker cannot use. Other errors say nothing about a disk.
pub fn failed_paths(dirs: &[LogDir]) -> BTreeSet<String> {
    let is_failed = |dir: &&LogDir| {
        let is_storage = dir.error.as_ref().is_some_and(|error| error.code == ErrorCode::KAFKA_STORAGE_ERROR);
        is_storage && dir.path.len() <= LONGEST_PATH
    };
    dirs.iter().filter(is_failed).take(MOST_LOG_DIRS).map(|dir| dir.path.clone()).collect()
}

/// Asks brokers, over connections that end with the last answer.
pub fn ask_brokers(
    admin: &Admin,
    brokers: Vec<i32>,
) -> impl Stream<Item = (i32, Result<Vec<LogDir>, NoAnswer>)> + Send + use<> {
    let admin = admin.within(DEADLINE);
    let all = async move {
        // Where they are; else each of the questions would begin with that.
        if let Err(error) = admin.describe_cluster().await {
            tracing::debug!(%error, "no broker says how its log directories are");
            return stream::empty().left_stream();
        }
        let list = move |id: i32| {
            let admin = admin.clone();
            async move { (id, ask(&admin, id).await) }
        };
        stream::iter(brokers).map(list).buffer_unordered(AT_A_TIME).right_stream()
    };
    stream::once(all).flatten()
}

/// Asks one broker, if it answers something that takes no disk.
async fn ask(admin: &Admin, id: i32) -> Result<Vec<LogDir>, NoAnswer> {
    let (broker, names) = (ConfigResource::Broker(id), [METADATA.to_owned()]);
    let known = admin.describe_configs([broker], ConfigSelection::Names(names.into())).await;
    known.map_err(NoAnswer::NotAsked)?;
    admin.describe_log_dirs_without_replicas(id).await.map_err(|error| match error {
        AdminError::Timeout { .. } => NoAnswer::Silent(error),
        other => NoAnswer::NotAsked(other),
    })
}

#[cfg(test)]
#[path = "failed_log_dirs_tests.rs"]
mod tests;
