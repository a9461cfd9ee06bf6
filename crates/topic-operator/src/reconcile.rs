//! Managed resources: look at their topics, plan, write to Kafka in bulk, then write the statuses.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, stream};
use kafka_admin::{
    Admin, AdminError, ConfigChange, ConfigResource, Halves, KafkaError, NewPartitions, NewTopic,
    format_uuid, in_halves,
};

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    batch::{Context, Done, Item, Latest, Next, PATIENCE, Reach, Report, WRITES, settled, written},
    job::{Job, MOVE_INTERVAL, Missing},
    kubernetes::Written,
    metrics::Call,
    observe::{self, Observed},
    plan::{self, Plan, Replicas},
    replicas,
    resource::TopicResource,
    topic::ResourceRef,
    verdicts::{unreachable_all, write_verdict},
};

/// Until a broker has heard of what another one was just told.
const PROPAGATION: Duration = Duration::from_millis(200);
/// Compares resources with their topics and makes the topics as the resources say.
pub(crate) async fn reconcile_all(context: &Context, items: Vec<Item>, periodic: bool) -> Report {
    let mut report = Report::default();
    if items.is_empty() {
        return report;
    }
    let admin = match context.admin() {
        Ok(admin) => admin,
        Err(why) => return unreachable_all(context, items, periodic, &why).await,
    };
    let resources: Vec<Arc<TopicResource>> = items.iter().map(|i| i.resource.clone()).collect();
    let (finalized, observed) =
        tokio::join!(finalize_all(context, items), observe::observe(&admin, &context.metrics, &resources));
    drop(resources);
    let (ready, dropped) = finalized;
    report.done.extend(dropped);
    let mut observed = match observed {
        Ok(observed) => observed,
        Err(error) => {
            let (items, known): (Vec<Item>, Vec<TopicResource>) = ready.into_iter().unzip();
            let mut lost = unreachable_all(context, items, periodic, &error.to_string()).await;
            lost.kafka = Reach::after(&error);
            keep_written(&mut lost.done, known);
            report.add(lost);
            return report;
        }
    };
    let mut jobs: Vec<Job> =
        ready.into_iter().map(|(item, current)| plan_one(context, item, current, &mut observed)).collect();
    drop(observed);
    let mut reach = Reach::Reached;
    if let Err(error) = write_kafka(context, &admin, &mut jobs).await {
        reach = Reach::after(&error);
    }
    report.add(Report { kafka: reach, ..Report::default() });
    report.done.extend(
        stream::iter(jobs).map(|job| finish(context, job)).buffer_unordered(WRITES).collect::<Vec<_>>().await,
    );
    report
}

/// A finalizer that was written stays known although the rest of the batch failed.
fn keep_written(done: &mut [Done], known: Vec<TopicResource>) {
    let mut known: HashMap<ResourceRef, TopicResource> =
        known.into_iter().map(|r| (r.reference.clone(), r)).collect();
    for done in done {
        if matches!(done.latest, Latest::Same)
            && let Some(now) = known.remove(&done.reference)
        {
            done.latest = Latest::Now(Box::new(now));
        }
    }
}

/// Finalizers come before anything is made in Kafka: a topic that was made is always deleted with its resource.
async fn finalize_all(context: &Context, items: Vec<Item>) -> (Vec<(Item, TopicResource)>, Vec<Done>) {
    let results: Vec<Result<(Item, TopicResource), Done>> = stream::iter(items)
        .map(|item| async move {
            let wants = plan::wants_finalizer(&item.resource, &context.plan);
            if !wants && !plan::sheds_finalizer(&item.resource, &context.plan) {
                let current = (*item.resource).clone();
                return Ok((item, current));
            }
            match context.kubernetes.set_finalizer(&item.resource, wants).await {
                // Deleted or changed meanwhile: it is looked at again, as what it is now.
                Ok(Written::Now(now)) if now.deleting || now.generation != item.resource.generation => {
                    Err(written(&item, Ok(Written::Now(now))))
                }
                Ok(Written::Now(now)) => Ok((item, *now)),
                other => Err(written(&item, other)),
            }
        })
        .buffer_unordered(WRITES)
        .collect()
        .await;
    let (mut ready, mut dropped) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(pair) => ready.push(pair),
            Err(done) => dropped.push(done),
        }
    }
    (ready, dropped)
}

fn plan_one(context: &Context, item: Item, current: TopicResource, observed: &mut Observed) -> Job {
    let seen = observed.topics.remove(&current.topic_name).unwrap_or(Ok(None));
    let mut job = Job {
        plan: Plan::default(),
        topic_id: None,
        refusals: Vec::new(),
        change: current.status.replicas_change.as_deref().cloned(),
        passing: None,
        next: Next::Settled,
        item,
        current,
    };
    let topic = match seen {
        Ok(topic) => topic,
        Err(error) => {
            job.fail(&error);
            return job;
        }
    };
    if let Some(topic) = &topic
        && context.is_afterimage(&job.current.topic_name, &topic.id)
    {
        job.passing = Some("the broker still shows the topic that was deleted".into());
        job.next = Next::Again(PROPAGATION);
        return job;
    }
    job.plan = plan::plan(&job.current, topic.as_ref(), &observed.brokers, &context.plan);
    job.topic_id = topic.map(|t| t.id);
    job.refusals = std::mem::take(&mut job.plan.refusals);
    if job.refusals.iter().any(|refusal| refusal.retry) {
        job.next = Next::Retry;
    }
    if let Some(remark) = &job.plan.remark {
        tracing::warn!(resource = %job.current.reference, topic = %job.current.topic_name, "{remark}");
    }
    job.change = job.plan.replicas.report(job.current.replicas, job.change.as_ref());
    match &job.plan.replicas {
        Replicas::AsWanted | Replicas::Ended => {}
        Replicas::Moving { .. } | Replicas::Start { .. } => job.next = Next::Again(MOVE_INTERVAL),
        Replicas::Wait => job.next = Next::Again(PROPAGATION),
    }
    job
}

