//! The status of a KafkaUser.

use std::time::Duration;

use api::conditions::{Condition, merge, reasons};
use api::{KafkaUser, KafkaUserStatus, last_applied};
use jiff::Timestamp;

use operator_runtime::refusal::Refusal;

use crate::user as kafka_user;

/// A Kafka that is away for less is not worth a word in the status.
const KAFKA_AWAY: Duration = Duration::from_secs(30);

/// Whether a problem is likely to pass by itself within moments, so that it would only flicker in the status. `away`:
/// how long Kafka has not answered; `None`: it does answer.
pub(crate) fn is_passing(problem: &Refusal, away: Option<Duration>) -> bool {
    let away = away.is_some_and(|away| away < KAFKA_AWAY);
    problem.retry && (problem.reason == reasons::CREATING || problem.reason == reasons::KAFKA_ERROR && away)
}

/// The status that a user should have now; `secret`: the name of its Secret, when there is a Secret that is the user's.
pub(crate) fn of(
    user: &KafkaUser,
    secret: Option<String>,
    problem: Option<&Refusal>,
    now: Timestamp,
) -> KafkaUserStatus {
    let old = user.status.as_ref();
    let paused = kafka_user::is_paused(user);
    let condition = match problem {
        _ if paused => Condition::paused(),
        Some(problem) => Condition::not_ready(problem.reason, problem.message.clone()),
        None => Condition::ready(),
    };
    let (username, secret) = if paused {
        (old.and_then(|status| status.username.clone()), old.and_then(|status| status.secret.clone()))
    } else {
        (Some(kafka_user::username(user)), secret)
    };
    let mut conditions = if paused { Vec::new() } else { warnings(user) };
    conditions.push(condition);
    KafkaUserStatus {
        conditions: Some(merge(conditions, old.and_then(|status| status.conditions.as_deref()), now)),
        observed_generation: user.metadata.generation,
        username,
        secret,
    }
}

/// What deserves a look in the fields of a user.
fn warnings(user: &KafkaUser) -> Vec<Condition> {
    let mut warnings = Vec::new();
    let authorization = user.spec.authorization.as_ref();
    let mut rules = authorization.iter().flat_map(|all| all.acls.iter());
    if rules.any(|rule| rule.operation.is_some()) {
        let message = "spec.authorization.acls[].operation: write operations, a list, instead";
        warnings.push(Condition::warning(reasons::DEPRECATED_FIELDS, message));
    }
    if let Some(complaint) = last_applied::complaint(&user.metadata) {
        warnings.push(Condition::warning(reasons::UNKNOWN_FIELDS, complaint));
    }
    warnings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use api::KafkaUserSpec;
    use serde_json::{Value, json};

    use super::*;

    fn warned(spec: &Value, paused: bool) -> Vec<(String, String)> {
        let applied = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "spec": spec});
        let annotations = json!({"kubectl.kubernetes.io/last-applied-configuration": applied.to_string(),
            "strimzi.io/pause-reconciliation": paused.to_string()});
        let user = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": "a", "namespace": "ns", "annotations": annotations}, "spec": spec});
        let mut user: KafkaUser = serde_json::from_value(user).unwrap();
        last_applied::note::<KafkaUserSpec>("KafkaUser", &mut user.metadata);
        let status = of(&user, None, None, Timestamp::UNIX_EPOCH);
        let conditions = status.conditions.unwrap().into_iter().filter(|one| one.type_ == "Warning");
        conditions.map(|one| (one.reason.unwrap(), one.message.unwrap())).collect()
    }

    #[test]
    fn fields_that_nobody_knows_and_those_that_have_a_successor_are_named() {
        let rule = json!({"resource": {"type": "topic", "name": "a"}, "operations": ["Read"]});
        let mut spec = json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": 1},
            "authorization": {"type": "simple", "acls": [rule]}});
        assert!(warned(&spec, false).is_empty());
        spec["quotas"]["producerBytesRate"] = json!(5);
        spec["authorization"]["acls"][0]["operation"] = json!("Write");
        let found = warned(&spec, false);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].0, "DeprecatedFields");
        assert!(found[0].1.contains("operations"));
        assert_eq!(found[1].0, "UnknownFields");
        assert!(found[1].1.starts_with("spec.quotas.producerBytesRate: not known"), "{found:?}");
        assert!(warned(&spec, true).is_empty(), "who is paused is not looked at");
    }
}
