//! The status of a KafkaTopic. Pure; the time comes in as text.

use api::KafkaTopic;
use kube::Resource;
use serde_json::{Value, json};

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    resource::TopicResource,
    topic::{ChangeState, Condition, ReplicasChange, TopicStatus},
};

/// What a pass found out about a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The resource is not managed.
    Unmanaged,
    /// The resource is paused.
    Paused,
    /// The resource could not be looked into further.
    Refused(Refusal),
    /// Kafka was asked.
    Looked {
        /// The topic's id, when it exists.
        topic_id: Option<Box<str>>,
        /// What could not be done; empty when the topic is as the resource says.
        refusals: Vec<Refusal>,
        /// Messages of warnings.
        warnings: Vec<String>,
        /// A replication factor change in progress.
        replicas_change: Option<ReplicasChange>,
    },
}

/// The status that a verdict yields. Conditions that say what they said keep their time.
pub fn compose(resource: &TopicResource, verdict: &Verdict, now: &str) -> TopicStatus {
    let before = &resource.status;
    let mut status = TopicStatus {
        topic_name: before.topic_name.clone(),
        topic_id: before.topic_id.clone(),
        observed_generation: Some(resource.generation),
        replicas_change: None,
        conditions: Box::default(),
    };
    let mut conditions = Vec::with_capacity(1);
    match verdict {
        Verdict::Unmanaged => {
            status.topic_name = None;
            status.topic_id = None;
            conditions.push(condition("Unmanaged", "True", None, None));
        }
        Verdict::Paused => {
            status.topic_id = None;
            status.replicas_change.clone_from(&before.replicas_change);
            conditions.push(condition("ReconciliationPaused", "True", None, None));
        }
        Verdict::Refused(failure) => {
            if failure.reason == reasons::RESOURCE_CONFLICT {
                status.topic_name = None;
                status.topic_id = None;
            } else {
                status.replicas_change.clone_from(&before.replicas_change);
            }
            conditions.push(not_ready(std::slice::from_ref(failure)));
        }
        Verdict::Looked { topic_id, refusals, warnings, replicas_change } => {
            if topic_id.is_some() {
                status.topic_name = Some(resource.topic_name.clone());
                status.topic_id.clone_from(topic_id);
            }
            status.replicas_change = replicas_change.clone().map(Box::new);
            conditions.push(if refusals.is_empty() {
                condition("Ready", "True", None, None)
            } else {
                not_ready(refusals)
            });
            for warning in warnings {
                conditions.push(condition("Warning", "True", Some("InvalidConfig"), Some(warning)));
            }
        }
    }
    if let (Some(fields), Verdict::Refused(_) | Verdict::Looked { .. }) = (&resource.unknown_fields, verdict)
    {
        conditions.push(condition("Warning", "True", Some(reasons::UNKNOWN_FIELDS), Some(fields)));
    }
    for new in &mut conditions {
        let since = before.conditions.iter().find(|old| old.says_the_same(new));
        new.last_transition = since.and_then(|old| old.last_transition.clone()).or_else(|| Some(now.into()));
    }
    status.conditions = conditions.into();
    status
}

fn condition(kind: &str, status: &str, reason: Option<&str>, message: Option<&str>) -> Condition {
    Condition {
        kind: kind.into(),
        status: status.into(),
        reason: reason.map(Into::into),
        message: message.map(Into::into),
        last_transition: None,
    }
}

fn not_ready(refusals: &[Refusal]) -> Condition {
    let all = Refusal::joined(refusals);
    let (reason, message) = all
        .as_ref()
        .map_or((reasons::INTERNAL_ERROR, ""), |refusal| (refusal.reason, refusal.message.as_str()));
    condition("Ready", "False", Some(reason), Some(message))
}

/// The body of a request that replaces the status of a resource by this one: neither a resource that changed meanwhile, nor
/// another one with the same name. Of the rest of the resource nothing is needed: the API server keeps what it has.
pub fn replacement(resource: &TopicResource, status: &TopicStatus) -> Value {
    let conditions: Vec<Value> = status
        .conditions
        .iter()
        .map(|c| {
            let mut out = json!({"type": &*c.kind, "status": &*c.status});
            set(&mut out, "lastTransitionTime", c.last_transition.as_deref());
            set(&mut out, "reason", c.reason.as_deref());
            set(&mut out, "message", c.message.as_deref());
            out
        })
        .collect();
    let mut body = json!({"conditions": conditions});
    set(&mut body, "observedGeneration", status.observed_generation);
    set(&mut body, "topicName", status.topic_name.as_deref());
    set(&mut body, "topicId", status.topic_id.as_deref());
    if let Some(change) = &status.replicas_change {
        let state = match change.state {
            ChangeState::Pending => "pending",
            ChangeState::Ongoing => "ongoing",
        };
        let mut out = json!({"targetReplicas": change.target, "state": state});
        set(&mut out, "message", change.message.as_deref());
        set(&mut out, "sessionId", change.session.as_deref());
        body["replicasChange"] = out;
    }
    json!({
        "apiVersion": KafkaTopic::api_version(&()),
        "kind": KafkaTopic::kind(&()),
        "metadata": {
            "name": &*resource.reference.name,
            "namespace": &*resource.reference.namespace,
            "uid": &*resource.uid,
            "resourceVersion": &*resource.resource_version,
        },
        "status": body,
    })
}

