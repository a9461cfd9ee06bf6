//! Annotations of a Kafka resource that ask for something else than its specification.

use api::{Kafka, annotations};
use serde_json::Value;

use super::Findings;

/// What the operator does between the parts of a cluster.
const DONE: [(&str, &str); 2] = [("encryption", "strimzi-tls"), ("authentication", "strimzi-mtls")];

/// Checks how the parts of the cluster are to talk with each other: by TLS, with certificates on both sides. Nothing else is done, and
/// something else must not be taken for done.
pub(super) fn internal_security(kafka: &Kafka, findings: &mut Findings) {
    let key = annotations::INTERNAL_CLUSTER_SECURITY;
    let Some(text) = kafka.metadata.annotations.as_ref().and_then(|all| all.get(key)) else { return };
    let field = format!("metadata.annotations.{key}");
    let Ok(asked @ Value::Object(_)) = serde_json::from_str(text) else {
        findings.problem(
                field,
                r#"is not JSON such as {"encryption": {"type": "strimzi-tls"}, "authentication": {"type": "strimzi-mtls"}}: write that, or take it out"#,
            );
        return;
    };
    for (part, done) in DONE {
        let type_ = &asked[part]["type"];
        if !type_.is_null() && type_ != done {
            findings.problem(
                &field,
                format!("asks for {part} of another type than {done}, without which no part of a cluster talks with another: write {done}, or take it out"),
            );
        }
    }
}