async fn write_kafka(context: &Context, admin: &Admin, jobs: &mut [Job]) -> Result<(), AdminError> {
    let mut create = Vec::new();
    let mut alter = Vec::new();
    let mut grow = Vec::new();
    for job in jobs.iter() {
        let name = job.current.topic_name.to_string();
        if let Some(creation) = &job.plan.create {
            let mut topic = NewTopic::new(name.clone());
            topic.partitions = creation.partitions;
            topic.replication_factor = creation.replicas.map(|r| r as i16);
            topic.configs = creation.config.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            create.push(topic);
        }
        let diff = &job.plan.config;
        if !diff.set.is_empty() || !diff.remove.is_empty() {
            let sets = diff.set.iter().map(|(k, v)| ConfigChange::set(k.clone(), v.clone()));
            let changes: Vec<ConfigChange> =
                sets.chain(diff.remove.iter().map(|k| ConfigChange::delete(k.clone()))).collect();
            alter.push((ConfigResource::Topic(name.clone()), changes));
        }
        if let Some(total_count) = job.plan.grow_to {
            grow.push(NewPartitions { topic: name, total_count, assignments: Vec::new() });
        }
    }
    let metrics = &context.metrics;
    let created = in_halves(admin, create, |topics| {
        let (admin, metrics) = (admin.clone(), metrics.clone());
        async move { metrics.time(Call::CreateTopics, admin.create_topics(topics, false)).await }
    });
    let altered = in_halves(admin, alter, |changes| {
        let (admin, metrics) = (admin.clone(), metrics.clone());
        let changes = changes.into_iter().collect();
        async move { metrics.time(Call::AlterConfigs, admin.incremental_alter_configs(changes, false)).await }
    });
    let grown = in_halves(admin, grow, |partitions| {
        let (admin, metrics) = (admin.clone(), metrics.clone());
        async move { metrics.time(Call::CreatePartitions, admin.create_partitions(partitions, false)).await }
    });
    let (created, altered, grown) = tokio::join!(created, altered, grown);
    let (mut lost, mut away) = (None, false);
    let (mut made, mut changed, mut larger) = (Vec::new(), Vec::new(), Vec::new());
    let mut created = open(created, &mut lost, &mut away);
    let mut altered = open(altered, &mut lost, &mut away);
    let mut grown = open(grown, &mut lost, &mut away);
    for job in jobs.iter_mut() {
        let name = job.current.topic_name.to_string();
        if job.plan.create.is_some() {
            match take(&mut created, &name, lost.as_ref()) {
                Ok(topic) => {
                    job.topic_id = Some(format_uuid(topic.id).into());
                    made.push(name.clone());
                }
                Err(error) => job.fail_with(error),
            }
        }
        if !job.plan.config.set.is_empty() || !job.plan.config.remove.is_empty() {
            match take(&mut altered, &ConfigResource::Topic(name.clone()), lost.as_ref()) {
                Ok(()) => changed.push(name.clone()),
                Err(error) => job.fail_with(error),
            }
        }
        if job.plan.grow_to.is_some() {
            match take(&mut grown, &name, lost.as_ref()) {
                Ok(()) => larger.push(name),
                Err(error) => job.fail_with(error),
            }
        }
    }
    log_topics("created topics", &made);
    log_topics("altered the configuration of topics", &changed);
    log_topics("added partitions to topics", &larger);
    if !away {
        return replicas::carry_out(context, admin, jobs).await;
    }
    lost.map_or(Ok(()), Err)
}

fn open<K: Ord, T>(
    answer: Halves<K, T>,
    lost: &mut Option<AdminError>,
    away: &mut bool,
) -> BTreeMap<K, Result<T, KafkaError>> {
    *away |= answer.away;
    *lost = answer.failed.or(lost.take());
    answer.outcomes
}

fn take<K: Ord, T>(
    answers: &mut BTreeMap<K, Result<T, KafkaError>>,
    key: &K,
    lost: Option<&AdminError>,
) -> Result<T, Missing> {
    match answers.remove(key) {
        Some(answer) => answer.map_err(Missing::Refused),
        None => Err(Missing::Lost(
            lost.map_or_else(|| "Kafka's answer left the topic out".into(), ToString::to_string),
        )),
    }
}

fn log_topics(what: &str, names: &[String]) {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return;
    }
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", …" } else { "" };
    tracing::info!(count = names.len(), topics = %format!("{shown}{more}"), "{what}");
}

async fn finish(context: &Context, job: Job) -> Done {
    if let Some(why) = &job.passing
        && job.item.failing < PATIENCE
    {
        let next = if job.next == Next::Settled { Next::Retry } else { job.next };
        let item = job.item;
        tracing::debug!(resource = %job.current.reference, why, "trying again");
        return Done { latest: Latest::Now(Box::new(job.current)), next, succeeded: false, ..settled(&item) };
    }
    let mut job = job;
    if let Some(why) = job.passing.take() {
        job.refusals.push(Refusal::passing(reasons::KAFKA_ERROR, why));
    }
    let succeeded = job.refusals.is_empty();
    let mut done = write_verdict(context, &job.item, &job.current, &job.verdict()).await;
    if matches!(done.latest, Latest::Same) {
        // The status was not written, but a finalizer may have been.
        done.latest = Latest::Now(Box::new(job.current));
    }
    done.succeeded &= succeeded;
    if done.next == Next::Settled {
        done.next = job.next;
    }
    done
}
