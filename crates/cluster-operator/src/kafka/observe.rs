//! Gathers what planning one cluster depends on. Reads only: the caches, and past them just the Secrets and ConfigMaps
//! of others that the resource refers to.

mod last_references;
mod remains;
mod topics;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::kinds;
use api::{Kafka, KafkaNodePool};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::limits::{Largest, Limits};
use operator_runtime::memory;
use operator_runtime::referenced_objects::Remembered;
use operator_runtime::watch::ObjectRef;

use self::last_references::LastReferences;
use crate::caches::owners;
use crate::caches::{self, Caches};
use crate::node_pools;
use crate::reference_room::{ReferenceRoom, fetch, too_many};
use planner::kafka::exposed::{Exposed, has_own_services};
use planner::kafka::observed::NotRead;
use planner::kafka::observed::Observed;
use planner::kafka::older::implied;
use planner::kafka::references::References;
use planner::kafka::watched_namespace;
use planner::settings::PlanSettings;

/// Observes clusters. One for the whole process.
pub struct Observer {
    caches: Caches,
    applier: Applier,
    settings: Arc<PlanSettings>,
    secrets: Remembered<Secret>,
    config_maps: Remembered<ConfigMap>,
    referred: LastReferences,
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
            referred: LastReferences::default(),
            largest,
        }
    }

    /// Everything but Kafka's own state; and how many bytes of memory take what the resource refers to. `None`: the cache of node pools is
    /// behind.
    pub async fn observe(
        &self,
        key: &ObjectRef,
        kafka: Arc<Kafka>,
    ) -> Result<Option<(Observed, usize)>, ApplyError> {
        let owner = caches::kafka(key);
        // Whose a pool is depends on them too: held from here on, each is decoded once.
        let pod_sets = self.caches.pod_sets_of(&owner);
        let pools = node_pools::of_cluster(&self.caches, key);
        let deleted = node_pools::deleted(&self.caches.pools, &self.applier, key, &pools, &pod_sets).await?;
        let Some(deleted_pools) = deleted else { return Ok(None) };
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
            deleted_pools,
            pod_sets,
            pods,
            claims: self.caches.claims_of(&owner),
            secrets,
            config_maps,
            deployments: self.caches.deployments_of(&owner),
            others: self.caches.plain_of(&owner),
            exposed: Exposed { services, routes, tls_routes, ..Exposed::default() },
            issuance: self.caches.issuance_of(&owner),
            watch_grants,
            not_read,
            settings: Arc::clone(&self.settings),
            ..Observed::default()
        };
        Ok(Some((observed, room.taken())))
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
            let kind = set.labels().get(api::labels::KIND).map_or(kinds::KAFKA, String::as_str);
            if cluster != key.name || kind != kinds::KAFKA {
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
}
