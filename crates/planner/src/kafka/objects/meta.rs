//! Metadata that all objects of a cluster share: labels, owner references, templates.

use std::collections::BTreeMap;

use api::labels::{self, DefaultLabels};
use api::names;
use serde_json::{Map, Value, json};

use crate::kafka::cluster::{Cluster, Pool};
use objects::DesiredObject;
use objects::ObjectId;
use objects::Precondition;

/// Labels or annotations.
pub type Pairs = BTreeMap<String, String>;

/// What an object belongs to.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// It goes with the Kafka resource.
    Kafka,
    /// It goes with the node pool.
    Pool(&'a Pool),
    /// It stays.
    Nobody,
}

/// The labels of an object of a component.
pub fn component_labels(cluster: &Cluster, name: &str, component_type: &str) -> Pairs {
    labelled(cluster, &cluster.labels, name, component_type)
}

/// The labels of the objects of Kafka itself.
pub fn kafka_labels(cluster: &Cluster) -> Pairs {
    component_labels(cluster, &names::kafka(&cluster.name), labels::component::KAFKA)
}

/// The labels of the objects of a pool: the pool's own labels are handed on, not those of the Kafka resource.
pub fn pool_labels(cluster: &Cluster, pool: &Pool) -> Pairs {
    let mut all = labelled(cluster, &pool.labels, &names::kafka(&cluster.name), labels::component::KAFKA);
    all.insert(labels::POOL_NAME.to_owned(), pool.name.clone());
    all
}

fn labelled(cluster: &Cluster, inherited: &Pairs, name: &str, component_type: &str) -> Pairs {
    let default = DefaultLabels {
        kind: "Kafka",
        cluster: &cluster.name,
        name,
        component_type,
        managed_by: labels::MANAGED_BY_CLUSTER_OPERATOR,
    };
    default.with(inherited)
}

/// The labels by which the pods of Kafka are selected.
pub fn kafka_selector(cluster: &Cluster) -> Pairs {
    labels::selector(&kafka_labels(cluster))
}

/// An object under construction.
pub struct Object<'a> {
    cluster: &'a Cluster,
    reference: ObjectId,
    labels: Pairs,
    annotations: Pairs,
    owner: Owner<'a>,
    body: Map<String, Value>,
    precondition: Precondition,
}

impl<'a> Object<'a> {
    /// A new object in the namespace of the cluster that goes with the Kafka resource.
    pub fn new(cluster: &'a Cluster, api_version: &str, kind: &str, name: String, labels: Pairs) -> Self {
        let reference = ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: Some(cluster.namespace.clone()),
            name,
        };
        Self {
            cluster,
            reference,
            labels,
            annotations: Pairs::new(),
            owner: Owner::Kafka,
            body: Map::new(),
            precondition: Precondition::None,
        }
    }

    /// Puts it into another namespace; `None` is for cluster-wide objects. It loses its owner.
    pub fn namespace(mut self, namespace: Option<String>) -> Self {
        if self.reference.namespace != namespace {
            self.owner = Owner::Nobody;
        }
        self.reference.namespace = namespace;
        self
    }

    /// Says what it belongs to.
    pub fn owner(mut self, owner: Owner<'a>) -> Self {
        self.owner = owner;
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: &str, value: impl Into<String>) -> Self {
        self.labels.insert(key.to_owned(), value.into());
        self
    }

    /// Adds an annotation.
    pub fn annotation(mut self, key: &str, value: impl Into<String>) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Adds the labels and annotations of a template (`{"metadata": {...}}`).
    pub fn template(mut self, template: &Value) -> Self {
        merge_metadata(template, &mut self.labels, &mut self.annotations);
        self
    }

    /// Sets a field beside `metadata`, such as `spec`.
    pub fn set(mut self, field: &str, value: Value) -> Self {
        self.body.insert(field.to_owned(), value);
        self
    }

    /// Says what must hold for the write.
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// The object, ready to be written.
    pub fn build(self) -> DesiredObject {
        let mut metadata = Map::new();
        metadata.insert("name".to_owned(), json!(self.reference.name));
        if let Some(namespace) = &self.reference.namespace {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        metadata.insert("labels".to_owned(), json!(self.labels));
        if !self.annotations.is_empty() {
            metadata.insert("annotations".to_owned(), json!(self.annotations));
        }
        if let Some(owner) = owner_reference(self.cluster, self.owner) {
            metadata.insert("ownerReferences".to_owned(), json!([owner]));
        }
        let mut object = self.body;
        object.insert("apiVersion".to_owned(), json!(self.reference.api_version));
        object.insert("kind".to_owned(), json!(self.reference.kind));
        object.insert("metadata".to_owned(), Value::Object(metadata));
        DesiredObject {
            reference: self.reference,
            object: Value::Object(object),
            precondition: self.precondition,
        }
    }
}

/// Adds the labels and annotations of a template to those of an object. A label of the template is closer to the object
/// than one that is handed on from the custom resource; those that the operators set themselves stay.
pub fn merge_metadata(template: &Value, labels: &mut Pairs, annotations: &mut Pairs) {
    let pairs = |source: &str| -> Pairs {
        let all = template["metadata"][source].as_object().into_iter().flatten();
        all.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
    };
    add_labels(labels, &pairs("labels"));
    for (key, value) in pairs("annotations") {
        annotations.entry(key).or_insert(value);
    }
}

/// Adds labels, over those of the same key except for the ones that the operators set themselves.
pub fn add_labels(labels: &mut Pairs, more: &Pairs) {
    for (key, value) in more {
        if !labels::is_set_by_operators(key) {
            labels.insert(key.clone(), value.clone());
        }
    }
}

fn owner_reference(cluster: &Cluster, owner: Owner<'_>) -> Option<Value> {
    let (kind, name, uid) = match owner {
        Owner::Kafka => ("Kafka", &cluster.name, &cluster.uid),
        Owner::Pool(pool) => ("KafkaNodePool", &pool.name, &pool.uid),
        Owner::Nobody => return None,
    };
    Some(json!({
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": kind,
        "name": name,
        "uid": uid,
        "controller": false,
        "blockOwnerDeletion": true,
    }))
}
