//! What goes with a cluster whose Kafka resource goes. Pure.
//!
//! Kubernetes collects what the Kafka resource owns. What its pools own is left, because pools stay; so are objects
//! outside the namespace, which nothing there can own, and the finalizers of topics, whose operator goes as well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{StrimziPodSet, annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::Resource;

use crate::kafka::plan::Plan;
use objects::Deletion;
use objects::FinalizerRemoval;
use objects::ObjectId;

/// How long a topic may be terminating before nobody is taken to look after it.
const PATIENCE_SECONDS: i64 = 60;

/// Seconds until topics that could not be listed are asked for again.
const RETRY_SECONDS: u64 = 10;

/// What was seen of a cluster that goes.
#[derive(Debug, Clone, Default)]
pub struct Remains {
    /// Namespace of the cluster.
    pub namespace: String,
    /// Name of its Kafka resource.
    pub name: String,
    /// Whether the Kafka resource is still there, marked for deletion.
    pub terminating: bool,
    /// Whether this process has seen the Kafka resource, and has not yet cleared up after it.
    pub seen: bool,
    /// Whether node pools carry the name of the cluster.
    pub pools: bool,
    /// Pod sets, by name.
    pub pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    /// Secrets, by name.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// ConfigMaps, by name.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Claims, by name.
    pub claims: BTreeMap<String, Arc<PersistentVolumeClaim>>,
    /// Further objects, also those in other namespaces.
    pub others: BTreeSet<ObjectId>,
    /// Topics with the topic operator's finalizer; `None`: they could not be listed.
    pub topics: Option<Vec<Topic>>,
}

/// A KafkaTopic that carries the topic operator's finalizer.
#[derive(Debug, Clone, Default)]
pub struct Topic {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Version that was seen.
    pub resource_version: Option<String>,
    /// All finalizers.
    pub finalizers: Vec<String>,
    /// Since when it is being deleted.
    pub deleted_at: Option<Timestamp>,
}

/// Where a topic operator works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicBinding {
    /// Namespace of the RoleBinding.
    pub namespace: String,
    /// Namespace of the cluster whose topic operator it is for.
    pub cluster_namespace: String,
    /// Name of that cluster.
    pub cluster: String,
}

/// Namespaces with topics of the cluster: its own, unless the topic operator of a namesake works there, and every
/// other one in which its own topic operator was given rights.
pub fn topic_namespaces(namespace: &str, name: &str, bindings: &[TopicBinding]) -> BTreeSet<String> {
    let mut found = BTreeSet::from([namespace.to_owned()]);
    for binding in bindings.iter().filter(|binding| binding.cluster == name) {
        if binding.cluster_namespace == namespace {
            found.insert(binding.namespace.clone());
        } else if binding.namespace == namespace {
            found.remove(namespace);
        }
    }
    found
}

/// Plans what goes. Carrying the plan out again changes nothing.
pub fn plan(remains: &Remains, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if is_orphaned(remains) {
        plan.waiting_for.push("a Kafka resource: it was deleted without its objects".to_owned());
        return plan;
    }
    release(remains, now, &mut plan);
    if !remains.terminating {
        plan.delete = deletions(remains);
    }
    plan
}

/// What the ConfigMap of a namespace with topics says about whom they may belong to: clusters of this name other than
/// `(namespace, name)` itself.
pub fn granted_namesakes(
    data: &BTreeMap<String, String>,
    namespace: &str,
    name: &str,
) -> BTreeSet<(String, String)> {
    let namesakes =
        api::topic_grant::clusters(data).filter(|(of, cluster)| *cluster == name && *of != namespace);
    namesakes.map(|(of, cluster)| (of.to_owned(), cluster.to_owned())).collect()
}

/// Whether the resource was deleted with the wish to keep its objects (`--cascade=orphan`): then Kubernetes has taken
/// its references away. The trust bundle always has one otherwise.
fn is_orphaned(remains: &Remains) -> bool {
    bundle_has_owner(remains) == Some(false)
}

/// Whether a Kafka resource owns the trust bundle; `None`: there is no bundle.
fn bundle_has_owner(remains: &Remains) -> Option<bool> {
    let bundle = remains.secrets.get(&names::trust_bundle_secret(&remains.name))?;
    Some(bundle.metadata.owner_references.iter().flatten().any(|owner| owner.kind == "Kafka"))
}

