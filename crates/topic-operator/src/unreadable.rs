//! KafkaTopics that cannot be read: nothing is done for them but saying so, and they hold up no deletion.

use std::{sync::Arc, time::Duration};

use api::{Condition, KafkaTopic, annotations};
use operator_runtime::{
    apply::{Applier, ApplyError},
    controller::{Controller, Outcome},
    queue::Queue,
    report,
    watch::{Cache, ObjectRef, Unreadable},
};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::kubernetes::Projector;
use crate::message::{Message, reference_of};
use crate::seen::Seen;

/// Pause before a resource that changed meanwhile is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// Tells the controller and the resources themselves. Ends with `shutdown`.
pub(crate) fn follow(
    cache: &Cache<Seen>,
    applier: Applier,
    projector: Projector,
    sender: mpsc::UnboundedSender<Message>,
    shutdown: &CancellationToken,
) {
    report::in_status::<KafkaTopic, _>(cache, &applier, None, Condition::ready_false, shutdown);
    let queue = Queue::new();
    let releases = queue.clone();
    cache.on_unreadable(move |key, unreadable| {
        let _ = sender.send(match unreadable {
            Some(found) => Message::Unreadable(Box::new(projector.unread(found))),
            None => Message::NotUnreadable(reference_of(key)),
        });
        if unreadable.is_some_and(|unreadable| others_finalizers(unreadable).is_some()) {
            releases.add(key.clone());
        }
    });
    let (cache, applier) = (cache.clone(), Arc::new(applier));
    tokio::spawn(Controller::new("unreadable KafkaTopics", queue).run(shutdown.clone(), move |key| {
        let (cache, applier) = (cache.clone(), Arc::clone(&applier));
        async move { release(&cache, &applier, &key).await }
    }));
}

/// Takes our finalizer off a resource that is being deleted. Which topic it manages is not known: that stays in Kafka.
async fn release(cache: &Cache<Seen>, applier: &Applier, key: &ObjectRef) -> Result<Outcome, ApplyError> {
    let Some(unreadable) = cache.unreadable(key) else { return Ok(Outcome::Done) };
    let Some(finalizers) = others_finalizers(&unreadable) else { return Ok(Outcome::Done) };
    let patch = json!({"metadata": {
        "uid": unreadable.metadata.uid,
        "resourceVersion": unreadable.metadata.resource_version,
        "finalizers": finalizers,
    }});
    match applier.merge::<KafkaTopic>(key, &patch).await {
        Ok(_) => {
            tracing::warn!(resource = %key, "a KafkaTopic that cannot be read is deleted: its topic stays in Kafka");
            Ok(Outcome::Done)
        }
        Err(error) if error.is_conflict() => Ok(Outcome::Again(AGAIN)),
        Err(error) => Err(error),
    }
}

/// The finalizers of others, when the resource waits for ours to be taken off.
fn others_finalizers(unreadable: &Unreadable) -> Option<Vec<String>> {
    let all = unreadable.metadata.finalizers.as_ref().filter(|_| unreadable.is_terminating())?;
    let ours = |one: &&String| *one == annotations::FINALIZER_TOPIC_OPERATOR;
    all.iter().any(|one| ours(&one)).then(|| all.iter().filter(|one| !ours(one)).cloned().collect())
}
