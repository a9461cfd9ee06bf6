//! Carries out what [`super::plan`] wants. No policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::StrimziPodSet;
use api::conditions::{Condition, merge, reasons};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams, PropagationPolicy};
use operator_runtime::apply::{Applier, ApplyError, REQUEST_DEADLINE};
use operator_runtime::clock;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use thiserror::Error;

use super::errors::PodErrors;
use crate::caches;
use planner::pod_set::plan;
use planner::pod_set::plan::Plan;

/// What can go wrong with a pod set.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Pods could not be created.
    #[error("cannot create pods: {0}")]
    Create(String),
}

/// What the passes over all pod sets share.
#[derive(Clone)]
pub struct PodSets {
    applier: Applier,
    events: Events,
    errors: PodErrors,
    /// The passes over clusters: they say in the status what keeps pods from being made.
    clusters: Queue<ObjectRef>,
}

impl PodSets {
    /// From its parts.
    pub fn new(applier: Applier, events: Events, errors: PodErrors, clusters: Queue<ObjectRef>) -> Self {
        Self { applier, events, errors, clusters }
    }

    /// The set is gone.
    pub fn forget(&self, key: &ObjectRef) {
        self.errors.note(key, BTreeMap::new());
    }

    /// Makes, adopts and removes the pods of a set and writes its status.
    pub async fn reconcile(&self, set: &StrimziPodSet, pods: &[Arc<Pod>]) -> Result<(), Error> {
        let key = ObjectRef::of(set);
        if set.metadata.deletion_timestamp.is_some() {
            // Garbage collection removes the pods, or leaves them when the deletion was asked to orphan them.
            self.forget(&key);
            return Ok(());
        }
        let mut wanted: Plan = plan::plan(set, pods);
        let api: Api<Pod> = Api::namespaced(self.applier.client().clone(), &key.namespace);
        let creations = wanted.create.iter().map(|pod| create(&api, pod));
        let refused: BTreeMap<String, String> =
            futures::future::join_all(creations).await.into_iter().filter_map(Result::err).collect();
        for (name, uid) in &wanted.delete {
            let pod = ObjectRef::new(&key.namespace, name);
            match self.applier.delete::<Pod>(&pod, uid.as_deref(), PropagationPolicy::Background).await {
                Ok(_) => tracing::info!(%pod, set = key.name, "pod deleted"),
                // Another pod has the name by now: the watch brings it.
                Err(error) if error.is_conflict() => {}
                Err(error) => return Err(error.into()),
            }
        }
        for name in &wanted.adopt {
            let patch = json!({"metadata": {"ownerReferences": [plan::owner_reference(set)]}});
            self.applier.merge::<Pod>(&ObjectRef::new(&key.namespace, name), &patch).await?;
        }
        for (name, labels) in &wanted.relabel {
            let patch = json!({"metadata": {"labels": labels}});
            self.applier.merge::<Pod>(&ObjectRef::new(&key.namespace, name), &patch).await?;
        }
        let words: Vec<String> = refused.iter().map(|(pod, why)| format!("{pod}: {why}")).collect();
        let words = words.join("; ");
        if !refused.is_empty() {
            let failed =
                Condition::not_ready(reasons::KUBERNETES_ERROR, format!("cannot create pods: {words}"));
            let old = set.status.as_ref().and_then(|status| status.conditions.as_deref());
            wanted.status.conditions = Some(merge(vec![failed], old, clock::now()));
        }
        self.say(set, &key, refused, &words);
        let live = set.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        self.applier.patch_status::<StrimziPodSet>(&key, live.as_ref(), &wanted.status).await?;
        if words.is_empty() { Ok(()) } else { Err(Error::Create(words)) }
    }

    /// Tells the cluster, and whoever looks at events, what keeps pods from being made, when that is news.
    fn say(&self, set: &StrimziPodSet, key: &ObjectRef, refused: BTreeMap<String, String>, words: &str) {
        if !self.errors.note(key, refused) {
            return;
        }
        if let Some(cluster) = caches::cluster_of(set) {
            self.clusters.add(ObjectRef::new(&key.namespace, cluster));
        }
        if !words.is_empty() {
            self.events.publish(Note {
                regarding: events::reference(set),
                related: None,
                reason: "FailedCreate".to_owned(),
                action: "CreatePod".to_owned(),
                text: words.to_owned(),
                severity: Severity::Warning,
            });
        }
    }
}

/// Creates a pod; else its name and why it cannot be.
async fn create(api: &Api<Pod>, wanted: &Value) -> Result<(), (String, String)> {
    let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pod: Pod = match serde_json::from_value(wanted.clone()) {
        Ok(pod) => pod,
        Err(error) => return Err((name, format!("it is not a valid pod: {error}"))),
    };
    match tokio::time::timeout(REQUEST_DEADLINE, api.create(&PostParams::default(), &pod)).await {
        Ok(Ok(_)) => {
            tracing::info!(pod = name, "pod created");
            Ok(())
        }
        // The cache was behind, or the old pod is still going: its watch event brings the next pass.
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
        Ok(Err(kube::Error::Api(status))) => Err((name, status.message)),
        Ok(Err(error)) => Err((name, error.to_string())),
        Err(_) => Err((name, "no answer in time".to_owned())),
    }
}
