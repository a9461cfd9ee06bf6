//! The Kubernetes side: resources as they are stored, and the two writes the operator makes to them.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use api::kinds;
use api::{KafkaTopic, KafkaTopicSpec, annotations, kafka_topic::ReplicasChangeState, last_applied};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{Patch, PatchParams, PostParams},
    core::Request,
};
use operator_runtime::{
    apply::{Applier, ApplyError, Subject},
    env::LabelSelector,
    watch::{ObjectRef, Unreadable},
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::{
    config::{self, Config},
    metrics::{Call, TopicMetrics},
    resource::TopicResource,
    status,
    topic::{ChangeState, Condition, ReplicasChange, ResourceRef, TopicStatus},
};

/// Requests in flight, over all batches.
const IN_FLIGHT: usize = 32;

/// What a resource is after a write.
#[derive(Debug)]
pub enum Written {
    /// The resource as the API server returned it.
    Now(Box<TopicResource>),
    /// There is no such resource any more, or it is another one with the same name.
    Gone,
}

/// Turns KafkaTopics into what the operator keeps of them.
#[derive(Clone, Debug)]
pub struct Projector {
    namespaces: Arc<HashMap<String, Arc<str>>>,
    home: Arc<str>,
    selector: Arc<LabelSelector>,
}

impl Projector {
    /// For the cluster's own namespace and the further ones.
    pub fn new(home: &str, others: impl IntoIterator<Item = String>, selector: LabelSelector) -> Self {
        let mut namespaces: HashMap<String, Arc<str>> = HashMap::new();
        for name in others.into_iter().chain([home.to_owned()]) {
            let shared = Arc::from(name.as_str());
            namespaces.insert(name, shared);
        }
        Self { namespaces: Arc::new(namespaces), home: home.into(), selector: Arc::new(selector) }
    }

    /// The projection of a KafkaTopic.
    pub fn project(&self, mut topic: KafkaTopic) -> TopicResource {
        last_applied::note::<KafkaTopicSpec>(kinds::KAFKA_TOPIC, &mut topic.metadata);
        let namespace = topic.metadata.namespace.clone().unwrap_or_default();
        let namespace =
            self.namespaces.get(&namespace).cloned().unwrap_or_else(|| Arc::from(namespace.as_str()));
        let says = |key: &str, value: &str| topic.annotations().get(key).is_some_and(|v| v == value);
        let name: Arc<str> = topic.metadata.name.as_deref().unwrap_or_default().into();
        TopicResource {
            home: namespace == self.home,
            uid: topic.metadata.uid.as_deref().unwrap_or_default().into(),
            created: topic.metadata.creation_timestamp.as_ref().map_or(i64::MAX, |t| t.0.as_second()),
            resource_version: topic.metadata.resource_version.as_deref().unwrap_or_default().into(),
            generation: topic.metadata.generation.unwrap_or_default(),
            deleting: topic.metadata.deletion_timestamp.is_some(),
            selected: self.selector.matches(topic.metadata.labels.as_ref()),
            managed: !says(annotations::MANAGED, "false"),
            paused: says(annotations::PAUSE_RECONCILIATION, "true"),
            finalizers: topic.finalizers().iter().map(|f| f.as_str().into()).collect(),
            topic_name: topic.spec.topic_name.as_deref().unwrap_or(&name).into(),
            partitions: topic.spec.partitions,
            replicas: topic.spec.replicas,
            config: config_of(topic.spec.config.as_ref()),
            unknown_fields: last_applied::complaint(&topic.metadata).map(String::into_boxed_str),
            status: topic.status.map(status_of).unwrap_or_default(),
            reference: ResourceRef { namespace, name },
        }
    }

    /// What is known of a KafkaTopic that is there and cannot be read: its name, and which topic is its.
    pub fn unread(&self, found: &Unreadable) -> TopicResource {
        let metadata = found.metadata.clone();
        let said = &found.topic;
        let spec = KafkaTopicSpec {
            topic_name: said.wanted.as_deref().map(str::to_owned),
            ..KafkaTopicSpec::default()
        };
        let topic = KafkaTopic { metadata, spec, status: None };
        let mut known = self.project(topic);
        // The watch asks for no other labels than those of this operator.
        known.selected = true;
        known.managed = !said.is_left_alone;
        known.status.topic_name.clone_from(&said.managed);
        known
    }
}

fn config_of(config: Option<&api::schema::FreeMap>) -> Result<Config, Box<str>> {
    let mut pairs = Vec::new();
    for (key, value) in config.into_iter().flatten() {
        pairs.push((key.as_str(), config::value_text(key, value)?));
    }
    Ok(Config::from_pairs(pairs))
}

fn status_of(status: api::KafkaTopicStatus) -> TopicStatus {
    let boxed = |text: Option<String>| text.map(String::into_boxed_str);
    TopicStatus {
        topic_name: boxed(status.topic_name),
        topic_id: boxed(status.topic_id),
        observed_generation: status.observed_generation,
        replicas_change: status.replicas_change.map(|change| {
            Box::new(ReplicasChange {
                target: change.target_replicas.unwrap_or_default(),
                state: match change.state {
                    Some(ReplicasChangeState::Ongoing) => ChangeState::Ongoing,
                    _ => ChangeState::Pending,
                },
                message: boxed(change.message),
                session: boxed(change.session_id),
            })
        }),
        conditions: status
            .conditions
            .unwrap_or_default()
            .into_iter()
            .map(|c| Condition {
                kind: c.type_.into(),
                status: c.status.into(),
                reason: boxed(c.reason),
                message: boxed(c.message),
                last_transition: boxed(c.last_transition_time),
            })
            .collect(),
    }
}

/// Reads and writes KafkaTopics. Cheap to clone.
#[derive(Clone)]
pub struct Kubernetes {
    applier: Applier,
    projector: Projector,
    metrics: TopicMetrics,
    limit: Arc<Semaphore>,
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Uses this client.
    pub fn new(client: Client, projector: Projector, metrics: TopicMetrics) -> Self {
        let applier = Applier::new(client);
        Self { applier, projector, metrics, limit: Arc::new(Semaphore::new(IN_FLIGHT)) }
    }

    /// Turns what is read into what is kept.
    pub fn projector(&self) -> &Projector {
        &self.projector
    }

    fn api(&self, resource: &ResourceRef) -> Api<KafkaTopic> {
        Api::namespaced(self.applier.client().clone(), &resource.namespace)
    }

    /// Puts our finalizer on a resource, or takes it off, and leaves the others alone.
    pub async fn set_finalizer(
        &self,
        resource: &TopicResource,
        present: bool,
    ) -> Result<Written, ApplyError> {
        let ours = annotations::FINALIZER_TOPIC_OPERATOR;
        let (call, action) = if present {
            (Call::AddFinalizer, "add the finalizer to")
        } else {
            (Call::RemoveFinalizer, "take the finalizer off")
        };
        let mut current = resource.clone();
        loop {
            if current.has_finalizer() == present || (present && current.deleting) {
                return Ok(Written::Now(Box::new(current)));
            }
            let mut finalizers: Vec<&str> =
                current.finalizers.iter().map(|f| &**f).filter(|f| *f != ours).collect();
            if present {
                finalizers.push(ours);
            }
            // The list is replaced as a whole: the version makes sure that no entry of another controller is lost.
            let patch = json!({"metadata": {
                "uid": &*current.uid, "resourceVersion": &*current.resource_version, "finalizers": finalizers,
            }});
            match self.metrics.time(call, self.patch(&current.reference, &patch, action)).await {
                Ok(topic) => return Ok(Written::Now(Box::new(self.projector.project(topic)))),
                Err(error) => match self.after(error, &current).await? {
                    Some(now) => current = now,
                    None => return Ok(Written::Gone),
                },
            }
        }
    }

    /// Writes the status, unless it says the same already.
    pub async fn write_status(
        &self,
        resource: &TopicResource,
        new: &TopicStatus,
    ) -> Result<Written, ApplyError> {
        let mut current = Cow::Borrowed(resource);
        loop {
            if current.status.says_the_same(new) {
                return Ok(Written::Now(Box::new(current.into_owned())));
            }
            let write = self.replace_status(&current, new);
            match self.metrics.time(Call::UpdateStatus, write).await {
                Ok(topic) => return Ok(Written::Now(Box::new(self.projector.project(topic)))),
                Err(error) => match self.after(error, &current).await? {
                    Some(now) => current = Cow::Owned(now),
                    None => return Ok(Written::Gone),
                },
            }
        }
    }

    /// What to go on with after a write that failed: the resource as it is now when another client changed it meanwhile, none when
    /// it is gone. Each time needs another writer, so a loop over this ends.
    async fn after(
        &self,
        error: ApplyError,
        resource: &TopicResource,
    ) -> Result<Option<TopicResource>, ApplyError> {
        if error.is_gone() {
            return Ok(None);
        }
        if !error.is_conflict() {
            return Err(error);
        }
        let now = self.get(&resource.reference).await?.filter(|now| now.uid == resource.uid);
        match now {
            // The resource did not change: an admission webhook, or the like, refused the write with this code.
            Some(now) if now.resource_version == resource.resource_version => Err(error),
            now => Ok(now),
        }
    }

    async fn patch(
        &self,
        reference: &ResourceRef,
        patch: &Value,
        action: &'static str,
    ) -> Result<KafkaTopic, ApplyError> {
        // The semaphore is never closed.
        let _permit = self.limit.acquire().await;
        let params =
            PatchParams { field_manager: Some(api::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = self.api(reference);
        self.applier
            .request(action, &subject(reference), api.patch(&reference.name, &params, &Patch::Merge(patch)))
            .await
    }

    /// A replacement, where a patch would do: the API server need not merge and read the whole resource once more.
    async fn replace_status(
        &self,
        resource: &TopicResource,
        new: &TopicStatus,
    ) -> Result<KafkaTopic, ApplyError> {
        let _permit = self.limit.acquire().await;
        let reference = &resource.reference;
        let body = status::replacement(resource, new).to_string().into_bytes();
        let params =
            PostParams { field_manager: Some(api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
        let url = KafkaTopic::url_path(&(), Some(&reference.namespace));
        // Not through `Api`, which would have the spec along.
        let request = Request::new(url).replace_subresource("status", &reference.name, &params, body);
        let answer =
            async { self.applier.client().request(request.map_err(kube::Error::BuildRequest)?).await };
        self.applier.request("write the status of", &subject(reference), answer).await
    }

    /// The resource as it is now, past all caches.
    pub async fn get(&self, reference: &ResourceRef) -> Result<Option<TopicResource>, ApplyError> {
        let api = self.api(reference);
        match self.applier.request("read", &subject(reference), api.get(&reference.name)).await {
            Ok(topic) => Ok(Some(self.projector.project(topic))),
            Err(error) if error.is_gone() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True when the namespace is being deleted. A missing right to read it counts as no.
    pub async fn namespace_terminates(&self, namespace: &str) -> bool {
        let api: Api<Namespace> = Api::all(self.applier.client().clone());
        let subject = Subject { kind: "Namespace".to_owned(), key: ObjectRef::new("", namespace) };
        match self.applier.request("read", &subject, api.get_metadata_opt(namespace)).await {
            Ok(Some(found)) => found.metadata.deletion_timestamp.is_some(),
            Ok(None) => true,
            Err(error) => {
                tracing::warn!(namespace, %error, "cannot tell whether the namespace is being deleted: a deletion of topics in it waits for Kafka");
                false
            }
        }
    }
}

/// A KafkaTopic in an error.
fn subject(reference: &ResourceRef) -> Subject {
    Subject {
        kind: kinds::KAFKA_TOPIC.to_owned(),
        key: ObjectRef::new(&*reference.namespace, &*reference.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_kept_with_what_decisions_need() {
        let topic: KafkaTopic = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "t", "namespace": "ns", "uid": "u", "resourceVersion": "5", "generation": 2,
                "labels": {"strimzi.io/cluster": "c"}, "creationTimestamp": "2026-01-01T00:00:00Z",
                "annotations": {"strimzi.io/managed": "false", "strimzi.io/pause-reconciliation": "true"},
                "finalizers": ["x/y", "strimzi.io/topic-operator"]},
            "spec": {"topicName": "T", "partitions": 3, "replicas": 2,
                "config": {"cleanup.policy": ["compact", "delete"], "retention.ms": 5}},
            "status": {"topicName": "T", "topicId": "id", "observedGeneration": 1,
                "replicasChange": {"targetReplicas": 2, "state": "ongoing", "message": "m"},
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "then"}]}
        }))
        .unwrap();
        let selector = LabelSelector([("strimzi.io/cluster".to_owned(), "c".to_owned())].into());
        let r = Projector::new("ns", [], selector).project(topic);
        assert!(r.selected && r.home && !r.managed && r.paused && r.has_finalizer() && !r.deleting);
        assert_eq!((&*r.topic_name, r.partitions, r.replicas), ("T", Some(3), Some(2)));
        let config = r.config.unwrap();
        assert_eq!(config.get("cleanup.policy"), Some("compact,delete"));
        assert_eq!(config.get("retention.ms"), Some("5"));
        assert!(r.status.is_ready());
        assert_eq!(r.status.replicas_change.unwrap().state, ChangeState::Ongoing);
        assert_eq!(r.created, 1_767_225_600);
    }

    #[test]
    fn fields_that_the_api_server_dropped_are_known_and_a_correction_asks_for_a_new_look() {
        let project = |written: Value| {
            let applied = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "spec": written});
            let topic = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
                "metadata": {"name": "t", "namespace": "ns", "generation": 1,
                    "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied.to_string()}},
                "spec": {"partitions": 3}});
            let selector = LabelSelector::default();
            Projector::new("ns", [], selector).project(serde_json::from_value(topic).unwrap())
        };
        let wrong = project(json!({"partitions": 3, "replica": 2}));
        let fields = wrong.unknown_fields.as_deref().unwrap();
        assert!(fields.starts_with("spec.replica: not known"), "{fields}");
        let right = project(json!({"partitions": 3}));
        assert_eq!(right.unknown_fields, None);
        assert!(right.asks_for_else_than(&wrong), "the generation is the same");
    }
}
