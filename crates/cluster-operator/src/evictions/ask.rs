//! Asks Kubernetes what has to be known of a pod that is to be evicted, and marks it for its restart. No policy.

use std::time::Duration;

use api::{Kafka, annotations, kinds, labels};
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
        match tokio::time::timeout(PATIENCE, self.decide(question)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::NotNow(format!(
                "it is not known whether pod {} may be evicted: the API server did not answer the cluster operator in time",
                question.pod
            )),
        }
    }

    async fn decide(&self, question: &Question) -> Verdict {
        if !self.namespaces.contains(&question.namespace) {
            return Verdict::Allow;
        }
        let key = ObjectRef::new(&question.namespace, &question.pod);
        let pod = match self.applier.get_within::<Pod>(&key, self.largest).await {
            Ok(None) => return Verdict::Allow,
            Ok(Some(Named::Readable(pod))) => pod,
            Ok(Some(Named::Unreadable(found))) => {
                let kind = found.metadata.labels.as_ref().and_then(|all| all.get(labels::KIND));
                if kind.is_none_or(|kind| kind != kinds::KAFKA) {
                    return Verdict::Allow;
                }
                return Verdict::NotNow(format!("pod {} cannot be read: it {}", question.pod, found.why));
            }
            // All pods of the namespace would stay for good.
            Err(error) if error.is_forbidden() => {
                tracing::warn!(%error, "a pod is evicted, whatever it is");
                return Verdict::Allow;
            }
            Err(error) => {
                return Verdict::NotNow(format!("it is not known whether the pod may be evicted: {error}"));
            }
        };
        let Some(found) = KafkaPod::of(&pod, question.only.as_deref()) else { return Verdict::Allow };
        let (owner, machine) =
            tokio::join!(self.owner(&question.namespace, found.cluster), self.machine(found.machine));
        let verdict = found.verdict(&owner, &machine, clock::now());
        match verdict {
            Verdict::RollIt { mark: true, message } if !question.dry_run => {
                self.mark(&key, found.uid, message).await
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
                    Owner::LookedAfter
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
