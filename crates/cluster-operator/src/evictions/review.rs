//! What the API server asks, and how it is answered: AdmissionReview, as far as evictions need it.

use planner::evictions::Verdict;
use serde::Deserialize;
use serde_json::json;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Refused, to be tried again. `kubectl drain` does so after five seconds.
const TRY_AGAIN: (u16, &str) = (429, "TooManyRequests");
/// Refused: what was meant is gone. `kubectl drain` takes it for done.
const GONE: (u16, &str) = (404, "NotFound");

/// A question about an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Which question.
    pub uid: String,
    /// Namespace of the pod.
    pub namespace: String,
    /// Name of the pod.
    pub pod: String,
    /// The only pod that is meant.
    pub only: Option<String>,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: String,
    kind: String,
    request: Asked,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    uid: String,
    resource: Resource,
    sub_resource: Option<String>,
    operation: String,
    namespace: String,
    name: String,
    dry_run: Option<bool>,
    object: Option<Eviction>,
}

#[derive(Deserialize)]
struct Resource {
    group: String,
    resource: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Eviction {
    delete_options: Option<DeleteOptions>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeleteOptions {
    preconditions: Option<Preconditions>,
    dry_run: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Preconditions {
    uid: Option<String>,
}

/// Reads a question.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8]) -> Result<Question, String> {
    let review: Review = serde_json::from_slice(text)
        .map_err(|error| format!("the body is no {KIND} of {API_VERSION} about an eviction: {error}"))?;
    if review.api_version != API_VERSION || review.kind != KIND {
        return Err(format!(
            "{} of {} is not understood: send a {KIND} of {API_VERSION}",
            review.kind, review.api_version
        ));
    }
    let Asked { uid, resource, sub_resource, operation, namespace, name, dry_run, object } = review.request;
    let sub_resource = sub_resource.unwrap_or_default();
    let is_eviction = (resource.group.as_str(), resource.resource.as_str(), sub_resource.as_str())
        == ("", "pods", "eviction");
    if !is_eviction || operation != "CREATE" {
        return Err(format!(
            "{operation} of '{}/{sub_resource}' is not understood: ask about CREATE of pods/eviction",
            resource.resource
        ));
    }
    if uid.is_empty() || namespace.is_empty() || name.is_empty() {
        return Err("uid, namespace or name is empty".to_owned());
    }
    // kubectl puts the dry run into the eviction itself, of which the API server does not tell beside it.
    let options = object.and_then(|eviction| eviction.delete_options);
    let (preconditions, asked_dry) = options.map_or((None, None), |all| (all.preconditions, all.dry_run));
    Ok(Question {
        uid,
        namespace,
        pod: name,
        only: preconditions.and_then(|all| all.uid),
        dry_run: dry_run.unwrap_or(false) || asked_dry.is_some_and(|all| !all.is_empty()),
    })
}

/// The answer.
pub(super) fn answer(uid: &str, verdict: &Verdict) -> String {
    let ((code, reason), message) = match verdict {
        Verdict::Allow => {
            let response = json!({"uid": uid, "allowed": true});
            return json!({"apiVersion": API_VERSION, "kind": KIND, "response": response}).to_string();
        }
        Verdict::RollIt { message, .. } | Verdict::NotNow(message) => (TRY_AGAIN, message),
        Verdict::MovedAlready(message) => (GONE, message),
    };
    let status = json!({"status": "Failure", "code": code, "reason": reason, "message": message});
    let response = json!({"uid": uid, "allowed": false, "status": status});
    json!({"apiVersion": API_VERSION, "kind": KIND, "response": response}).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn review() -> Value {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "q-1", "kind": {"group": "policy", "version": "v1", "kind": "Eviction"},
                "resource": {"group": "", "version": "v1", "resource": "pods"}, "subResource": "eviction",
                "name": "c-dual-0", "namespace": "kafka", "operation": "CREATE", "dryRun": false,
                "object": {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "c-dual-0"}},
                "oldObject": null,
            },
        })
    }

    fn question(review: &Value) -> Result<Question, String> {
        read(review.to_string().as_bytes())
    }

    #[test]
    fn a_question_says_which_pod_is_meant_and_whether_it_is_a_dry_run() {
        let mut review = review();
        let plain = question(&review).unwrap();
        assert_eq!((plain.namespace.as_str(), plain.pod.as_str()), ("kafka", "c-dual-0"));
        assert_eq!((plain.only, plain.dry_run), (None, false));
        review["request"]["object"]["deleteOptions"] =
            json!({"preconditions": {"uid": "u-1"}, "dryRun": ["All"], "gracePeriodSeconds": 30});
        let careful = question(&review).unwrap();
        assert_eq!((careful.only.as_deref(), careful.dry_run), (Some("u-1"), true));
        review["request"]["object"] = Value::Null;
        review["request"]["dryRun"] = json!(true);
        assert!(question(&review).unwrap().dry_run);
    }

    #[test]
    fn what_is_no_question_about_an_eviction_is_told_so() {
        let table = [
            ("/apiVersion", json!("admission.k8s.io/v1beta1"), "admission.k8s.io/v1beta1"),
            ("/kind", json!("Review"), "Review"),
            ("/request/operation", json!("DELETE"), "DELETE"),
            ("/request/subResource", json!("status"), "pods/status"),
            ("/request/resource/group", json!("apps"), "pods/eviction"),
            ("/request/name", json!(""), "empty"),
            ("/request/uid", json!(7), "no AdmissionReview"),
            ("/request", Value::Null, "no AdmissionReview"),
        ];
        for (pointer, value, words) in table {
            let mut review = review();
            *review.pointer_mut(pointer).unwrap() = value;
            let error = question(&review).unwrap_err();
            assert!(error.contains(words), "{pointer}: {error}");
        }
        assert!(read(b"").is_err() && read(b"[]").is_err());
    }

    #[test]
    fn answers_are_what_kubectl_drain_understands() {
        let answered = |verdict: &Verdict| -> Value {
            let answer: Value = serde_json::from_str(&answer("q-1", verdict)).unwrap();
            assert_eq!(
                (&answer["kind"], &answer["response"]["uid"]),
                (&json!("AdmissionReview"), &json!("q-1"))
            );
            answer["response"].clone()
        };
        assert_eq!(answered(&Verdict::Allow)["allowed"], true);
        let roll = Verdict::RollIt { mark: true, message: "soon".to_owned() };
        for (verdict, code, reason) in [
            (roll, 429, "TooManyRequests"),
            (Verdict::NotNow("soon".to_owned()), 429, "TooManyRequests"),
            (Verdict::MovedAlready("soon".to_owned()), 404, "NotFound"),
        ] {
            let response = answered(&verdict);
            assert_eq!(response["allowed"], false);
            let status = json!({"status": "Failure", "code": code, "reason": reason, "message": "soon"});
            assert_eq!(response["status"], status);
        }
    }
}
