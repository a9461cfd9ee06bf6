//! Gathers what planning one cluster depends on. Reads only: the caches, and past them just the Secrets and ConfigMaps
//! of others that the resource refers to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use api::{Kafka, KafkaNodePool, KafkaTopic};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use objects::ObjectId;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::env::Namespaces;
use operator_runtime::limits::{Largest, Limits};
use operator_runtime::memory;
use operator_runtime::named_object::Named;
use operator_runtime::referenced_objects::Remembered;
use operator_runtime::watch::ObjectRef;

use crate::caches::owners;
use crate::caches::{self, Caches};
use crate::node_pools;
use crate::reference_room::{ReferenceRoom, fetch, too_many};
use planner::kafka::deleted_cluster;
use planner::kafka::deleted_cluster::Remains;
use planner::kafka::exposed::{Exposed, has_own_services};
use planner::kafka::held_topic::HeldTopic;
use planner::kafka::observed::NotRead;
use planner::kafka::observed::Observed;
use planner::kafka::older::implied;
use planner::kafka::references::References;
use planner::kafka::watched_namespace;
use planner::live_object::LiveObject;
use planner::settings::PlanSettings;

/// Observes clusters. One for the whole process.
pub struct Observer {
    caches: Caches,
    applier: Applier,
    settings: Arc<PlanSettings>,
    secrets: Remembered<Secret>,
    config_maps: Remembered<ConfigMap>,
    referred: Referred,
    /// The bound for one Secret or ConfigMap.
    largest: Largest,
}

impl Observer {
    /// From the caches. What resources refer to is read within the limits.
    pub fn new(caches: Caches, applier: Applier, settings: Arc<PlanSettings>, limits: &Limits) -> Self {
        let (largest, budget) = (limits.largest_secret, &limits.budget);
        Self {
            caches,
            applier,
            settings,
            secrets: Remembered::within(largest, budget.clone(), memory::size_of),
            config_maps: Remembered::within(largest, budget.clone(), memory::size_of),
            referred: Referred::default(),
            largest,
        }
    }

    /// Everything but Kafka's own state; and how many bytes of memory take what the resource refers to.
    pub async fn observe(&self, key: &ObjectRef, kafka: Arc<Kafka>) -> Result<(Observed, usize), ApplyError> {
        let owner = caches::kafka(key);
        // Whose a pool is depends on them too: held from here on, each is decoded once.
        let pod_sets = self.caches.pod_sets_of(&owner);
        let pools = node_pools::of_cluster(&self.caches, key);
        let (pools, pools_of_others) = (pools.own.into_values().collect::<Vec<_>>(), pools.of_others);
        let pods = self.caches.pods_of(&owner);
        let mut secrets = self.caches.secrets_of(&owner);
        let mut config_maps = self.caches.config_maps_of(&owner);
        let mut references = References::of(&kafka);
        let most = self.caches.most_references;
        let beyond = references.split_off(most);
        let all = |names: BTreeSet<String>| names.into_iter().map(|name| (name, too_many(most))).collect();
        let mut not_read = NotRead {
            secrets: all(beyond.secrets),
            config_maps: all(beyond.config_maps),
            ..NotRead::default()
        };
        let mut room = ReferenceRoom::beside(self.caches.bytes_of(&owner), self.caches.largest_cluster);
        let (names, found) = (&references.config_maps, &mut config_maps);
        let referenced = &self.caches.referenced_config_maps;
        let read = fetch(&self.applier, key, names, referenced, &self.config_maps, &mut room, found);
        not_read.config_maps.extend(read.await?);
        let watch_grants = self.watch_grants(&kafka, &mut room, &mut not_read).await?;
        let (names, found) = (&references.secrets, &mut secrets);
        let referenced = &self.caches.referenced_secrets;
        let read = fetch(&self.applier, key, names, referenced, &self.secrets, &mut room, found);
        not_read.secrets.extend(read.await?);
        self.drop_copies(&key.namespace, &self.referred.now(key, references));
        let (routes, tls_routes) = self.caches.routes_of(&owner);
        let services =
            if has_own_services(&kafka) { self.caches.services_of(&owner) } else { BTreeMap::new() };
        let observed = Observed {
            pod_sets_of_others: self.pod_sets_of_others(key, &kafka, &pools),
            kafka: Some(kafka),
            pools,
            pools_of_others,
            pod_sets,
            pods,
            claims: self.caches.claims_of(&owner),
            secrets,
            config_maps,
            deployments: self.caches.deployments_of(&owner),
            others: self.caches.plain_of(&owner),
            exposed: Exposed { services, routes, tls_routes, ..Exposed::default() },
            watch_grants,
            not_read,
            settings: Arc::clone(&self.settings),
            ..Observed::default()
        };
        Ok((observed, room.taken()))
    }

