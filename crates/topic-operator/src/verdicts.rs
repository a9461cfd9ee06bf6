//! Writes what was found out about resources into their statuses.

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    batch::{Context, Done, Item, Next, PATIENCE, Reach, Report, each, retry, settled, written},
    plan::Intent,
    resource::TopicResource,
    status::{Verdict, compose},
};

pub(crate) async fn say_all(context: &Context, items: Vec<Item>) -> Report {
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
        let verdict = Verdict::Refused(Refusal::passing(
            reasons::KAFKA_ERROR,
            format!("Kafka cannot be reached: {why}"),
        ));
        let mut done = write_verdict(context, &item, &item.resource, &verdict).await;
        done.succeeded = false;
        done.next = Next::Retry;
        done
    })
    .await;
    Report { done, kafka: Reach::Failed(why.to_owned()) }
}
