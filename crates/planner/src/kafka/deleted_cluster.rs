//! What goes with a cluster whose Kafka resource goes. Pure.
//!
//! Kubernetes collects what the Kafka resource owns. What its pools own is left, because pools stay; so are objects
//! outside the namespace, which nothing there can own, and the finalizers of topics, whose operator goes as well.
//! Claims are data: those of a pool stay as long as the pool does, and go with the last of both, by Kubernetes, where they own them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::kinds;
use api::{StrimziPodSet, annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::Resource;

use crate::completion::Observation;
use crate::kafka::answer::Answer;
use crate::kafka::held_topic::{self, HeldTopic};
use crate::kafka::need::{Need, Silence, SilenceKind};
use crate::kafka::planned::{Forgotten, Plan};
use crate::live_object::{LiveObject, LiveObjects};
use objects::Deletion;
use objects::ObjectId;

/// How long a Kafka resource must be gone before what its pools own goes: `kubectl replace --force` deletes a resource and
/// makes it anew at once.
const GRACE_SECONDS: i64 = 10;

/// How long a topic may be terminating before it counts as having no topic operator.
const PATIENCE_SECONDS: i64 = 60;

/// Seconds until topics that could not be listed are asked for again.
const RETRY_SECONDS: u64 = 10;

/// What was seen of a cluster that goes.
#[derive(Debug, Clone, Default)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts, not the states of a machine")]
pub struct Remains {
    /// Namespace of the cluster.
    pub namespace: String,
    /// Name of its Kafka resource.
    pub name: String,
    /// Whether the Kafka resource is still there, marked for deletion.
    pub terminating: bool,
    /// Whether this process has seen the Kafka resource, and has not yet cleared up after it.
    pub seen: bool,
    /// Since when this process knows that there is no Kafka resource.
    pub gone_since: Option<Timestamp>,
    /// Whether node pools carry the name of the cluster.
    pub pools: bool,
    /// Pod sets, by name.
    pub pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    /// Secrets, by name.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// ConfigMaps, by name.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Further objects, also those in other namespaces.
    pub others: LiveObjects,
    /// Whether there is a Kafka resource all the same, which caches do not hold; `None`: nobody has asked yet. Of a resource that is
    /// marked for deletion nobody asks.
    pub exists: Option<bool>,
    /// Whether what `secrets` has of the trust bundle was read past the cache.
    pub bundle_is_current: bool,
    /// Whether `others` has the ClusterRoleBinding of the cluster, if there is one.
    pub binding_is_known: bool,
    /// Topics with the topic operator's finalizer, or why they could not be listed; `None`: nobody has asked yet.
    pub topics: Option<Result<Vec<HeldTopic>, Silence>>,
    /// What else has no answer, and why: then nothing is decided.
    pub unanswered: Vec<(Need, Silence)>,
}

impl Observation for Remains {
    type Plan = Plan;
    type Answer = Answer;

    fn plan(&self, now: Timestamp) -> Plan {
        plan(self, now)
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        let other = || Silence::new(SilenceKind::Refused, "the answer is to another question");
        match (need, answer) {
            (Need::HeldTopics, Answer::HeldTopics(topics)) => self.topics = Some(Ok(topics)),
            (Need::HeldTopics, Answer::Unknown(silence)) => self.topics = Some(Err(silence)),
            (Need::HeldTopics, _) => self.topics = Some(Err(other())),
            (Need::ResourceExists, Answer::ResourceExists(exists)) => self.exists = Some(exists),
            (Need::TrustBundle, Answer::TrustBundle(found)) => {
                let name = names::trust_bundle_secret(&self.name);
                match found {
                    Some(metadata) => {
                        let bundle = Secret { metadata: *metadata, ..Secret::default() };
                        self.secrets.insert(name, Arc::new(bundle));
                    }
                    None => drop(self.secrets.remove(&name)),
                }
                self.bundle_is_current = true;
            }
            (Need::ClusterRoleBinding, Answer::ClusterRoleBinding(found)) => {
                self.others.extend(found);
                self.binding_is_known = true;
            }
            (need, Answer::Unknown(silence)) => self.unanswered.push((need, silence)),
            (need, _) => self.unanswered.push((need, other())),
        }
    }
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

/// What has to be asked before anything is decided: whether the cluster is gone decides about everything, and so does whether the
/// owner of its trust bundle was taken away.
fn questions(remains: &Remains) -> Vec<Need> {
    if !remains.terminating && remains.exists.is_none() {
        return vec![Need::ResourceExists];
    }
    let has_bundle = remains.secrets.contains_key(&names::trust_bundle_secret(&remains.name));
    let bundle = (has_bundle && !remains.bundle_is_current).then_some(Need::TrustBundle);
    let binding = (!remains.binding_is_known).then_some(Need::ClusterRoleBinding);
    bundle.into_iter().chain(binding).collect()
}

/// Plans what goes. Carrying the plan out again changes nothing.
pub fn plan(remains: &Remains, now: Timestamp) -> Plan {
    let mut plan = what_goes(remains, now);
    if plan.failure.is_none() && plan.needs.is_empty() && !remains.terminating {
        plan.forgets = match plan.look_again {
            _ if remains.exists == Some(true) => Forgotten::Absence,
            None => Forgotten::Cluster,
            Some(_) => Forgotten::Nothing,
        };
    }
    plan
}

fn what_goes(remains: &Remains, now: Timestamp) -> Plan {
    let mut plan = Plan::default();
    if let Some((need, why)) = remains.unanswered.first() {
        let what = match need {
            Need::ResourceExists => "whether the Kafka resource is gone",
            Need::TrustBundle => "whose the trust bundle of the cluster is",
            _ => "what is left of the cluster",
        };
        plan.failure = Some(format!("{what} is not known: {why}"));
        return plan;
    }
    if remains.exists == Some(true) {
        // Another operator looks after it, or it was made anew and its pass is on the way.
        return plan;
    }
    let questions = questions(remains);
    if !questions.is_empty() {
        return Plan::asking(questions);
    }
    if is_orphaned(remains) {
        plan.waiting_for.push("a Kafka resource: it was deleted without its objects".to_owned());
        return plan;
    }
    match &remains.topics {
        None => return Plan::asking(vec![Need::HeldTopics]),
        Some(Ok(topics)) => release(remains, topics, now, &mut plan),
        Some(Err(_)) => plan.look_again = Some(Duration::from_secs(RETRY_SECONDS)),
    }
    if remains.terminating {
        return plan;
    }
    let unwanted = deletions(remains);
    let gone_for = remains.gone_since.map_or(0, |since| now.as_second() - since.as_second());
    match u64::try_from(GRACE_SECONDS - gone_for).ok().filter(|left| *left > 0) {
        Some(left) if !unwanted.is_empty() => plan.look_again_in(left),
        _ => plan.delete = unwanted,
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
/// its references away. One of the objects that always have an owner is enough to tell it: users may have deleted the others.
fn is_orphaned(remains: &Remains) -> bool {
    let cluster = &remains.name;
    if let Some(has_owner) = bundle_has_owner(remains) {
        return !has_owner;
    }
    let secrets = [
        names::cluster_operator_certs_secret(cluster),
        names::entity_operator::topic_operator_certs_secret(cluster),
        names::entity_operator::user_operator_certs_secret(cluster),
    ];
    let config_maps = [
        names::entity_operator::topic_operator_config_map(cluster),
        names::entity_operator::user_operator_config_map(cluster),
    ];
    let others = [
        names::kafka(cluster),
        names::bootstrap_service(cluster),
        names::brokers_service(cluster),
        names::kafka_network_policy(cluster),
        names::entity_operator::deployment(cluster),
    ];
    // A Role of Kafka's pods comes from another operator.
    let of_others = remains.others.iter().filter(|(object, _)| {
        object.namespace.as_ref() == Some(&remains.namespace)
            && others.contains(&object.name)
            && object.kind != "Role"
    });
    let secrets = secrets.iter().filter_map(|name| remains.secrets.get(name).map(|secret| secret.meta()));
    let config_maps =
        config_maps.iter().filter_map(|name| remains.config_maps.get(name).map(|map| map.meta()));
    let mut owned =
        secrets.chain(config_maps).map(LiveObject::of).chain(of_others.map(|(_, facts)| facts.clone()));
    owned.any(|facts| facts.made_by_operator && !facts.owned)
}

/// Whether a Kafka resource owns the trust bundle; `None`: there is no bundle.
fn bundle_has_owner(remains: &Remains) -> Option<bool> {
    let bundle = remains.secrets.get(&names::trust_bundle_secret(&remains.name))?;
    Some(bundle.metadata.owner_references.iter().flatten().any(|owner| owner.kind == kinds::KAFKA))
}

fn release(remains: &Remains, topics: &[HeldTopic], now: Timestamp, plan: &mut Plan) {
    let proven = had_a_resource(remains);
    for topic in topics {
        if !topic.finalizers.iter().any(|one| one == annotations::FINALIZER_TOPIC_OPERATOR) {
            continue;
        }
        // A topic operator that runs alone serves topics of a cluster that never had a resource. It answers a deletion
        // within seconds; a topic that waits for longer has no operator.
        if !proven {
            let Some(deleted_at) = topic.deleted_at else { continue };
            let left = PATIENCE_SECONDS - (now.as_second() - deleted_at.as_second());
            if let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) {
                plan.look_again_in(left);
                continue;
            }
        }
        plan.finalizers.extend(held_topic::removal(topic));
    }
}

/// Whether there was a Kafka resource of that name: only then its topics are ours to release. Secrets and ConfigMaps with
/// its name prove nothing: users copy them to where their applications run.
fn had_a_resource(remains: &Remains) -> bool {
    remains.terminating
        || remains.seen
        || bundle_has_owner(remains) == Some(true)
        || remains.pools
        || remains.pod_sets.values().any(|set| is_kafkas(set.metadata.labels.as_ref()))
}

fn is_kafkas(all: Option<&BTreeMap<String, String>>) -> bool {
    all.and_then(|all| all.get(labels::KIND)).is_some_and(|kind| kind == kinds::KAFKA)
}

/// What the pools own, but their claims, and what nothing can own.
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
        found.push(deletion(&StrimziPodSet::api_version(&()), kinds::STRIMZI_POD_SET, &set.metadata));
    }
    for secret in remains.secrets.values().filter(|secret| is_of_pool(&***secret)) {
        found.push(deletion("v1", "Secret", &secret.metadata));
    }
    for map in remains.config_maps.values().filter(|map| is_of_pool(&***map)) {
        found.push(deletion("v1", "ConfigMap", &map.metadata));
    }
    let outside = remains
        .others
        .iter()
        .filter(|(other, facts)| other.namespace.as_ref() != Some(&remains.namespace) && !facts.shared);
    found.extend(outside.map(|(other, facts)| Deletion { object: other.clone(), uid: facts.uid.clone() }));
    found
}

fn is_of_pool<K: Resource>(object: &K) -> bool {
    object.meta().owner_references.iter().flatten().any(|owner| owner.kind == kinds::KAFKA_NODE_POOL)
}

#[cfg(test)]
#[path = "deleted_cluster_tests.rs"]
mod tests;
