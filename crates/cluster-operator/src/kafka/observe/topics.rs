//! Topics that hold the finalizer of a topic operator, in all namespaces that a cluster may have topics in.

use std::collections::BTreeSet;

use api::KafkaTopic;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator_runtime::apply::ApplyError;
use operator_runtime::env::Namespaces;
use operator_runtime::named_object::Named;
use operator_runtime::watch::ObjectRef;
use planner::kafka::deleted_cluster;
use planner::kafka::held_topic::HeldTopic;

use super::Observer;

impl Observer {
    /// The topics of a cluster that hold the topic operator's finalizer.
    pub async fn held_topics(&self, key: &ObjectRef) -> Result<Vec<HeldTopic>, ApplyError> {
        match self.list_topics(key).await {
            // Without the kind there are no topics.
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            listed => listed,
        }
    }

    async fn list_topics(&self, key: &ObjectRef) -> Result<Vec<HeldTopic>, ApplyError> {
        let selector = format!("{}={}", api::labels::CLUSTER, key.name);
        let bindings = self.caches.topic_bindings(key);
        let mut topics = Vec::new();
        for namespace in deleted_cluster::topic_namespaces(&key.namespace, &key.name, &bindings) {
            if self.serves_a_namesake(&namespace, key).await? {
                continue;
            }
            let each = |meta: ObjectMeta| topics.extend(topic(meta));
            self.applier.each_metadata::<KafkaTopic>(&namespace, Some(&selector), None, each).await?;
        }
        Ok(topics)
    }

    /// Whether a namespace lets the topic operator of another cluster of the same name serve its topics, and that
    /// cluster lives.
    async fn serves_a_namesake(&self, namespace: &str, key: &ObjectRef) -> Result<bool, ApplyError> {
        let grant = ObjectRef::new(namespace, api::topic_grant::NAME);
        let grant = match self.applier.get_within::<ConfigMap>(&grant, self.largest).await? {
            None => return Ok(false),
            Some(Named::Readable(grant)) => grant,
            // What it says is not known: it may let a namesake in.
            Some(Named::Unreadable(_)) => return Ok(true),
        };
        for (of, name) in
            deleted_cluster::granted_namesakes(&grant.data.unwrap_or_default(), &key.namespace, &key.name)
        {
            match self.exists(&ObjectRef::new(of, name)).await {
                Ok(false) => {}
                Ok(true) => return Ok(true),
                // A cluster out of sight may well live.
                Err(error) if error.is_forbidden() => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Clusters that topics with the topic operator's finalizer name, in these namespaces.
    pub async fn clusters_of_topics(
        &self,
        namespaces: &Namespaces,
    ) -> Result<BTreeSet<ObjectRef>, ApplyError> {
        let namespaces = match namespaces {
            Namespaces::All => vec![String::new()],
            Namespaces::Some(names) => names.clone(),
        };
        let mut found = BTreeSet::new();
        for namespace in namespaces {
            let each = |meta: ObjectMeta| {
                let cluster =
                    meta.labels.as_ref().and_then(|labels| labels.get(api::labels::CLUSTER)).cloned();
                if let (Some(cluster), Some(topic)) = (cluster, topic(meta)) {
                    found.insert(ObjectRef::new(topic.namespace, cluster));
                }
            };
            let listed =
                self.applier.each_metadata::<KafkaTopic>(&namespace, Some(api::labels::CLUSTER), None, each);
            match listed.await {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A topic, if it holds the topic operator's finalizer.
fn topic(meta: ObjectMeta) -> Option<HeldTopic> {
    let finalizers = meta.finalizers?;
    if !finalizers.iter().any(|one| one == api::annotations::FINALIZER_TOPIC_OPERATOR) {
        return None;
    }
    Some(HeldTopic {
        namespace: meta.namespace?,
        name: meta.name?,
        resource_version: meta.resource_version,
        finalizers,
        deleted_at: meta.deletion_timestamp.map(|time| time.0),
    })
}
