//! KafkaTopics that carry the finalizer and that the operator's labels do not select.
//!
//! While the operator runs, the watch tells of a resource whose label goes. Of a label that went while no operator of the
//! cluster ran nothing tells, and nobody takes the finalizer off: the resource could never be deleted. So the operator
//! looks for such resources itself. Whose one was, its status tells: the id of its topic is known in one Kafka only.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use api::{KafkaTopic, annotations};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kafka_admin::format_uuid;
use operator_runtime::{
    apply::{Applier, ApplyError},
    env::LabelSelector,
    queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF},
};

use crate::{
    batch::Context,
    resource::TopicResource,
    topic::{ResourceRef, name_problem},
};

/// An operator answers a deletion within seconds: a resource that names no cluster and waits for longer has no operator.
const PATIENCE: Duration = Duration::from_mins(1);
/// Resources that are read at the same time.
const READS: usize = 8;

/// What was seen of a resource that carries the finalizer and is not selected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stray {
    /// Whether the topic that it says it manages is one of this operator's Kafka.
    pub is_ours: bool,
    /// Whether its labels name another cluster, whose operator may look after it.
    pub is_labelled: bool,
    /// For how long it has been terminating.
    pub terminating: Option<Duration>,
}

/// What happens to the finalizer of a resource that is not selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is taken off, as it is when the label goes while the operator runs.
    Release,
    /// Whether it has an operator is known after this time.
    Wait(Duration),
    /// It may be another operator's.
    Leave,
}

/// Decides about the finalizer of a resource that is not selected.
pub(crate) fn verdict(stray: Stray) -> Verdict {
    match stray.terminating {
        _ if stray.is_ours => Verdict::Release,
        Some(since) if !stray.is_labelled && since >= PATIENCE => Verdict::Release,
        Some(since) if !stray.is_labelled => Verdict::Wait(PATIENCE.saturating_sub(since)),
        _ => Verdict::Leave,
    }
}

/// Where the operator looks, and how often.
pub(crate) struct Search {
    /// For lists past the watch.
    pub applier: Applier,
    /// The cluster's own namespace and the further ones.
    pub namespaces: Vec<String>,
    /// Labels that the operator's resources carry.
    pub selector: LabelSelector,
    /// Between two looks.
    pub interval: Duration,
}

