//! Gathers what planning one cluster depends on. Reads only: the caches, and past them just the Secrets and ConfigMaps
//! of others that the resource refers to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use api::Kafka;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Resource, ResourceExt};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::foreign::Remembered;
use operator_runtime::watch::{Cache, ObjectRef};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::observed::{Observed, PlanSettings};
use crate::caches::{self, Caches};

/// Observes clusters. One for the whole process.
pub struct Observer {
    caches: Caches,
    applier: Applier,
    settings: Arc<PlanSettings>,
    secrets: Remembered<Secret>,
    config_maps: Remembered<ConfigMap>,
}

impl Observer {
    /// From the caches.
    pub fn new(caches: Caches, applier: Applier, settings: Arc<PlanSettings>) -> Self {
        Self { caches, applier, settings, secrets: Remembered::default(), config_maps: Remembered::default() }
    }

    /// Everything but Kafka's own state.
    pub async fn observe(&self, key: &ObjectRef, kafka: Arc<Kafka>) -> Result<Observed, ApplyError> {
        let mut pools: Vec<_> = caches::of_cluster(&self.caches.pools, key).into_values().collect();
        pools.sort_by_key(|pool| pool.name_any());
        let mut pods = caches::of_cluster(&self.caches.pods, key);
        pods.retain(|_, pod| pod.labels().get(api::labels::KIND).is_some_and(|kind| kind == "Kafka"));
        let mut secrets = caches::of_cluster(&self.caches.secrets, key);
        let mut config_maps = caches::of_cluster(&self.caches.config_maps, key);
        let references = References::of(&kafka, &pools);
        let foreign = &self.caches.foreign_secrets;
        self.fetch(key, &references.secrets, foreign, &self.secrets, &mut secrets).await?;
        let foreign = &self.caches.foreign_config_maps;
        self.fetch(key, &references.config_maps, foreign, &self.config_maps, &mut config_maps).await?;
        Ok(Observed {
            kafka: Some(kafka),
            pools,
            pod_sets: caches::of_cluster(&self.caches.pod_sets, key),
            pods,
            claims: caches::of_cluster(&self.caches.claims, key),
            secrets,
            config_maps,
            deployments: caches::of_cluster(&self.caches.deployments, key),
            others: self.caches.plain_of(key),
            expandable_storage_classes: None,
            view: None,
            made: BTreeMap::new(),
            settings: Arc::clone(&self.settings),
        })
    }

    /// Adds the named objects to `found`. One that does not exist is left out: planning says what misses it.
    async fn fetch<K>(
        &self,
        cluster: &ObjectRef,
        names: &BTreeSet<String>,
        versions: &Cache<String>,
        remembered: &Remembered<K>,
        found: &mut BTreeMap<String, Arc<K>>,
    ) -> Result<(), ApplyError>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        for name in names {
            if found.contains_key(name) {
                continue;
            }
            let key = ObjectRef::new(&cluster.namespace, name);
            let Some(version) = versions.get(&key) else { continue };
            if let Some(object) = remembered.get(&key, &version, &self.applier, |object: K| object).await? {
                found.insert(name.clone(), object);
            }
        }
        Ok(())
    }
}

/// Names of the Secrets and ConfigMaps that a cluster refers to.
#[derive(Debug, Default, PartialEq)]
pub struct References {
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
}

impl References {
    /// Of a Kafka resource and its pools.
    pub fn of(kafka: &Kafka, pools: &[Arc<api::KafkaNodePool>]) -> Self {
        let mut references = Self::default();
        references.collect(&serde_json::to_value(&kafka.spec).unwrap_or_default());
        for pool in pools {
            references.collect(&serde_json::to_value(&pool.spec).unwrap_or_default());
        }
        references
    }

    /// Whether one of the names is among them.
    pub fn contain(&self, name: &str) -> bool {
        self.secrets.contains(name) || self.config_maps.contains(name)
    }

    /// A reference has the same form wherever it stands: `secretName`, `secretKeyRef.name`, `configMapKeyRef.name`.
    fn collect(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (field, inner) in fields {
                    let name = || inner.get("name").and_then(Value::as_str).map(ToOwned::to_owned);
                    match field.as_str() {
                        "secretName" => self.secrets.extend(inner.as_str().map(ToOwned::to_owned)),
                        "secretKeyRef" => self.secrets.extend(name()),
                        "configMapKeyRef" => self.config_maps.extend(name()),
                        _ => self.collect(inner),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            _ => {}
        }
    }
}
