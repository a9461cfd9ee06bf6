//! Gathers what planning workers of Kafka Connect, or a bridge, depends on. Reads only: the caches, and past them just the Secrets and ConfigMaps that
//! the resource refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Resource;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::limits::Limits;
use operator_runtime::memory;
use operator_runtime::referenced_objects::Remembered;
use operator_runtime::watch::{ObjectRef, OwnerRef};
use planner::live_object::LiveObjects;
use planner::references::References;
use planner::settings::PlanSettings;
use planner::workers::observed::ObservedWorkers;
use planner::workers::plan_size::{self, Repeated};

use crate::caches::Caches;
use crate::deleted_pods::{DeletedPods, uids};
use crate::pod_set::errors::PodErrors;
use crate::reference_room::{ReferenceRoom, fetch, too_many};
use crate::room::{Place, Room};
use crate::unreadable;

/// Observes workers of Kafka Connect. One for the whole process.
pub(crate) struct Observer {
    caches: Caches,
    applier: Applier,
    settings: Arc<PlanSettings>,
    secrets: Remembered<Secret>,
    config_maps: Remembered<ConfigMap>,
    pod_errors: PodErrors,
    room: Room,
}

impl Observer {
    /// From its parts. What resources refer to is read within the limits.
    pub(crate) fn new(
        caches: Caches,
        applier: Applier,
        settings: Arc<PlanSettings>,
        limits: &Limits,
        pod_errors: PodErrors,
        room: Room,
    ) -> Self {
        let (largest, budget) = (limits.largest_secret, &limits.budget);
        Self {
            caches,
            applier,
            settings,
            secrets: Remembered::within(largest, budget.clone(), memory::size_of),
            config_maps: Remembered::within(largest, budget.clone(), memory::size_of),
            pod_errors,
            room,
        }
    }

    /// Everything that is known without asking, and what the resource refers to, with the room that a plan takes; `None`: there is no
    /// room now.
    pub(crate) async fn observe(
        &self,
        owner: &OwnerRef,
        references: References,
        repeated: Repeated,
        deleted_pods: &DeletedPods,
    ) -> Result<Option<(ObservedWorkers, Place)>, ApplyError> {
        let Some(place) = self.room.enter_to_read(self.caches.bytes_of(owner)) else { return Ok(None) };
        let (mut observed, bytes) = self.read(owner, references, repeated).await?;
        let live = uids(observed.pods.values());
        observed.restarted = deleted_pods.still_shown(&self.applier, &owner.object, &live).await?;
        Ok(self.room.widen(place, 0, bytes).map(|place| (observed, place)))
    }

    /// Everything but the pods that were deleted, and how many bytes a plan takes.
    async fn read(
        &self,
        owner: &OwnerRef,
        references: References,
        repeated: Repeated,
    ) -> Result<(ObservedWorkers, usize), ApplyError> {
        let key = &owner.object;
        let bytes = self.caches.bytes_of(owner);
        let mut observed = ObservedWorkers {
            namespace: key.namespace.clone(),
            settings: Arc::clone(&self.settings),
            unreadable: unreadable::too_much(bytes, self.caches.largest_cluster),
            ..ObservedWorkers::default()
        };
        if observed.unreadable.is_some() {
            return Ok((observed, 0));
        }
        observed.unreadable = unreadable::parts_of(&self.caches, owner);
        observed.pod_sets = self.caches.pod_sets_of(owner);
        observed.pods = self.caches.pods_of(owner);
        observed.deployments = self.caches.deployments_of(owner);
        observed.secrets = self.caches.secrets_of(owner);
        observed.config_maps = self.caches.config_maps_of(owner);
        observed.builds = self.caches.builds_of(owner);
        observed.build_configs = self.caches.build_configs_of(owner);
        observed.others = self.caches.plain_of(owner);
        observed.pod_errors = self.pod_errors.of_sets(&key.namespace, observed.pod_sets.keys());
        let referred = self.referred(key, references, bytes, &mut observed).await?;
        let most = self.caches.largest_cluster.bytes;
        let planned = plan_size::of(repeated, referred, most, &mut observed);
        Ok((observed, bytes + planned))
    }

    /// What the resource refers to: Secrets of clusters are in a cache, all others are read once per version.
    async fn referred(
        &self,
        key: &ObjectRef,
        mut references: References,
        bytes: usize,
        observed: &mut ObservedWorkers,
    ) -> Result<usize, ApplyError> {
        let most = self.caches.most_references;
        let beyond = references.split_off(most);
        let all = |names: BTreeSet<String>| -> BTreeMap<String, String> {
            names.into_iter().map(|name| (name, too_many(most))).collect()
        };
        observed.unread_secrets = all(beyond.secrets);
        observed.unread_config_maps = all(beyond.config_maps);
        let mut room = ReferenceRoom::beside(bytes, self.caches.largest_cluster);
        let foreign = &self.caches.referenced_config_maps;
        let (names, found) = (&references.config_maps, &mut observed.referred_config_maps);
        let read = fetch(&self.applier, key, names, foreign, &self.config_maps, &mut room, found);
        observed.unread_config_maps.extend(read.await?);
        for name in &references.secrets {
            if let Some(secret) = self.caches.secrets.get(&ObjectRef::new(&key.namespace, name)) {
                observed.referred_secrets.insert(name.clone(), secret);
            }
        }
        let foreign = &self.caches.referenced_secrets;
        let (names, found) = (&references.secrets, &mut observed.referred_secrets);
        let read = fetch(&self.applier, key, names, foreign, &self.secrets, &mut room, found);
        observed.unread_secrets.extend(read.await?);
        Ok(room.taken())
    }

    /// What is left of a resource that is gone and that Kubernetes does not collect. `None`: there is such a resource, of
    /// another operator's, or that cannot be found out now.
    pub(crate) async fn left_behind<K>(&self, owner: &OwnerRef) -> Result<Option<LiveObjects>, ApplyError>
    where
        K: Resource<DynamicType = ()>,
    {
        let key = &owner.object;
        let mut left = self.caches.plain_of(owner);
        left.retain(|object, _| object.namespace.is_none());
        if left.is_empty() {
            return Ok(Some(left));
        }
        let exists = self.applier.metadata::<K>(key).await?.is_some();
        Ok((!exists).then_some(left))
    }
}
