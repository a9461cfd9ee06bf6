//! How much memory the objects of a cluster take for what a user wrote once and that many of them repeat, told before they are made:
//! templates and labels, the options of listeners, object overrides, the rules of the exporter.
//!
//! A resource has at most some 1.5 MB. What each broker has for each listener, or each node for each volume, can be ten thousand times
//! as much.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::common::sections::Sections;
use api::common::storage::{StorageType, VolumeType};
use api::kafka::listeners::{Listener, ListenerConfiguration, ListenerType};
use api::kafka::template::KafkaClusterTemplate;
use api::kafka_node_pool::ProcessRole;
use api::{Kafka, KafkaNodePool};
use kube_core::ResourceExt;
use serde::Serialize;

use super::observed::Observed;
use crate::process::exporter_rules;

/// What an object takes beside what users wrote: its names, labels and owner, as it is wanted and as it is written.
const OBJECT: usize = 4000;

/// What a value takes in memory beside its text.
const VALUE: usize = 24;

/// Copies of what a user wrote in an object: in the object as it is wanted, and in the request that writes it.
const COPIES: usize = 2;

/// Copies of a patch: in the object that it is laid over, in the object as it is read back, and in what is compared.
const COPIES_OF_PATCH: usize = 4;

/// Objects of a kind that no node has for itself: those of the cluster, of its entity operator, its exporter, its proxies.
const OF_CLUSTER: usize = 40;

/// Bytes of what is repeated, by the field that it comes from.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct MadeSize {
    parts: BTreeMap<String, usize>,
}

impl MadeSize {
    /// Of the objects of a cluster.
    pub fn of(observed: &Observed) -> Self {
        let mut size = Self::default();
        let Some(kafka) = observed.kafka.as_deref() else { return size };
        let shared = Shared::of(kafka);
        let (mut nodes, mut claims, mut services, mut routes) = (0, 0, 0, 0);
        for pool in &observed.pools {
            let wished = usize::try_from(pool.spec.replicas).unwrap_or_default();
            let of_pool = wished.min(observed.settings.max_nodes.saturating_sub(nodes));
            nodes += of_pool;
            let pool = Repeating::of(&shared, pool, of_pool);
            claims += size.claims(&pool);
            let (more_services, more_routes) = size.listeners(&pool);
            services += more_services;
            routes += more_routes;
        }
        if observed.settings.object_overrides {
            size.overrides(kafka, |kind| match kind {
                "Pod" => nodes,
                "PersistentVolumeClaim" => claims,
                "Service" => OF_CLUSTER + services,
                "Ingress" | "Route" | "TLSRoute" => routes,
                _ => OF_CLUSTER + nodes,
            });
        }
        size.rules(kafka, observed, nodes);
        size
    }

