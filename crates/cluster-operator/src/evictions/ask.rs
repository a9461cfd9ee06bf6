//! Asks Kubernetes what has to be known of a pod that is to be evicted, and marks it for its restart. No policy.

use std::time::{Duration, Instant};

use api::{Kafka, StrimziPodSet, annotations};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::ResourceExt;
use operator_runtime::apply::Applier;
use operator_runtime::clock;
use operator_runtime::env::{LabelSelector, Namespaces};
use operator_runtime::limits::Largest;
use operator_runtime::named_object::Named;
use operator_runtime::watch::ObjectRef;
use planner::evictions::{KafkaPod, Machine, Owner, Verdict};
use planner::view::is_paused;
use serde_json::json;

use super::review::Question;
use crate::settings::Settings;

/// Time for all requests of one question. The API server waits for five seconds.
const PATIENCE: Duration = Duration::from_millis(3500);

/// Answers questions about evictions.
pub(super) struct Asker {
    applier: Applier,
    namespaces: Namespaces,
    selector: LabelSelector,
    largest: Largest,
}

impl Asker {
    pub(super) fn new(applier: Applier, settings: &Settings) -> Self {
        let Settings { namespaces, selector, limits, .. } = settings;
        Self {
            applier,
            namespaces: namespaces.clone(),
            selector: selector.clone(),
            largest: limits.largest_object,
        }
    }

    /// What becomes of an eviction, in time.
    pub(super) async fn verdict(&self, question: &Question) -> Verdict {
        let began = Instant::now();
        let key = ObjectRef::new(&question.namespace, &question.pod);
        // Pods of other people's are never held up because the operator cannot tell that they are theirs.
        let Ok(found) = tokio::time::timeout(PATIENCE, self.pod(&key)).await else {
            tracing::warn!(pod = %key, "the API server does not say in time which pod is to be evicted: it is, whatever it is");
            return Verdict::Allow;
        };
        let Some(pod) = found else { return Verdict::Allow };
        let Some(found) = KafkaPod::of(&pod, question.only.as_deref()) else { return Verdict::Allow };
        let left = PATIENCE.saturating_sub(began.elapsed());
        match tokio::time::timeout(left, self.decide(question, &key, &found)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::NotNow(format!(
                "it is not known whether pod {} may be evicted: the API server did not answer the cluster operator in time",
                question.pod
            )),
        }
    }

    /// The pod, where it may be one of Kafka.
    async fn pod(&self, key: &ObjectRef) -> Option<Box<Pod>> {
        if !self.namespaces.contains(&key.namespace) {
            return None;
        }
        match self.applier.get_within::<Pod>(key, self.largest).await {
            Ok(Some(Named::Readable(pod))) => Some(pod),
            Ok(None) => None,
            Ok(Some(Named::Unreadable(found))) => {
                tracing::warn!(pod = %key, why = found.why, "a pod that cannot be read is evicted, whatever it is");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a pod is evicted, whatever it is");
                None
            }
        }
    }

    async fn decide(&self, question: &Question, key: &ObjectRef, found: &KafkaPod<'_>) -> Verdict {
        let set = ObjectRef::new(&key.namespace, &found.set.name);
        let (set, owner, machine) = tokio::join!(
            self.applier.metadata::<StrimziPodSet>(&set),
            self.owner(&key.namespace, found.cluster),
            self.machine(found.machine)
        );
        let owner = match set {
            Ok(set) if found.is_of(set.as_ref()) => owner,
            Ok(_) => Owner::NotOurs,
            Err(error) => Owner::Unknown(error.to_string()),
        };
        match found.verdict(&owner, &machine, clock::now()) {
            Verdict::RollIt { mark: true, message } if !question.dry_run => {
                self.mark(key, found.uid, message).await
            }
            other => other,
        }
    }

    async fn owner(&self, namespace: &str, name: &str) -> Owner {
        let key = ObjectRef::new(namespace, name);
        match self.applier.get_within::<Kafka>(&key, self.largest).await {
            Ok(None) => Owner::NotOurs,
            Ok(Some(Named::Readable(kafka))) => {
                let is_leaving = kafka.metadata.deletion_timestamp.is_some();
                if is_leaving || !self.selector.matches(Some(kafka.labels())) {
                    Owner::NotOurs
                } else if is_paused(&*kafka) {
                    Owner::Paused
                } else {
                    Owner::looked_after(&kafka)
                }
            }
            Ok(Some(Named::Unreadable(found))) => Owner::Unknown(format!("it {}", found.why)),
            Err(error) => Owner::Unknown(error.to_string()),
        }
    }

    async fn machine(&self, name: Option<&str>) -> Machine {
        let Some(name) = name else { return Machine::None };
        match self.applier.get::<Node>(&ObjectRef::new("", name)).await {
            Ok(Some(node)) => Machine::Found(Box::new(node)),
            Ok(None) => Machine::Gone,
            Err(error) => Machine::Unknown(error.to_string()),
        }
    }

    /// Marks this very pod for its restart.
    async fn mark(&self, key: &ObjectRef, uid: &str, message: String) -> Verdict {
        let marks = json!({annotations::MANUAL_ROLLING_UPDATE: "true"});
        let patch = json!({"metadata": {"uid": uid, "annotations": marks}});
        match self.applier.merge::<Pod>(key, &patch).await {
            Ok(true) => {
                tracing::info!(pod = %key, "to be evicted: it is restarted instead");
                Verdict::RollIt { mark: false, message }
            }
            // Kubernetes says so itself.
            Ok(false) => Verdict::Allow,
            Err(error) => {
                tracing::warn!(pod = %key, %error, "to be evicted, and cannot be marked for a restart");
                Verdict::NotNow(format!("the pod cannot be marked for its restart: {error}"))
            }
        }
    }
}
