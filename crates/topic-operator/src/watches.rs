//! The watches of the operator: KafkaTopics, the Kafka resource, grants of other namespaces.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use api::{Kafka, KafkaTopic};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Client, core::PartialObjectMeta};
use operator_runtime::{
    apply::Applier,
    env::Namespaces,
    queue::Backoff,
    watch::{Cache, Event, Watch},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    grants,
    kubernetes::Projector,
    message::{Message, reference_of, told_finalizer},
    seen::Seen,
    settings::Settings,
    unreadable,
};

/// How long the start waits for the state of the Kafka resource.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(10);
/// How long the topics of a namespace wait for its grant to be read.
const GRANT_PATIENCE: Duration = Duration::from_secs(10);
/// First pause before it is asked again whether the Kafka resource may be read.
const FIRST_RECHECK: Duration = Duration::from_secs(1);
/// Longest such pause.
const LONGEST_RECHECK: Duration = Duration::from_mins(5);

/// Starts all watches. They tell everything that is there before this returns; false when shutdown came first.
pub(crate) async fn start(
    settings: &Settings,
    client: &Client,
    projector: Projector,
    sender: mpsc::UnboundedSender<Message>,
    shutdown: &CancellationToken,
) -> bool {
    watch_cluster(settings, client, &sender, shutdown).await;
    watch_grants(settings, client, &sender, shutdown);
    let mut namespaces = vec![settings.namespace.clone()];
    namespaces.extend(settings.guests.iter().map(|g| g.namespace.clone()));
    let of_unreadable = projector.clone();
    let cache = Watch::<KafkaTopic>::namespaced(client, &Namespaces::Some(namespaces))
        .labels(settings.selector.to_query().as_deref())
        .within(&settings.limits)
        .start_weighed(
            shutdown,
            move |topic| Some(Seen::of(projector.project(topic))),
            |seen| seen.bytes().into(),
        );
    unreadable::follow(&cache, Applier::new(client.clone()), of_unreadable, sender.clone(), shutdown);
    cache.on_change(move |event| match event {
        Event::Applied { new, .. } => {
            if let Some(resource) = new.take() {
                let _ = sender.send(Message::Seen(resource));
            }
        }
        Event::Deleted { key, told, .. } => {
            let (reference, told_finalizer) = (reference_of(key), told_finalizer(*told));
            let _ = sender.send(Message::Gone { reference, told_finalizer });
        }
    });
    shutdown.run_until_cancelled(cache.ready()).await.is_some()
}

/// Follows the Kafka resource, if the labels name one and it may be read.
async fn watch_cluster(
    settings: &Settings,
    client: &Client,
    sender: &mpsc::UnboundedSender<Message>,
    shutdown: &CancellationToken,
) {
    let Some(name) = settings.cluster_name() else { return };
    let namespace = &settings.cluster_namespace;
    let applier = Applier::new(client.clone());
    let readable = tokio::time::timeout(CLUSTER_PATIENCE, may_read(&applier, namespace, name)).await;
    if readable.unwrap_or(true) {
        let cache = follow(client, namespace, name, sender, shutdown);
        let _ = tokio::time::timeout(CLUSTER_PATIENCE, cache.ready()).await;
        return;
    }
    tracing::info!(
        namespace,
        name,
        "the Kafka resource may not be read: until it may, finalizers are not taken off when it is deleted"
    );
    // The right, or the definition of the resource, may come later.
    let (client, sender, shutdown) = (client.clone(), sender.clone(), shutdown.clone());
    let (namespace, name) = (namespace.clone(), name.to_owned());
    tokio::spawn(async move {
        let mut backoff = Backoff::new(FIRST_RECHECK, LONGEST_RECHECK);
        let readable = async {
            loop {
                tokio::time::sleep(backoff.pause()).await;
                if may_read(&applier, &namespace, &name).await {
                    break;
                }
            }
        };
        if shutdown.run_until_cancelled(readable).await.is_some() {
            tracing::info!(namespace, name, "the Kafka resource may be read now");
            follow(&client, &namespace, &name, &sender, &shutdown);
        }
    });
}

/// False when the API server says no, or knows no such kind. What is only unreachable is left to the watch.
async fn may_read(applier: &Applier, namespace: &str, name: &str) -> bool {
    let named = format!("metadata.name={name}");
    let answer = applier.each_metadata::<Kafka>(namespace, None, Some(&named), |_| {}).await;
    !answer.is_err_and(|error| error.is_forbidden() || error.is_not_found())
}

fn follow(
    client: &Client,
    namespace: &str,
    name: &str,
    sender: &mpsc::UnboundedSender<Message>,
    shutdown: &CancellationToken,
) -> Cache<bool> {
    // A cluster that was never there gives no event: it may be one without a Kafka resource.
    let cache =
        Watch::<PartialObjectMeta<Kafka>>::namespaced(client, &Namespaces::Some(vec![namespace.to_owned()]))
            .fields(&format!("metadata.name={name}"))
            .start(shutdown, |kafka: PartialObjectMeta<Kafka>| {
                Some(kafka.metadata.deletion_timestamp.is_some())
            });
    let sender = sender.clone();
    cache.on_change(move |event| {
        let going = match event {
            Event::Applied { new, .. } => ***new,
            Event::Deleted { .. } => true,
        };
        let _ = sender.send(Message::ClusterGoesAway(going));
    });
    cache
}

fn watch_grants(
    settings: &Settings,
    client: &Client,
    sender: &mpsc::UnboundedSender<Message>,
    shutdown: &CancellationToken,
) {
    let (home, cluster) = settings.cluster();
    // A watch for each: a namespace that does not let itself be asked keeps no other one waiting.
    for guest in &settings.guests {
        let namespace = guest.namespace.clone();
        let (home, cluster) = (home.clone(), cluster.clone());
        let cache = Watch::<ConfigMap>::namespaced(client, &Namespaces::Some(vec![namespace.clone()]))
            .fields(&format!("metadata.name={}", grants::GRANT_NAME))
            .start(shutdown, move |map: ConfigMap| {
                Some(map.data.as_ref().is_some_and(|data| grants::names_cluster(data, &home, &cluster)))
            });
        let (sender, shutdown) = (sender.clone(), shutdown.clone());
        tokio::spawn(async move {
            // Before the list is there, "no grant" is not known to be true. An operator without the right to read the ConfigMap must not hold up deletions.
            let listed = async {
                if tokio::time::timeout(GRANT_PATIENCE, cache.ready()).await.is_err() {
                    let _ = sender.send(Message::Grant { namespace: namespace.clone(), granted: false });
                    cache.ready().await;
                }
            };
            if shutdown.run_until_cancelled(listed).await.is_none() {
                return;
            }
            let told = Arc::new(Mutex::new(false));
            let (teller, name, events) = (told.clone(), namespace.clone(), sender.clone());
            cache.on_change(move |event| {
                let granted = matches!(event, Event::Applied { new, .. } if ***new);
                let mut told = teller.lock().unwrap_or_else(PoisonError::into_inner);
                *told = true;
                let _ = events.send(Message::Grant { namespace: name.clone(), granted });
            });
            let told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if !*told {
                let _ = sender.send(Message::Grant { namespace, granted: false });
            }
        });
    }
}
