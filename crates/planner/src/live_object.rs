//! What is known of the live objects of a resource, whatever the kind of either.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{StrimziPodSet, StrimziPodSetSpec, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube_core::Resource;
use objects::{LentList, Live, ObjectId, Stored, json};

/// What is known of a live object of which planning does not read the body, but to compare it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a fact that the object tells by itself")]
pub struct LiveObject {
    /// Its UID.
    pub uid: Option<String>,
    /// The kind of the resource that its labels say it belongs to.
    pub kind: Option<String>,
    /// The name of the resource that its label names (`strimzi.io/cluster`).
    pub cluster: Option<String>,
    /// The component that it belongs to (`strimzi.io/name`).
    pub component: Option<String>,
    /// Whether it says that a cluster operator made it.
    pub made_by_operator: bool,
    /// Whether it belongs to a single pod.
    pub of_a_pod: bool,
    /// Whether a custom resource of the operators' owns it.
    pub owned: bool,
    /// The owner that controls it.
    pub controller: Option<NamedOwner>,
    /// Whether something of another resource refers to it too: a Role of a watched namespace.
    pub shared: bool,
    /// The whole object without its status, for comparison with the desired one; `None`: where it is kept by its type.
    pub body: Option<Arc<Stored>>,
}

/// Live objects by their names.
pub type LiveObjects = BTreeMap<ObjectId, LiveObject>;

impl LiveObject {
    /// Out of the metadata of an object.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let label = |key: &str| metadata.labels.as_ref().and_then(|all| all.get(key)).cloned();
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        Self {
            uid: metadata.uid.clone(),
            kind: label(labels::KIND),
            cluster: label(labels::CLUSTER),
            component: label(labels::NAME),
            made_by_operator: label(labels::KUBERNETES_MANAGED_BY).as_deref()
                == Some(labels::MANAGED_BY_CLUSTER_OPERATOR),
            of_a_pod: label(labels::POD_NAME).is_some(),
            owned: owners.iter().any(|owner| NamedOwner::of(owner).group == api::GROUP),
            controller: NamedOwner::controller(metadata),
            shared: false,
            body: None,
        }
    }
}

/// Adds objects of a namespace that are kept by their type.
pub fn add<'a, K>(found: &mut LiveObjects, namespace: &str, objects: impl IntoIterator<Item = &'a Arc<K>>)
where
    K: Resource<DynamicType = ()> + 'a,
{
    for object in objects {
        let metadata = object.meta();
        let id = ObjectId {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            namespace: Some(namespace.to_owned()),
            name: metadata.name.clone().unwrap_or_default(),
        };
        found.insert(id, LiveObject::of(metadata));
    }
}

/// An owner of an object, as the object names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedOwner {
    /// API group without its version.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl NamedOwner {
    /// The owner that controls an object, if there is one.
    pub fn controller(metadata: &ObjectMeta) -> Option<Self> {
        let owners = metadata.owner_references.iter().flatten();
        owners.filter(|owner| owner.controller == Some(true)).map(Self::of).next()
    }

    pub(crate) fn of(owner: &OwnerReference) -> Self {
        let group = owner.api_version.split_once('/').map(|(group, _)| group).unwrap_or_default();
        Self { group: group.to_owned(), kind: owner.kind.clone(), name: owner.name.clone() }
    }

    /// Kind and name.
    pub(crate) fn words(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }
}

/// A pod set without its pods, the largest part of all objects of a cluster, which stay where they are.
pub(crate) fn pod_set(set: &StrimziPodSet) -> Live<'_> {
    let spec = StrimziPodSetSpec { selector: set.spec.selector.clone(), pods: Vec::new() };
    let rest = StrimziPodSet { metadata: set.metadata.clone(), spec, status: None };
    Live::WithoutList(json(&rest), LentList { path: &["spec", "pods"], items: &set.spec.pods })
}
