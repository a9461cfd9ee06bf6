//! Gives a running pod other resources. No policy.

use api::annotations;
use k8s_openapi::api::core::v1::Pod;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::watch::ObjectRef;
use planner::pod_set::plan::ResizeCall;
use serde_json::{Value, json};

/// What became of a request to resize a pod.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Resized {
    /// The API server took it, and the pod says so.
    Done,
    /// The API server refuses it; the pod remembers why.
    Refused(String),
    /// The pod went, or another one has its name.
    Gone,
}

/// Asks for it. The pod gets the annotation last, so that a request whose answer was lost is made again.
pub(super) async fn resize(
    applier: &Applier,
    namespace: &str,
    call: &ResizeCall,
) -> Result<Resized, ApplyError> {
    let pod = ObjectRef::new(namespace, &call.pod);
    let containers: Vec<Value> = call
        .containers
        .iter()
        .map(|(name, resources)| {
            let mut whole = resources.clone();
            // Nothing of the former resources is to stay.
            whole["$patch"] = json!("replace");
            json!({"name": name, "resources": whole})
        })
        .collect();
    let patch = json!({"metadata": {"uid": call.uid}, "spec": {"containers": containers}});
    let (remembered, resized) = match applier.strategic::<Pod>(&pod, "resize", &patch).await {
        Ok(()) => {
            let done = json!({annotations::RESOURCE_REVISION: call.revision, annotations::IN_PLACE_RESIZING_ERROR: null});
            (done, Resized::Done)
        }
        Err(error) if error.is_conflict() => return Ok(Resized::Gone),
        Err(error) if error.code().is_some_and(is_refusal) => {
            let why = error.why();
            (json!({annotations::IN_PLACE_RESIZING_ERROR: call.refusal(&why)}), Resized::Refused(why))
        }
        Err(error) => return Err(error),
    };
    let patch = json!({"metadata": {"uid": call.uid, "annotations": remembered}});
    match applier.merge::<Pod>(&pod, &patch).await {
        Ok(true) => Ok(resized),
        Ok(false) => Ok(Resized::Gone),
        Err(error) if error.is_conflict() => Ok(Resized::Gone),
        Err(error) => Err(error),
    }
}

/// Whether another try gets the same answer: the request is wrong, not allowed, or nothing that this API server knows.
fn is_refusal(code: u16) -> bool {
    (400..500).contains(&code) && code != 408 && code != 429
}
