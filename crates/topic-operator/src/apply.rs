//! Carries out a batch: writes to Kafka, many topics with one request, and then the statuses. No policy here.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use kafka_admin::{Admin, AdminError, ErrorCode, KafkaError};
use operator_runtime::apart::apart;
use tokio::sync::watch;

use crate::{
    kubernetes::{Kubernetes, WriteError, Written},
    metrics::{Call, TopicMetrics},
    plan::{self, Intent, Rules},
    reconcile,
    resource::TopicResource,
    status::{Verdict, compose},
    topic::{Failure, Reason, ResourceRef},
};

/// How long a passing trouble (Kafka away, an election) may last before a status tells of it.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long a broker may still show a topic that was deleted.
const AFTERIMAGE: Duration = Duration::from_mins(1);
/// Writes to Kubernetes that one batch has in flight.
pub(crate) const WRITES: usize = 32;

/// Names of deleted topics, with the ids they had and when they went.
pub type Deleted = HashMap<Box<str>, (Box<str>, Instant)>;

/// What all batches share.
#[derive(Debug)]
pub struct Context {
    /// Kubernetes.
    pub kubernetes: Kubernetes,
    /// Kafka, once its certificates are known.
    pub admin: watch::Receiver<Option<Admin>>,
    /// What planning has to know.
    pub rules: Rules,
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