/// Sets a field that has a value.
fn set(object: &mut Value, field: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        object[field] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_resources::resource;

    fn looked(refusals: Vec<Refusal>) -> Verdict {
        Verdict::Looked {
            topic_id: Some("id".into()),
            refusals,
            warnings: vec!["odd".into()],
            replicas_change: None,
        }
    }

    #[test]
    fn a_topic_as_wanted_is_ready_with_name_and_id() {
        let mut r = resource("t");
        r.generation = 7;
        let s = compose(&r, &looked(vec![]), "now");
        assert!(s.is_ready());
        assert_eq!(s.topic_name.as_deref(), Some("t"));
        assert_eq!(s.topic_id.as_deref(), Some("id"));
        assert_eq!(s.observed_generation, Some(7));
        assert_eq!(&*s.conditions[1].kind, "Warning");
        assert_eq!(s.conditions[1].reason.as_deref(), Some("InvalidConfig"));
    }

    #[test]
    fn a_failure_is_ready_false_with_its_reason() {
        let s = compose(&resource("t"), &looked(vec![Refusal::new(reasons::NOT_SUPPORTED, "no")]), "now");
        assert_eq!((&*s.conditions[0].kind, &*s.conditions[0].status), ("Ready", "False"));
        assert_eq!(s.conditions[0].reason.as_deref(), Some("NotSupported"));
        assert_eq!(s.conditions[0].message.as_deref(), Some("no"));
    }

    #[test]
    fn fields_that_nobody_knows_are_named_whatever_else_is_said_of_the_topic() {
        let mut r = resource("t");
        r.unknown_fields = Some("spec.partition: not known".into());
        for verdict in [looked(vec![]), Verdict::Refused(Refusal::new(reasons::INVALID_RESOURCE, "no"))] {
            let s = compose(&r, &verdict, "now");
            let said: Vec<_> =
                s.conditions.iter().filter(|one| one.reason.as_deref() == Some("UnknownFields")).collect();
            assert_eq!(said.len(), 1, "{s:?}");
            assert_eq!(
                (&*said[0].kind, said[0].message.as_deref()),
                ("Warning", Some("spec.partition: not known"))
            );
        }
        assert_eq!(
            compose(&r, &Verdict::Paused, "now").conditions.len(),
            1,
            "who is paused is not looked at"
        );
    }

    #[test]
    fn a_condition_that_says_the_same_keeps_its_time() {
        let mut r = resource("t");
        r.status = compose(&r, &looked(vec![]), "first");
        let again = compose(&r, &looked(vec![]), "second");
        assert_eq!(again.conditions[0].last_transition.as_deref(), Some("first"));
        assert!(again.says_the_same(&r.status));
    }

    #[test]
    fn unmanaged_forgets_name_and_id_and_paused_only_the_id() {
        let mut r = resource("t");
        r.status = compose(&r, &looked(vec![]), "first");
        let unmanaged = compose(&r, &Verdict::Unmanaged, "now");
        assert_eq!((unmanaged.topic_name, unmanaged.topic_id), (None, None));
        assert_eq!(&*unmanaged.conditions[0].kind, "Unmanaged");
        let paused = compose(&r, &Verdict::Paused, "now");
        assert_eq!((paused.topic_name.as_deref(), paused.topic_id), (Some("t"), None));
        assert_eq!(&*paused.conditions[0].kind, "ReconciliationPaused");
    }

    #[test]
    fn the_replacement_says_nothing_that_is_no_longer_so() {
        let mut r = resource("t");
        r.status = compose(&r, &looked(vec![]), "first");
        let body = replacement(&r, &compose(&r, &Verdict::Unmanaged, "now"));
        assert_eq!(
            body["metadata"],
            json!({"name": "t", "namespace": &*r.reference.namespace, "uid": &*r.uid,
                "resourceVersion": &*r.resource_version})
        );
        assert_eq!(
            body["status"],
            json!({"observedGeneration": r.generation, "conditions": [
                {"type": "Unmanaged", "status": "True", "lastTransitionTime": "now"},
            ]})
        );
    }
}