fn release(remains: &Remains, now: Timestamp, plan: &mut Plan) {
    let Some(topics) = &remains.topics else {
        plan.requeue_seconds = Some(RETRY_SECONDS);
        return;
    };
    let proven = had_a_resource(remains);
    for topic in topics {
        if !topic.finalizers.iter().any(|one| one == annotations::FINALIZER_TOPIC_OPERATOR) {
            continue;
        }
        // A topic operator that runs alone serves topics of a cluster that never had a resource. It answers a deletion
        // within seconds; a topic that waits for longer has nobody.
        if !proven {
            let Some(deleted_at) = topic.deleted_at else { continue };
            let left = PATIENCE_SECONDS - (now.as_second() - deleted_at.as_second());
            if let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) {
                plan.requeue_seconds = Some(plan.requeue_seconds.map_or(left, |before| before.min(left)));
                continue;
            }
        }
        let kept = topic.finalizers.iter().filter(|one| *one != annotations::FINALIZER_TOPIC_OPERATOR);
        plan.finalizers.push(FinalizerRemoval {
            object: ObjectId {
                api_version: "kafka.strimzi.io/v1".to_owned(),
                kind: "KafkaTopic".to_owned(),
                namespace: Some(topic.namespace.clone()),
                name: topic.name.clone(),
            },
            resource_version: topic.resource_version.clone(),
            finalizers: kept.cloned().collect(),
        });
    }
}

/// Whether there was a Kafka resource of that name: only then its topics are ours to release. Secrets and ConfigMaps with
/// its name prove nothing: users copy them to where their applications run.
fn had_a_resource(remains: &Remains) -> bool {
    remains.terminating
        || has_gone(remains)
        || remains.pools
        || remains.pod_sets.values().any(|set| is_kafkas(set.metadata.labels.as_ref()))
}

/// Whether a Kafka resource is known to have gone. What merely carries its name may come before it: a restore makes
/// claims first and custom resources last.
fn has_gone(remains: &Remains) -> bool {
    remains.seen || bundle_has_owner(remains) == Some(true)
}

fn is_kafkas(all: Option<&BTreeMap<String, String>>) -> bool {
    all.and_then(|all| all.get(labels::KIND)).is_some_and(|kind| kind == "Kafka")
}

/// What the pools own, among it the claims that are to go with the cluster, and what nothing can own. Other claims are the
/// users' data and stay.
fn deletions(remains: &Remains) -> Vec<Deletion> {
    let deletion = |api_version: &str, kind: &str, seen: &ObjectMeta| Deletion {
        object: ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(remains.namespace.clone()),
            name: seen.name.clone().unwrap_or_default(),
        },
        uid: seen.uid.clone(),
    };
    let mut found = Vec::new();
    for set in remains.pod_sets.values().filter(|set| is_of_pool(&***set)) {
        found.push(deletion("core.strimzi.io/v1", "StrimziPodSet", &set.metadata));
    }
    for secret in remains.secrets.values().filter(|secret| is_of_pool(&***secret)) {
        found.push(deletion("v1", "Secret", &secret.metadata));
    }
    for map in remains.config_maps.values().filter(|map| is_of_pool(&***map)) {
        found.push(deletion("v1", "ConfigMap", &map.metadata));
    }
    // A restored claim may be here before its cluster, and has no owner yet.
    for claim in remains.claims.values().filter(|claim| has_gone(remains) && is_of_pool(&***claim)) {
        if is_kafkas(claim.metadata.labels.as_ref())
            && annotations::is_true(claim.metadata.annotations.as_ref(), annotations::DELETE_CLAIM)
        {
            found.push(deletion("v1", "PersistentVolumeClaim", &claim.metadata));
        }
    }
    let outside = |other: &&ObjectId| other.namespace.as_deref() != Some(&remains.namespace);
    found.extend(
        remains.others.iter().filter(outside).map(|other| Deletion { object: other.clone(), uid: None }),
    );
    found
}

fn is_of_pool<K: Resource>(object: &K) -> bool {
    object.meta().owner_references.iter().flatten().any(|owner| owner.kind == "KafkaNodePool")
}

#[cfg(test)]
#[path = "deleted_cluster_tests.rs"]
mod tests;