    /// What it takes to renew the certificates of a cluster whose objects take too much memory to be read: `why`, in words. Nothing else
    /// can be decided from it.
    pub fn observe_certificates(&self, key: &ObjectRef, kafka: Arc<Kafka>, why: String) -> Observed {
        // Half of what a cluster may take is enough for those of any number of nodes, and leaves the rest to its pools.
        let room = self.caches.largest_cluster.bytes / 2;
        let pools = self.caches.labelled_pools_within(key, room);
        let secrets = api::names::secrets_of_kafka(&key.name);
        Observed {
            kafka: Some(kafka),
            pools: pools.into_values().collect(),
            secrets: self.caches.secrets_within(&caches::kafka(key), &secrets, room),
            incomplete: Some(why),
            settings: Arc::clone(&self.settings),
            ..Observed::default()
        }
    }

    /// Pod sets of other clusters that have the names of those that the pools need, each with whose it is.
    fn pod_sets_of_others(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        pools: &[Arc<KafkaNodePool>],
    ) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        let implied = implied::pool_names(kafka).map(str::to_owned);
        for pool in pools.iter().map(|pool| pool.name_any()).chain(implied) {
            let name = api::names::pod_set(&key.name, &pool);
            let Some(set) = self.caches.pod_sets.get(&ObjectRef::new(&key.namespace, &name)) else {
                continue;
            };
            let cluster = owners::cluster_of(&*set).unwrap_or_default();
            let kind = set.labels().get(api::labels::KIND).map_or("Kafka", String::as_str);
            if cluster != key.name || kind != "Kafka" {
                found.insert(name, format!("{kind} {cluster}"));
            }
        }
        found
    }

    /// The grants of the other namespaces that the entity operator is to work in.
    async fn watch_grants(
        &self,
        kafka: &Kafka,
        room: &mut ReferenceRoom,
        not_read: &mut NotRead,
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, ApplyError> {
        let mut grants = BTreeMap::new();
        for namespace in watched_namespace::others(kafka) {
            let grant = ObjectRef::new(&namespace, api::watch_grant::NAME);
            let Some(version) = self.caches.referenced_config_maps.get(&grant) else {
                self.config_maps.forget(&grant);
                continue;
            };
            let whole = |object: ConfigMap| object;
            let Some(found) = self.config_maps.get(&grant, &version, &self.applier, whole).await? else {
                continue;
            };
            match room.take(found) {
                Ok(grant) => drop(grants.insert(namespace, grant.data.clone().unwrap_or_default())),
                Err(why) => drop(not_read.watch_grants.insert(namespace, why)),
            }
        }
        Ok(grants)
    }

    /// Forgets what a cluster that is gone referred to.
    pub fn forget(&self, key: &ObjectRef) {
        self.drop_copies(&key.namespace, &self.referred.now(key, References::default()));
    }

    /// Drops the copies of Secrets and ConfigMaps to which the cluster no longer refers. A cluster that needs the same object reads it
    /// again in its next pass.
    fn drop_copies(&self, namespace: &str, unused: &References) {
        for name in &unused.secrets {
            self.secrets.forget(&ObjectRef::new(namespace, name));
        }
        for name in &unused.config_maps {
            self.config_maps.forget(&ObjectRef::new(namespace, name));
        }
    }

    /// Whether volumes of a storage class may grow; `None`: it may not be read.
    pub async fn may_grow(&self, class: &str) -> Result<Option<bool>, ApplyError> {
        match self.applier.get::<StorageClass>(&ObjectRef::new("", class)).await {
            Ok(class) => Ok(Some(class.and_then(|class| class.allow_volume_expansion).unwrap_or(false))),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What caches have of a cluster that goes; `terminating`: its resource is marked for deletion, `seen`: this process saw it,
    /// `gone_since`: since when it knows that there is none.
    pub fn remains(
        &self,
        key: &ObjectRef,
        terminating: bool,
        seen: bool,
        gone_since: Option<Timestamp>,
    ) -> Remains {
        let owner = caches::kafka(key);
        Remains {
            namespace: key.namespace.clone(),
            name: key.name.clone(),
            terminating,
            seen,
            gone_since,
            pools: self.caches.has_labelled_pools(key),
            pod_sets: self.caches.pod_sets_of(&owner),
            secrets: self.caches.secrets_of(&owner),
            config_maps: self.caches.config_maps_of(&owner),
            others: self.caches.plain_of(&owner),
            binding_is_known: self.caches.cluster_role_bindings.cache.is_ready(),
            ..Remains::default()
        }
    }

    /// Whether there is a Kafka resource, whatever the selector leaves out.
    pub async fn exists(&self, key: &ObjectRef) -> Result<bool, ApplyError> {
        Ok(self.applier.metadata::<Kafka>(key).await?.is_some())
    }

    /// The metadata of the trust bundle of a cluster, past the cache.
    pub async fn trust_bundle(&self, key: &ObjectRef) -> Result<Option<Box<ObjectMeta>>, ApplyError> {
        let bundle = ObjectRef::new(&key.namespace, api::names::trust_bundle_secret(&key.name));
        let found = self.applier.get_within::<Secret>(&bundle, self.largest).await?;
        Ok(found.map(|found| match found {
            Named::Readable(secret) => Box::new(secret.metadata),
            Named::Unreadable(found) => Box::new(found.metadata.clone()),
        }))
    }

    /// The one cluster-wide object, past the cache. An installation for single namespaces may not have the right to read it, and then
    /// never made one.
    pub async fn cluster_role_binding(
        &self,
        key: &ObjectRef,
    ) -> Result<Option<(ObjectId, LiveObject)>, ApplyError> {
        let name = api::names::kafka_init_cluster_role_binding(&key.namespace, &key.name);
        let name = ObjectRef::new("", name);
        match self.applier.get::<ClusterRoleBinding>(&name).await {
            Ok(Some(found)) if caches::cluster_of_binding(&found).as_ref() == Some(key) => {
                let object = self.caches.cluster_role_bindings.reference(name);
                Ok(Some((object, LiveObject::of(&found.metadata))))
            }
            Ok(_) => Ok(None),
            Err(error) if error.is_forbidden() => Ok(None),
            Err(error) => Err(error),
        }
    }

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

/// What each cluster referred to when it was last looked at.
#[derive(Debug, Default)]
struct Referred(Mutex<HashMap<ObjectRef, References>>);

impl Referred {
    /// Notes what a cluster refers to now, and returns what it no longer refers to.
    fn now(&self, key: &ObjectRef, references: References) -> References {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(key).unwrap_or_default();
        let unused = References {
            secrets: before.secrets.difference(&references.secrets).cloned().collect(),
            config_maps: before.config_maps.difference(&references.config_maps).cloned().collect(),
        };
        if references != References::default() {
            all.insert(key.clone(), references);
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(secrets: &[&str]) -> References {
        References {
            secrets: secrets.iter().map(ToString::to_string).collect(),
            config_maps: BTreeSet::from(["metrics".to_owned()]),
        }
    }

    #[test]
    fn what_a_cluster_no_longer_refers_to_is_known_once() {
        let (referred, key) = (Referred::default(), ObjectRef::new("ns", "c"));
        assert_eq!(referred.now(&key, references(&["a", "b"])), References::default());
        let only_b = References { secrets: BTreeSet::from(["b".to_owned()]), ..References::default() };
        assert_eq!(referred.now(&key, references(&["a"])), only_b);
        // Gone.
        assert_eq!(referred.now(&key, References::default()), references(&["a"]));
        assert_eq!(referred.now(&key, References::default()), References::default());
        assert!(referred.0.lock().unwrap().is_empty());
    }
}
