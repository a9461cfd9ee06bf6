//! The custom resource that an object belongs to.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube_core::{Resource, ResourceExt};

/// Labels or annotations.
pub type Pairs = BTreeMap<String, String>;

/// A resource of any kind that objects are made for. They are in its namespace and go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// For instance `kafka.strimzi.io/v1`.
    pub api_version: String,
    /// For instance `Kafka`.
    pub kind: String,
    /// Name of the resource.
    pub name: String,
    /// Namespace of the resource, and of the objects.
    pub namespace: String,
    /// UID of the resource.
    pub uid: String,
    /// The labels of the resource that its objects carry too.
    pub labels: Pairs,
    /// Further resources that the objects belong to: they go with the last of all.
    pub beside: Vec<Self>,
}

impl Owner {
    /// A resource of the kind `K`.
    pub fn new<K: Resource<DynamicType = ()>>(
        name: &str,
        namespace: &str,
        uid: &str,
        labels: &Pairs,
    ) -> Self {
        Self {
            api_version: K::api_version(&()).into_owned(),
            kind: K::kind(&()).into_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            uid: uid.to_owned(),
            labels: labels.clone(),
            beside: Vec::new(),
        }
    }

    /// With another resource, so that the objects go when both are gone.
    #[must_use]
    pub fn beside(mut self, other: &Self) -> Self {
        self.beside.push(other.clone());
        self
    }

    /// A live resource that hands on none of its labels.
    pub fn of<K: Resource<DynamicType = ()>>(resource: &K) -> Self {
        let (namespace, uid) = (resource.namespace().unwrap_or_default(), resource.uid().unwrap_or_default());
        Self::new::<K>(&resource.name_any(), &namespace, &uid, &Pairs::new())
    }

    /// The entries in the metadata of the objects, by which the garbage collector deletes them after all of these resources.
    pub fn references(&self) -> Vec<OwnerReference> {
        std::iter::once(self).chain(&self.beside).map(Self::reference).collect()
    }

    /// The entry for the resource itself.
    pub fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(false),
            block_owner_deletion: Some(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    #[test]
    fn a_resource_of_any_kind_is_an_owner() {
        let none = Pairs::new();
        let kafka = Owner::new::<api::Kafka>("c", "ns", "u", &none).reference();
        assert_eq!((kafka.api_version.as_str(), kafka.kind.as_str()), ("kafka.strimzi.io/v1", "Kafka"));
        let pool = Owner::new::<api::KafkaNodePool>("p", "ns", "v", &none);
        let both = pool.clone().beside(&Owner::new::<api::Kafka>("c", "ns", "u", &none));
        assert_eq!(both.references(), [pool.reference(), kafka.clone()]);
        let connect = Owner::new::<api::KafkaConnect>("c", "ns", "u", &none).reference();
        assert_eq!(connect, OwnerReference { kind: "KafkaConnect".to_owned(), ..kafka });
        let mut live = ConfigMap::default();
        live.metadata.name = Some("m".to_owned());
        live.metadata.namespace = Some("ns".to_owned());
        live.metadata.uid = Some("u".to_owned());
        live.metadata.labels = Some([("team".to_owned(), "a".to_owned())].into());
        assert_eq!(Owner::of(&live), Owner::new::<ConfigMap>("m", "ns", "u", &none));
    }
}
