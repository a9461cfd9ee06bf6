//! Asks the API server whether it would create a pod, or take the write of another object, without doing it. No policy.

use k8s_openapi::api::core::v1::Pod;
use operator_runtime::apply::Applier;
use planner::kafka::need::{Admission, Silence, SilenceKind};
use serde_json::Value;

/// Whether the API server takes a pod. That there is a pod of its name is no obstacle: it will have gone.
pub(crate) async fn admission(
    applier: &Applier,
    namespace: &str,
    object: &Value,
) -> Result<Admission, Silence> {
    let pod: Pod = match objects::typed(object) {
        Ok(pod) => pod,
        Err(error) => return Ok(Admission::Refused(format!("it is not a valid pod: {error}"))),
    };
    let Err(error) = applier.dry_run(namespace, &pod).await else { return Ok(Admission::Accepted) };
    let late = |why: String| Silence::new(SilenceKind::Late, why);
    match error.status() {
        Some(status) => judge(status.code, &status.reason, status.message.clone()).map_err(late),
        None => Err(late(error.why())),
    }
}

/// Whether the API server takes the write of an object.
///
/// # Errors
/// When it does not say, in words.
pub(crate) async fn write(applier: &Applier, object: &Value) -> Result<Admission, String> {
    let Err(error) = applier.try_apply(object).await else { return Ok(Admission::Accepted) };
    match error.status() {
        Some(status) => judge(status.code, &status.reason, status.message.clone()),
        None => Err(error.why()),
    }
}

/// What an error of a dry run means.
fn judge(code: u16, reason: &str, message: String) -> Result<Admission, String> {
    match code {
        // The name is looked at last: everything else about the pod is fine.
        409 if reason == "AlreadyExists" => Ok(Admission::Accepted),
        // The pod that is still there counts in the quota; it may fit when that is gone.
        403 if message.contains("exceeded quota") => Ok(Admission::Unknown(message)),
        // A webhook without a dry run cannot be asked.
        400 if message.contains("dry run") => Ok(Admission::Unknown(message)),
        400 | 403 | 422 => Ok(Admission::Refused(message)),
        _ => Err(format!("{message} (HTTP {code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dry_run_says_of_the_pod_itself_is_told_apart_from_the_rest() {
        let judged = |code, reason: &str, message: &str| judge(code, reason, message.to_owned());
        assert_eq!(judged(409, "AlreadyExists", "pods \"c-p-0\" already exists"), Ok(Admission::Accepted));
        let invalid = "Pod \"c-p-0\" is invalid: spec.containers[0].resources.requests: Invalid value";
        assert_eq!(judged(422, "Invalid", invalid), Ok(Admission::Refused(invalid.to_owned())));
        let forbidden = "pods \"c-p-0\" is forbidden: no PriorityClass with name high was found";
        assert_eq!(judged(403, "Forbidden", forbidden), Ok(Admission::Refused(forbidden.to_owned())));
        for (code, message) in [
            (403, "pods \"c-p-0\" is forbidden: exceeded quota: small, requested: pods=1"),
            (400, "admission webhook \"w\" does not support dry run"),
        ] {
            assert_eq!(judged(code, "", message), Ok(Admission::Unknown(message.to_owned())));
        }
        assert!(judged(500, "InternalError", "etcd is away").is_err());
        assert!(judged(409, "Conflict", "the quota changed").is_err());
    }
}
