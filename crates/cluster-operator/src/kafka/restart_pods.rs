//! Deletes the pods that a plan wants restarted now, and says why. No policy.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::PropagationPolicy;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::ObjectRef;
use thiserror::Error;

use planner::kafka::observed::Observed;
use planner::kafka::plan::{Occasion, Plan};

/// Why a pod could not be deleted.
#[derive(Debug, Error)]
pub enum Error {
    /// Kubernetes refused it.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
}

/// Deletes the pods, while this process leads. Returns the UIDs of those that were deleted.
pub async fn restart(
    applier: &Applier,
    events: &Events,
    mandate: &Mandate,
    key: &ObjectRef,
    observed: &Observed,
    plan: &Plan,
) -> Result<Vec<String>, Error> {
    let mut deleted = Vec::new();
    for name in &plan.roll.now {
        let Some(pod) = observed.pods.get(name) else { continue };
        mandate.check()?;
        let pod_key = ObjectRef::new(&key.namespace, name);
        match applier.delete::<Pod>(&pod_key, pod.uid().as_deref(), PropagationPolicy::Background).await {
            Ok(true) => announce(events, key, observed, plan, pod),
            // It went meanwhile, or another one has its name: its watch event is on its way.
            Ok(false) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
        deleted.extend(pod.uid());
    }
    Ok(deleted)
}

fn announce(events: &Events, key: &ObjectRef, observed: &Observed, plan: &Plan, pod: &Pod) {
    let name = pod.name_any();
    let of_pod = plan
        .events
        .iter()
        .filter(|event| event.occasion == Occasion::Restart && event.pod.as_deref() == Some(name.as_str()));
    let mut reasons = Vec::new();
    let mut notes = "";
    for event in of_pod {
        reasons.push(event.reason.as_str());
        notes = &event.text;
        let Some(kafka) = &observed.kafka else { continue };
        events.publish(Note {
            regarding: events::reference(&**kafka),
            related: Some(events::reference(pod)),
            reason: event.reason.clone(),
            action: events::POD_RESTART.to_owned(),
            text: event.text.clone(),
            severity: Severity::Normal,
        });
    }
    tracing::info!(cluster = %key, pod = name, reasons = reasons.join(","), notes, "pod restarts");
}
