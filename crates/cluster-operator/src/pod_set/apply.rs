//! Carries out what [`super::plan`] wants. No policy.

use std::sync::Arc;

use api::StrimziPodSet;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, PostParams, PropagationPolicy};
use operator_runtime::apply::{Applier, ApplyError, REQUEST_DEADLINE};
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use thiserror::Error;

use planner::pod_set::plan;
use planner::pod_set::plan::Plan;

/// What can go wrong with a pod set.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A listed pod is no pod.
    #[error("pod {name} of the set is not a valid pod: {source}")]
    NoPod {
        /// Name of the pod.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A pod could not be created.
    #[error("cannot create pod {name}: {why}")]
    Create {
        /// Name of the pod.
        name: String,
        /// What the server said.
        why: String,
    },
}

/// Makes, adopts and removes the pods of a set and writes its status.
pub async fn reconcile(applier: &Applier, set: &StrimziPodSet, pods: &[Arc<Pod>]) -> Result<(), Error> {
    if set.metadata.deletion_timestamp.is_some() {
        // Garbage collection removes the pods, or leaves them when the deletion was asked to orphan them.
        return Ok(());
    }
    let wanted: Plan = plan::plan(set, pods);
    let namespace = set.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(applier.client().clone(), &namespace);
    let mut creations = Vec::with_capacity(wanted.create.len());
    for pod in &wanted.create {
        creations.push(create(&api, pod));
    }
    let created = futures::future::join_all(creations).await;
    for (name, uid) in &wanted.delete {
        let key = ObjectRef::new(&namespace, name);
        match applier.delete::<Pod>(&key, uid.as_deref(), PropagationPolicy::Background).await {
            Ok(_) => tracing::info!(pod = %key, set = set.name_any(), "pod deleted"),
            // Another pod has the name by now: the watch brings it.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    for name in &wanted.adopt {
        let patch = json!({"metadata": {"ownerReferences": [plan::owner_reference(set)]}});
        applier.merge::<Pod>(&ObjectRef::new(&namespace, name), &patch).await?;
    }
    for (name, labels) in &wanted.relabel {
        let patch = json!({"metadata": {"labels": labels}});
        applier.merge::<Pod>(&ObjectRef::new(&namespace, name), &patch).await?;
    }
    let live = set.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
    let key = ObjectRef::new(&namespace, set.name_any());
    applier.patch_status::<StrimziPodSet>(&key, live.as_ref(), &wanted.status).await?;
    created.into_iter().collect()
}

async fn create(api: &Api<Pod>, wanted: &Value) -> Result<(), Error> {
    let name = wanted.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let pod: Pod = serde_json::from_value(wanted.clone())
        .map_err(|source| Error::NoPod { name: name.clone(), source })?;
    match tokio::time::timeout(REQUEST_DEADLINE, api.create(&PostParams::default(), &pod)).await {
        Ok(Ok(_)) => {
            tracing::info!(pod = name, "pod created");
            Ok(())
        }
        // The cache was behind, or the old pod is still going: its watch event brings the next pass.
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => Ok(()),
        Ok(Err(error)) => Err(Error::Create { name, why: error.to_string() }),
        Err(_) => Err(Error::Create { name, why: "no answer in time".to_owned() }),
    }
}