    /// All of it. Bytes.
    pub fn bytes(&self) -> usize {
        self.parts.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// The field that makes most of it.
    pub fn largest(&self) -> Option<&str> {
        let largest = self.parts.iter().filter(|(_, bytes)| **bytes > 0).max_by_key(|(_, bytes)| **bytes);
        largest.map(|(field, _)| field.as_str())
    }

    fn add(&mut self, field: impl Into<String>, times: usize, bytes: usize) {
        let part = self.parts.entry(field.into()).or_default();
        *part = part.saturating_add(times.saturating_mul(bytes));
    }

    /// A template of objects, and the labels of the resource that they belong to.
    fn metadata(&mut self, pool: &Repeating<'_>, section: &str, times: usize) {
        if let Some(bytes) = pool.templates.get(section) {
            self.add(format!("KafkaNodePool {} spec.template.{section}", pool.name), times, COPIES * bytes);
        } else if let Some(bytes) = pool.shared.templates.get(section) {
            self.add(format!("spec.kafka.template.{section}"), times, COPIES * bytes);
        }
        self.add("metadata.labels", times, COPIES * pool.labels);
    }

    /// The claims of the nodes; how many there are.
    fn claims(&mut self, pool: &Repeating<'_>) -> usize {
        let storage = &pool.raw.spec.storage;
        let field = format!("KafkaNodePool {} spec.storage", pool.name);
        let mut claims = 0;
        match storage.type_ {
            StorageType::Ephemeral => {}
            StorageType::PersistentClaim => {
                claims = 1;
                self.add(&field, pool.nodes, OBJECT + COPIES * weight(storage));
            }
            StorageType::Jbod => {
                for volume in storage.volumes.iter().flatten() {
                    if volume.type_ == VolumeType::PersistentClaim {
                        claims += 1;
                        self.add(&field, pool.nodes, OBJECT + COPIES * weight(volume));
                    }
                }
            }
        }
        self.metadata(pool, "persistentVolumeClaim", pool.nodes * claims);
        pool.nodes * claims
    }

    /// What leads to the listeners; the numbers of Services and of Ingresses and routes.
    fn listeners(&mut self, pool: &Repeating<'_>) -> (usize, usize) {
        if !pool.raw.spec.roles.contains(&ProcessRole::Broker) {
            return (0, 0);
        }
        let (mut services, mut routes) = (0, 0);
        for (index, (type_, bytes)) in pool.shared.listeners.iter().enumerate() {
            let route = match type_ {
                ListenerType::Internal => continue,
                ListenerType::Ingress => Some("perPodIngress"),
                ListenerType::Route | ListenerType::TlsRoute => Some("perPodRoute"),
                ListenerType::ClusterIp | ListenerType::NodePort | ListenerType::LoadBalancer => None,
            };
            let each = OBJECT + COPIES * bytes;
            let field = format!("spec.kafka.listeners[{index}]");
            for section in [Some("perPodService"), route].into_iter().flatten() {
                self.add(&field, pool.nodes, each);
                self.metadata(pool, section, pool.nodes);
            }
            services += pool.nodes;
            routes += if route.is_some() { pool.nodes } else { 0 };
        }
        (services, routes)
    }

    /// Patches, each as often as there are objects of its kind.
    fn overrides(&mut self, kafka: &Kafka, objects: impl Fn(&str) -> usize) {
        for (key, patch) in kafka.spec.object_overrides.iter().flatten() {
            let (kind, name) = key.split_once('/').unwrap_or((key, "*"));
            let times = if name.ends_with('*') { objects(kind) } else { 1 };
            self.add("spec.objectOverrides", times, COPIES_OF_PATCH * weight(patch));
        }
    }

    fn rules(&mut self, kafka: &Kafka, observed: &Observed, nodes: usize) {
        let from = kafka.spec.kafka.metrics_config.as_ref().and_then(|metrics| metrics.value_from.as_ref());
        let Some(reference) = from.and_then(|from| from.config_map_key_ref.as_ref()) else { return };
        let data = observed.config_maps.get(&reference.name).and_then(|map| map.data.as_ref());
        if let Some(text) = data.and_then(|data| data.get(&reference.key)) {
            let field = format!("key {:?} of ConfigMap {:?}", reference.key, reference.name);
            self.add(field, nodes, COPIES * exporter_rules::expanded(text));
        }
    }
}

/// Takes the templates out that each pool would have a copy of. Those of Secrets stay: certificates are renewed also while a resource is
/// refused.
pub fn leave_out(observed: &mut Observed) {
    let Some(kafka) = observed.kafka.as_mut() else { return };
    let Some(KafkaClusterTemplate { cluster_ca_cert, jmx_secret, .. }) = kafka.spec.kafka.template.clone()
    else {
        return;
    };
    let kept = KafkaClusterTemplate { cluster_ca_cert, jmx_secret, ..KafkaClusterTemplate::default() };
    Arc::make_mut(kafka).spec.kafka.template = Some(kept);
}

/// What the Kafka resource says for all pools.
struct Shared {
    /// Bytes of the templates, by the name of the section.
    templates: BTreeMap<&'static str, usize>,
    /// Bytes of the labels.
    labels: usize,
    /// Types of the listeners, and bytes of what they say of the objects of every broker.
    listeners: Vec<(ListenerType, usize)>,
}

impl Shared {
    fn of(kafka: &Kafka) -> Self {
        let spec = &kafka.spec.kafka;
        let listeners = spec.listeners.iter().map(|listener| (listener.type_, of_every_broker(listener)));
        Self {
            templates: templates(spec.template.as_ref()),
            labels: weight(&kafka.metadata.labels),
            listeners: listeners.collect(),
        }
    }
}

/// A pool whose nodes repeat what is written once.
struct Repeating<'a> {
    shared: &'a Shared,
    raw: &'a KafkaNodePool,
    name: String,
    nodes: usize,
    /// Bytes of its own templates, by the name of the section.
    templates: BTreeMap<&'static str, usize>,
    /// Bytes of the labels of its objects.
    labels: usize,
}

impl<'a> Repeating<'a> {
    fn of(shared: &'a Shared, raw: &'a KafkaNodePool, nodes: usize) -> Self {
        Self {
            shared,
            raw,
            name: raw.name_any(),
            nodes,
            templates: templates(raw.spec.template.as_ref()),
            labels: weight(&raw.metadata.labels).max(shared.labels),
        }
    }
}

fn templates(template: Option<&impl Sections>) -> BTreeMap<&'static str, usize> {
    let all = template.into_iter().flat_map(Sections::metadata);
    all.map(|(section, metadata)| (section, weight(metadata))).collect()
}

/// What a listener says of the objects of every broker.
fn of_every_broker(listener: &Listener) -> usize {
    let Some(configuration) = &listener.configuration else { return 0 };
    let ListenerConfiguration {
        load_balancer_source_ranges,
        finalizers,
        per_broker_annotations_template,
        per_broker_labels_template,
        host_template,
        parent_refs,
        ..
    } = configuration;
    weight(load_balancer_source_ranges)
        + weight(finalizers)
        + weight(per_broker_annotations_template)
        + weight(per_broker_labels_template)
        + weight(host_template)
        + weight(parent_refs)
}

/// About how many bytes a value takes.
fn weight(value: &impl Serialize) -> usize {
    let text = serde_json::to_string(value).unwrap_or_default();
    let values = text.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    text.len() + values * VALUE
}
