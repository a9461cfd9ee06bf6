//! An object under construction: a typed body, and the metadata that all objects of a resource share.

use api::common::template::MetadataTemplate;
use api::labels;
use kube_core::Resource;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::desired::{DesiredObject, ObjectId, Precondition};
use crate::owner::{Owner, Pairs};

/// An object under construction. `K` is its type, such as a Service.
#[derive(Debug, Clone)]
pub struct Object<K> {
    /// What it says beside its metadata.
    pub body: K,
    precondition: Precondition,
}

impl<K: Resource<DynamicType = ()> + Serialize> Object<K> {
    /// A new object in the namespace of its owner. It goes with the owner, or with the last of several.
    pub fn new(owner: &Owner, name: impl Into<String>, labels: Pairs, mut body: K) -> Self {
        let metadata = body.meta_mut();
        metadata.name = Some(name.into());
        metadata.namespace = Some(owner.namespace.clone());
        metadata.labels = Some(labels);
        metadata.owner_references = Some(owner.references());
        Self { body, precondition: Precondition::None }
    }

    /// Puts it into another namespace; `None` is for cluster-wide objects. No object can have an owner in another namespace.
    pub fn namespace(mut self, namespace: Option<String>) -> Self {
        let metadata = self.body.meta_mut();
        if metadata.namespace != namespace {
            metadata.owner_references = None;
        }
        metadata.namespace = namespace;
        self
    }

    /// Makes it stay when its owner goes, if that is wanted.
    pub fn stays(mut self, stays: bool) -> Self {
        if stays {
            self.body.meta_mut().owner_references = None;
        }
        self
    }

    /// Adds a label.
    pub fn label(mut self, key: &str, value: impl Into<String>) -> Self {
        self.body.meta_mut().labels.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// Adds an annotation.
    pub fn annotation(mut self, key: &str, value: impl Into<String>) -> Self {
        self.body.meta_mut().annotations.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// Adds an annotation if there is a value for it.
    pub fn maybe_annotation(self, key: &str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.annotation(key, value),
            None => self,
        }
    }

    /// Adds the labels and annotations of a template.
    pub fn template(mut self, template: Option<&MetadataTemplate>) -> Self {
        let metadata = self.body.meta_mut();
        let annotations = metadata.annotations.get_or_insert_default();
        merge_metadata(template, metadata.labels.get_or_insert_default(), annotations);
        self
    }

    /// Says what must hold for the write.
    pub fn precondition(mut self, precondition: Precondition) -> Self {
        self.precondition = precondition;
        self
    }

    /// The object, ready to be written.
    pub fn build(mut self) -> DesiredObject {
        let metadata = self.body.meta_mut();
        metadata.annotations = metadata.annotations.take().filter(|all| !all.is_empty());
        let reference = ObjectId {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone().unwrap_or_default(),
        };
        let object = json(&self.body);
        DesiredObject { reference, object, precondition: self.precondition, beside: false }
    }
}

/// The form in which an object is sent. The types of Kubernetes have names as keys and finite numbers only, so that each of
/// them has one.
pub fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap_or_default()
}

/// An object of its type out of its JSON, by way of the text: reading the tree itself would put a second reader of each type
/// into the programs, which for a pod is as large as a small program.
///
/// # Errors
/// When it is no such object.
pub fn typed<T: DeserializeOwned>(object: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str(&object.to_string())
}

/// Adds the labels and annotations of a template to those of an object. A label of the template is closer to the object
/// than a label handed on from the custom resource; labels that the operators set themselves stay.
pub fn merge_metadata(template: Option<&MetadataTemplate>, labels: &mut Pairs, annotations: &mut Pairs) {
    let Some(template) = template else { return };
    add_labels(labels, template.labels.iter().flatten());
    for (key, value) in template.annotations.iter().flatten() {
        annotations.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// Adds labels. They replace labels of the same key, but for the labels that the operators set themselves.
pub fn add_labels<'a>(labels: &mut Pairs, more: impl IntoIterator<Item = (&'a String, &'a String)>) {
    for (key, value) in more {
        if !labels::is_set_by_operators(key) {
            labels.insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
    use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
    use serde_json::json;

    use super::*;

    fn pairs(all: &[(&str, &str)]) -> Pairs {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn owner() -> Owner {
        Owner::new::<api::Kafka>("c", "ns", "u", &Pairs::new())
    }

    #[test]
    fn an_object_is_in_the_namespace_of_its_owner_and_goes_with_it() {
        let body = ConfigMap { data: Some(pairs(&[("k", "v")])), ..ConfigMap::default() };
        let built = Object::new(&owner(), "m", pairs(&[("a", "b")]), body).build();
        assert_eq!(
            built.object,
            json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "v"},
                "metadata": {"name": "m", "namespace": "ns", "labels": {"a": "b"}, "ownerReferences": [{
                    "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "c", "uid": "u",
                    "controller": false, "blockOwnerDeletion": true,
                }]},
            })
        );
        let reference = built.reference;
        assert_eq!((reference.api_version.as_str(), reference.kind.as_str()), ("v1", "ConfigMap"));
        assert_eq!((reference.namespace.as_deref(), reference.name.as_str()), (Some("ns"), "m"));
    }

    #[test]
    fn an_object_in_another_namespace_or_that_stays_has_no_owner() {
        let account = || Object::new(&owner(), "a", Pairs::new(), ServiceAccount::default());
        let owners =
            |object: Object<ServiceAccount>| object.build().object["metadata"]["ownerReferences"].clone();
        assert!(owners(account().namespace(Some("ns".to_owned()))).is_array());
        assert!(owners(account().namespace(Some("other".to_owned()))).is_null());
        assert!(owners(account().stays(true)).is_null());
        assert!(owners(account().stays(false)).is_array());
        let wide =
            Object::new(&owner(), "a", Pairs::new(), ClusterRoleBinding::default()).namespace(None).build();
        assert_eq!(wide.reference.namespace, None);
        assert_eq!(wide.object["metadata"], json!({"name": "a", "labels": {}}));
    }

    #[test]
    fn a_template_adds_but_never_takes_over_what_the_operator_sets() {
        let template = MetadataTemplate {
            labels: Some(pairs(&[("team", "template"), ("app.kubernetes.io/name", "mine")])),
            annotations: Some(pairs(&[("own", "template"), ("more", "template")])),
        };
        let labels = pairs(&[("team", "resource"), ("app.kubernetes.io/name", "kafka")]);
        let built = Object::new(&owner(), "a", labels, ServiceAccount::default())
            .annotation("own", "operator")
            .template(Some(&template))
            .build();
        let metadata = &built.object["metadata"];
        assert_eq!(metadata["labels"], json!({"team": "template", "app.kubernetes.io/name": "kafka"}));
        assert_eq!(metadata["annotations"], json!({"own": "operator", "more": "template"}));
    }
}
