//! Carries out a batch: writes to Kafka, many topics with one request, and then the statuses. No policy here.

use std::{collections::HashSet, sync::Arc, time::Instant};

use futures::{StreamExt, stream};
use kafka_admin::{ErrorCode, KafkaError};
use operator_runtime::apply::ApplyError;
use operator_runtime::batches::Ended;

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    batch::{Context, Done, Item, Next, PATIENCE, Reach, Report, WRITES, each, retry, settled, written},
    kubernetes::Written,
    metrics::Call,
    plan::{self, Intent},
    reconcile,
    status::Verdict,
    topic::ResourceRef,
    verdicts::{say_all, unreachable_all, write_verdict},
};

/// What became of a batch that has ended. What was interrupted is tried again later.
pub(crate) fn report(ended: Ended<Item, Report>) -> Report {
    let mut all = Report::default();
    for report in ended.results {
        all.add(report);
    }
    for (item, why) in ended.interrupted {
        tracing::error!(resource = %item.resource.reference, %why, "work on a resource did not come to its end");
        all.done.push(retry(&item, why.to_string()));
    }
    all
}

/// Carries out a batch. `periodic`: it is a part of the timer's look at everything.
pub(crate) async fn run(context: &Context, items: Vec<Item>, periodic: bool) -> Report {
    let begun = Instant::now();
    let (mut release, mut hand_over, mut delete, mut say, mut compare) =
        (vec![], vec![], vec![], vec![], vec![]);
    let mut report = Report::default();
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

/// Leaves topics to their heirs. An heir that is about to go as well would leave the topic without a manager: only an heir that holds
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
async fn inherits(context: &Context, heir: &ResourceRef, topic: &str) -> Result<bool, ApplyError> {
    let Some(now) = context.kubernetes.get(heir).await? else { return Ok(false) };
    if !plan::is_heir(&now, topic) {
        return Ok(false);
    }
    if !context.plan.use_finalizers {
        return Ok(true);
    }
    if matches!(context.kubernetes.set_finalizer(&now, true).await?, Written::Gone) {
        return Ok(false);
    }
    // A deletion that the API server began before the finalizer was there pays no heed to it.
    let now = context.kubernetes.get(heir).await?;
    Ok(now.is_some_and(|now| now.has_finalizer() && plan::is_heir(&now, topic)))
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
        plan::lets_go(&item.resource, ends, kafka_answers, &context.plan)
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
            let verdict = Verdict::Refused(Refusal::passing(reasons::KAFKA_ERROR, message));
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

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use tokio::sync::watch;

    use super::*;
    use crate::{
        kubernetes::{Kubernetes, Projector},
        metrics::TopicMetrics,
        settings::Settings,
        test_resources::resource,
    };

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
            plan: settings.plan,
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
