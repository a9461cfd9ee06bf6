//! What a batch is: the resources that go in, what becomes of each, and what all batches share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use kafka_admin::{Admin, AdminError};
use operator_runtime::apply::ApplyError;
use tokio::sync::watch;

use crate::{
    kubernetes::{Kubernetes, Written},
    metrics::TopicMetrics,
    plan::Intent,
    resource::TopicResource,
    settings::PlanSettings,
    topic::ResourceRef,
};

/// How long a passing trouble (Kafka away, an election) may last before a status tells of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long a broker may still show a topic that was deleted.
const AFTERIMAGE: Duration = Duration::from_mins(1);
/// Writes to Kubernetes that one batch has in flight.
pub(crate) const WRITES: usize = 32;

/// Names of deleted topics, with the ids they had and when they went.
pub(crate) type Deleted = HashMap<Box<str>, (Box<str>, Instant)>;

/// What all batches share.
#[derive(Debug)]
pub(crate) struct Context {
    /// Kubernetes.
    pub kubernetes: Kubernetes,
    /// Kafka, once its certificates are known.
    pub admin: watch::Receiver<Option<Admin>>,
    /// What planning has to know.
    pub plan: PlanSettings,
    /// Bytes per second and broker for moves of replicas; none: unlimited.
    pub throttle: Option<u64>,
    /// Metrics.
    pub metrics: TopicMetrics,
    /// Topics deleted a moment ago, by name, with their ids.
    pub deleted: Mutex<Deleted>,
}

impl Context {
    pub(crate) fn admin(&self) -> Result<Admin, String> {
        self.admin
            .borrow()
            .clone()
            .ok_or_else(|| "the Secrets with the certificates for Kafka are not there yet".to_owned())
    }

    pub(crate) fn remember_deleted(&self, name: &str, id: Option<&str>) {
        let Some(id) = id else { return };
        let now = Instant::now();
        let mut deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.retain(|_, (_, at)| now - *at < AFTERIMAGE);
        deleted.insert(name.into(), (id.into(), now));
    }

    pub(crate) fn is_afterimage(&self, name: &str, id: &str) -> bool {
        let deleted = self.deleted.lock().unwrap_or_else(PoisonError::into_inner);
        deleted.get(name).is_some_and(|(gone, at)| **gone == *id && at.elapsed() < AFTERIMAGE)
    }
}

/// One resource of a batch, with what was decided about it.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// The resource.
    pub resource: Arc<TopicResource>,
    /// The topic that is locked for this batch.
    pub topic: Arc<str>,
    /// What it asks for.
    pub intent: Intent,
    /// How long it has been failing in a way that may pass.
    pub failing: Duration,
}

/// The resource after the batch.
#[derive(Debug)]
pub(crate) enum Latest {
    /// Not written.
    Same,
    /// As the API server returned it.
    Now(Box<TopicResource>),
    /// There is no such resource any more.
    Gone,
}

/// When to look at a resource again, apart from events and the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Not before something changes.
    Settled,
    /// After this time: something is going on.
    Again(Duration),
    /// Later, and ever more seldom: something failed.
    Retry,
}

/// What became of one resource.
#[derive(Debug)]
pub(crate) struct Done {
    /// Which resource.
    pub reference: ResourceRef,
    /// The topic to unlock.
    pub topic: Arc<str>,
    /// The resource now.
    pub latest: Latest,
    /// When to look again.
    pub next: Next,
    /// False when the topic is not as the resource says.
    pub succeeded: bool,
    /// Trouble that is not in the status.
    pub trouble: Option<String>,
}

/// How the calls to Kafka went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reach {
    /// None was needed.
    #[default]
    NotAsked,
    /// Kafka answered.
    Reached,
    /// Kafka did not answer; why.
    Failed(String),
}

impl Reach {
    /// What a call that failed tells: a refusal is an answer too.
    pub(crate) fn after(error: &AdminError) -> Self {
        match error {
            AdminError::Api { .. } => Self::Reached,
            lost => Self::Failed(lost.to_string()),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Each resource.
    pub done: Vec<Done>,
    /// How the calls to Kafka went.
    pub kafka: Reach,
}

impl Report {
    pub(crate) fn add(&mut self, other: Report) {
        self.done.extend(other.done);
        match (&self.kafka, other.kafka) {
            (Reach::Failed(_), _) | (_, Reach::NotAsked) => {}
            (_, reach) => self.kafka = reach,
        }
    }
}

pub(crate) fn settled(item: &Item) -> Done {
    Done {
        reference: item.resource.reference.clone(),
        topic: item.topic.clone(),
        latest: Latest::Same,
        next: Next::Settled,
        succeeded: true,
        trouble: None,
    }
}

pub(crate) fn retry(item: &Item, trouble: String) -> Done {
    Done { next: Next::Retry, succeeded: false, trouble: Some(trouble), ..settled(item) }
}

pub(crate) fn written(item: &Item, result: Result<Written, ApplyError>) -> Done {
    match result {
        Ok(Written::Now(now)) => Done { latest: Latest::Now(now), ..settled(item) },
        Ok(Written::Gone) => Done { latest: Latest::Gone, ..settled(item) },
        Err(error) => retry(item, error.to_string()),
    }
}

pub(crate) async fn each<F: Future<Output = Done>>(items: Vec<Item>, work: impl Fn(Item) -> F) -> Vec<Done> {
    stream::iter(items).map(work).buffer_unordered(WRITES).collect().await
}