/// Looks again and again: at first at everything that is not selected, then only at what names no cluster at all. A label
/// that is changed while the operator runs is told by the watch.
pub(crate) async fn follow(context: &Context, search: &Search) {
    if search.selector.is_empty() {
        return;
    }
    let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
    let (mut at_first, mut complained) = (true, false);
    loop {
        let pause = match look_for_strays(context, search, at_first).await {
            Ok(next) => {
                at_first = false;
                backoff.reset();
                next.unwrap_or(search.interval).min(search.interval)
            }
            Err(why) => {
                if !std::mem::replace(&mut complained, true) {
                    tracing::warn!(%why, "cannot look for KafkaTopics whose label was removed while no operator ran; trying again");
                }
                backoff.pause()
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// One look. The answer is when the next one is due, if that is known; an error when something could not be told.
async fn look_for_strays(
    context: &Context,
    search: &Search,
    everything: bool,
) -> Result<Option<Duration>, String> {
    let mut problem = None;
    let mut found = BTreeMap::new();
    for namespace in &search.namespaces {
        if let Err(error) = list(search, namespace, everything, &mut found).await {
            problem = Some(error.to_string());
        }
    }
    let references = found.keys().cloned();
    let read = stream::iter(references).map(|reference| async move {
        // A resource that cannot be read is left as it is; the next search finds it again.
        context.kubernetes.get(&reference).await.ok().flatten()
    });
    let strays: Vec<TopicResource> = read.buffer_unordered(READS).filter_map(async |one| one).collect().await;
    let ours = match in_kafka(context, &strays).await {
        Ok(ours) => ours,
        Err(why) => {
            problem = Some(why);
            HashMap::new()
        }
    };
    let mut next: Option<Duration> = None;
    for stray in strays.iter().filter(|stray| stray.has_finalizer() && !stray.selected) {
        let Some((is_labelled, terminating)) = found.get(&stray.reference) else { continue };
        let is_ours = stray.status.topic_id.is_some()
            && ours.get(stray.claimed_topic()) == stray.status.topic_id.as_ref();
        let seen = Stray { is_ours, is_labelled: *is_labelled, terminating: *terminating };
        match verdict(seen) {
            Verdict::Leave => {}
            Verdict::Wait(left) => next = Some(next.map_or(left, |next| next.min(left))),
            Verdict::Release => match context.kubernetes.set_finalizer(stray, false).await {
                Ok(_) => {
                    tracing::info!(resource = %stray.reference, topic = stray.claimed_topic(), "took the finalizer off a resource whose label was removed while no operator ran");
                }
                Err(error) => problem = Some(error.to_string()),
            },
        }
    }
    problem.map_or(Ok(next), Err)
}

/// What is kept of a resource that was found: whether its labels name another cluster, and for how long it has been terminating.
type FoundStrays = BTreeMap<ResourceRef, (bool, Option<Duration>)>;

/// Finds the resources of a namespace that carry the finalizer and are not selected.
async fn list(
    search: &Search,
    namespace: &str,
    everything: bool,
    found: &mut FoundStrays,
) -> Result<(), ApplyError> {
    let now = Timestamp::now();
    for (key, value) in &search.selector.0 {
        let labels = if everything { format!("{key}!={value}") } else { format!("!{key}") };
        let each = |metadata: ObjectMeta| {
            if !metadata.finalizers.iter().flatten().any(|one| one == annotations::FINALIZER_TOPIC_OPERATOR) {
                return;
            }
            let named =
                |key: &String| metadata.labels.as_ref().is_some_and(|labels| labels.contains_key(key));
            let since = metadata.deletion_timestamp.as_ref().map(|at| {
                let seconds = now.as_second() - at.0.as_second();
                Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            });
            let reference = ResourceRef::new(namespace, metadata.name.as_deref().unwrap_or_default());
            found.insert(reference, (search.selector.0.keys().all(named), since));
        };
        search.applier.each_metadata::<KafkaTopic>(namespace, Some(&labels), None, each).await?;
    }
    Ok(())
}

/// The topics that these resources may manage. A name that no topic has is not asked for: Kafka may not be able to read the
/// request, and then would tell nothing of the others.
fn names_to_ask_for(strays: &[TopicResource]) -> Vec<String> {
    let managing = strays.iter().filter(|stray| stray.status.topic_id.is_some());
    let names = managing.map(TopicResource::claimed_topic).filter(|name| name_problem(name).is_none());
    names.map(str::to_owned).collect()
}

/// The ids that the topics of these resources have in this operator's Kafka.
async fn in_kafka(context: &Context, strays: &[TopicResource]) -> Result<HashMap<String, Box<str>>, String> {
    let names = names_to_ask_for(strays);
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let described = context.admin()?.describe_topics(names).await.map_err(|error| error.to_string())?;
    let known =
        described.into_iter().filter_map(|(name, topic)| Some((name, format_uuid(topic.ok()?.id).into())));
    Ok(known.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray(is_ours: bool, is_labelled: bool, terminating: Option<u64>) -> Verdict {
        verdict(Stray { is_ours, is_labelled, terminating: terminating.map(Duration::from_secs) })
    }

    #[test]
    fn a_name_that_no_topic_has_is_not_asked_for() {
        let managing = |topic: &str| {
            let mut stray = crate::test_resources::resource("t");
            stray.status.topic_name = Some(topic.into());
            stray.status.topic_id = Some("id".into());
            stray
        };
        let strays = [managing("a"), managing(&"x".repeat(40_000)), managing("b c"), managing("d")];
        assert_eq!(names_to_ask_for(&strays), ["a", "d"]);
    }

    #[test]
    fn what_is_known_to_be_ours_is_let_go_at_once() {
        for labelled in [true, false] {
            assert_eq!(stray(true, labelled, None), Verdict::Release);
            assert_eq!(stray(true, labelled, Some(0)), Verdict::Release);
        }
    }

    #[test]
    fn what_may_be_another_operators_is_left_alone() {
        assert_eq!(stray(false, true, None), Verdict::Leave);
        assert_eq!(stray(false, true, Some(3600)), Verdict::Leave);
        assert_eq!(stray(false, false, None), Verdict::Leave);
    }

    #[test]
    fn what_names_no_cluster_and_has_been_terminating_for_long_has_nobody() {
        assert_eq!(stray(false, false, Some(20)), Verdict::Wait(Duration::from_secs(40)));
        assert_eq!(stray(false, false, Some(60)), Verdict::Release);
    }
}
