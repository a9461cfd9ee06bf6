//! What is left of a cluster whose Kafka resource goes or is gone: in the caches, and what is asked for past them.

use api::Kafka;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::ObjectId;
use operator_runtime::apply::ApplyError;
use operator_runtime::named_object::Named;
use operator_runtime::watch::ObjectRef;
use planner::kafka::deleted_cluster::Remains;
use planner::live_object::LiveObject;

use super::Observer;
use crate::caches;

impl Observer {
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
}