    fn remember_deleted(&self, name: &str, id: Option<&str>) {
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
pub struct Item {
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
pub enum Latest {
    /// Not written.
    Same,
    /// As the API server returned it.
    Now(Box<TopicResource>),
    /// There is no such resource any more.
    Gone,
}

/// When to look at a resource again, apart from events and the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Not before something changes.
    Settled,
    /// After this time: something is going on.
    Again(Duration),
    /// Later, and ever more seldom: something failed.
    Retry,
}

/// What became of one resource.
#[derive(Debug)]
pub struct Done {
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
pub enum Reach {
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
    pub fn after(error: &AdminError) -> Self {
        match error {
            AdminError::Api { .. } => Self::Reached,
            lost => Self::Failed(lost.to_string()),
        }
    }
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Report {
    /// Each resource.
    pub done: Vec<Done>,
    /// How the calls to Kafka went.
    pub kafka: Reach,
    /// True for a part of the timer's look at everything.
    pub periodic: bool,
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

/// Carries out a batch, as [`run`] does. What a fault of the operator interrupts is tried again later.
pub async fn run_apart(context: &Arc<Context>, items: Vec<Item>, periodic: bool) -> Report {
    let work = |items| {
        let context = context.clone();
        async move { run(&context, items, periodic).await }
    };
    let (reports, interrupted) = apart(items, work).await;
    let mut all = Report { periodic, ..Report::default() };
    for report in reports {
        all.add(report);
    }
    for item in interrupted {
        tracing::error!(resource = %item.resource.reference, "work on a resource was interrupted by a fault of the operator");
        all.done.push(retry(&item, "interrupted by a fault of the operator".to_owned()));
    }
    all
}

/// Carries out a batch.
pub async fn run(context: &Context, items: Vec<Item>, periodic: bool) -> Report {
    let begun = Instant::now();
    let (mut release, mut hand_over, mut delete, mut say, mut compare) =
        (vec![], vec![], vec![], vec![], vec![]);
    let mut report = Report { periodic, ..Report::default() };
    for item in items {
        match item.intent {
            Intent::Nothing => report.done.push(settled(&item)),
            Intent::Release => release.push(item),
            Intent::HandOver(_) => hand_over.push(item),
            Intent::Delete(_) => delete.push(item),
            Intent::ReportUnmanaged | Intent::ReportPaused | Intent::Refuse(_) => say.push(item),
            Intent::Reconcile => compare.push(item),
        }
    }
    let (released, handed_over, deleted, said, compared) = tokio::join!(
        release_all(context, release),
        hand_over_all(context, hand_over),
        delete_all(context, delete),
        say_all(context, say),
        reconcile::reconcile_all(context, compare, periodic),
    );
    for part in [released, handed_over, deleted, said, compared] {
        report.add(part);
    }
    let failed = report.done.iter().filter(|d| !d.succeeded).count();
    context.metrics.batch(report.done.len() - failed, failed, begun.elapsed());
    report
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

pub(crate) fn written(item: &Item, result: Result<Written, WriteError>) -> Done {
    match result {
        Ok(Written::Now(now)) => Done { latest: Latest::Now(now), ..settled(item) },
        Ok(Written::Gone) => Done { latest: Latest::Gone, ..settled(item) },
        Err(error) => retry(item, error.to_string()),
    }
}

async fn each<F: Future<Output = Done>>(items: Vec<Item>, work: impl Fn(Item) -> F) -> Vec<Done> {
    stream::iter(items).map(work).buffer_unordered(WRITES).collect().await
}

async fn release_all(context: &Context, items: Vec<Item>) -> Report {
    let done = each(items, |item| async move {
        let done = written(&item, context.kubernetes.set_finalizer(&item.resource, false).await);
        if done.trouble.is_none() {
            tracing::info!(resource = %item.resource.reference, topic = %item.topic, "took the finalizer off and left the topic alone");
        }
        done
    })
    .await;
    Report { done, ..Report::default() }
}

/// Leaves topics to their heirs. An heir that is about to go as well would leave the topic to nobody: only one that holds
/// it with its finalizer lets the former manager go.
async fn hand_over_all(context: &Context, items: Vec<Item>) -> Report {
    let done = each(items, |item| async move {
        let Intent::HandOver(heir) = &item.intent else { return settled(&item) };
        match inherits(context, heir, &item.topic).await {
            Ok(true) => {}
            // The watch tells of it within moments: then another one is the heir, or the topic goes.
            Ok(false) => return retry(&item, format!("{heir} does not take topic '{}' over", item.topic)),
            Err(error) => return retry(&item, error.to_string()),
        }
        let done = written(&item, context.kubernetes.set_finalizer(&item.resource, false).await);
        if done.trouble.is_none() {
            tracing::info!(resource = %item.resource.reference, topic = %item.topic, %heir, "left the topic to another resource");
        }
        done
    })
    .await;
    Report { done, ..Report::default() }
}

/// Whether a resource, as it is now, holds a topic that is left to it.
async fn inherits(context: &Context, heir: &ResourceRef, topic: &str) -> Result<bool, WriteError> {
    let Some(now) = context.kubernetes.get(heir).await? else { return Ok(false) };
    if !plan::is_heir(&now, topic) {
        return Ok(false);
    }
    if !context.rules.use_finalizers {
        return Ok(true);
    }
    Ok(match context.kubernetes.set_finalizer(&now, true).await? {
        Written::Now(now) => now.has_finalizer() && plan::is_heir(&now, topic),
        Written::Gone => false,
    })
}

async fn say_all(context: &Context, items: Vec<Item>) -> Report {
    let done = each(items, |item| async move {
        let verdict = match &item.intent {
            Intent::ReportUnmanaged => Verdict::Unmanaged,
            Intent::ReportPaused => Verdict::Paused,
            Intent::Refuse(failure) => Verdict::Refused(failure.clone()),
            _ => return settled(&item),
        };
        let succeeded = !matches!(verdict, Verdict::Refused(_));
        let mut done = write_verdict(context, &item, &item.resource, &verdict).await;
        done.succeeded &= succeeded;
        done
    })
    .await;
    Report { done, ..Report::default() }
}

pub(crate) async fn write_verdict(
    context: &Context,
    item: &Item,
    current: &TopicResource,
    verdict: &Verdict,
) -> Done {
    let now = api::conditions::format_time(jiff::Timestamp::now());
    let status = compose(current, verdict, &now);
    written(item, context.kubernetes.write_status(current, &status).await)
}

async fn delete_all(context: &Context, items: Vec<Item>) -> Report {
    let mut report = Report::default();
    if items.is_empty() {
        return report;
    }
    let mut ending = HashSet::new();
    let namespaces: HashSet<Arc<str>> =
        items.iter().map(|i| i.resource.reference.namespace.clone()).collect();
    for namespace in namespaces {
        if context.kubernetes.namespace_terminates(&namespace).await {
            ending.insert(namespace);
        }
    }
    let lets_go = |item: &Item, kafka_answers| {
        let ends = ending.contains(&item.resource.reference.namespace);
        plan::lets_go(&item.resource, ends, kafka_answers, &context.rules)
    };
    let (going, rest): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|i| lets_go(i, true));
    report.add(release_all(context, going).await);
    if rest.is_empty() {
        return report;
    }
    let names = rest.iter().map(|i| i.topic.to_string());
    let outcome = match context.admin() {
        Ok(admin) => context
            .metrics
            .time(Call::DeleteTopics, admin.delete_topics(names))
            .await
            .map_err(|e| e.to_string()),
        Err(why) => Err(why),
    };
    match outcome {
        Err(why) => {
            let (going, rest): (Vec<Item>, Vec<Item>) = rest.into_iter().partition(|i| lets_go(i, false));
            report.add(release_all(context, going).await);
            report.add(unreachable_all(context, rest, false, &why).await);
        }
        Ok(mut outcomes) => {
            report.kafka = Reach::Reached;
            let answered = rest.into_iter().map(|item| {
                let (ends, outcome) = (lets_go(&item, false), outcomes.remove(&*item.topic));
                after_delete(context, item, ends, outcome)
            });
            // Collected before the first of them runs: the answers are not borrowed across a wait.
            let done = stream::iter(answered.collect::<Vec<_>>()).buffer_unordered(WRITES).collect().await;
            report.add(Report { done, ..Report::default() });
        }
    }
    report
}

/// `ends`: the namespace of the resource ends, which must not wait for what Kafka does not do.
async fn after_delete(
    context: &Context,
    item: Item,
    ends: bool,
    outcome: Option<Result<(), KafkaError>>,
) -> Done {
    let Some(outcome) = outcome else {
        return retry(&item, format!("Kafka's answer does not tell what became of topic '{}'", item.topic));
    };
    match outcome {
        Ok(()) => {
            context.remember_deleted(&item.topic, item.resource.status.topic_id.as_deref());
            tracing::info!(resource = %item.resource.reference, topic = %item.topic, "deleted the topic");
        }
        Err(error)
            if matches!(
                error.code,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION | ErrorCode::INVALID_TOPIC_EXCEPTION
            ) => {}
        Err(error) if error.is_retriable() && item.failing < PATIENCE => {
            return retry(&item, error.to_string());
        }
        Err(error) if ends => {
            tracing::warn!(resource = %item.resource.reference, topic = %item.topic, %error, "the namespace ends: letting the resource go without its topic");
        }
        Err(error) => {
            let message = if error.code == ErrorCode::TOPIC_DELETION_DISABLED {
                format!(
                    "{error}: the brokers have delete.topic.enable=false; set it to true, or set strimzi.io/managed: \
                     \"false\" on this resource to let it go without its topic"
                )
            } else {
                error.to_string()
            };
            let verdict = Verdict::Refused(Failure::new(Reason::KafkaError, message));
            let mut done = write_verdict(context, &item, &item.resource, &verdict).await;
            done.succeeded = false;
            done.next = Next::Retry;
            return done;
        }
    }
    if item.resource.has_finalizer() {
        written(&item, context.kubernetes.set_finalizer(&item.resource, false).await)
    } else {
        settled(&item)
    }
}

/// Kafka did not answer: everything is tried again, and only what has been failing for a while says so in its status.
pub(crate) async fn unreachable_all(
    context: &Context,
    items: Vec<Item>,
    periodic: bool,
    why: &str,
) -> Report {
    let done = each(items, |item| async move {
        if periodic || item.failing < PATIENCE {
            return Done { trouble: None, ..retry(&item, String::new()) };
        }
        let verdict =
            Verdict::Refused(Failure::new(Reason::KafkaError, format!("Kafka cannot be reached: {why}")));
        let mut done = write_verdict(context, &item, &item.resource, &verdict).await;
        done.succeeded = false;
        done.next = Next::Retry;
        done
    })
    .await;
    Report { done, kafka: Reach::Failed(why.to_owned()), periodic: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kubernetes::Projector, settings::Settings, test_resources::resource};

    /// Neither the API server nor Kafka can be reached.
    fn context() -> Context {
        let variables = [("STRIMZI_NAMESPACE", "ns"), ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")];
        let settings = Settings::from_env(&operator_runtime::env::Env::from_map(variables)).unwrap();
        let metrics = operator_runtime::metrics::Metrics::new().unwrap();
        let metrics = TopicMetrics::new(&metrics, &settings).unwrap();
        let server = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = kube::Client::try_from(server).unwrap();
        let projector = Projector::new("ns", [], settings.selector.clone());
        Context {
            kubernetes: Kubernetes::new(client, projector, metrics.clone()),
            admin: watch::channel(None).1,
            rules: settings.rules,
            throttle: None,
            metrics,
            deleted: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn a_topic_that_kafkas_answer_leaves_out_is_not_called_deleted() {
        let mut going = resource("t");
        going.deleting = true;
        let item = Item {
            resource: Arc::new(going),
            topic: "t".into(),
            intent: Intent::Delete("t".into()),
            failing: Duration::ZERO,
        };
        let done = after_delete(&context(), item.clone(), false, None).await;
        assert_eq!((done.next, done.succeeded), (Next::Retry, false));
        assert_eq!(after_delete(&context(), item, false, Some(Ok(()))).await.next, Next::Settled);
    }
}
