//! The resource that an object belongs to.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::cache::ObjectRef;

/// The custom resource that an object was made for, by kind, namespace and name. Resources of two kinds may have one name in
/// one namespace: neither has anything to do with what is the other's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnerRef {
    /// For instance `KafkaConnect`.
    pub kind: String,
    /// Its namespace and name.
    pub object: ObjectRef,
}

impl OwnerRef {
    /// From its parts.
    pub fn new(kind: impl Into<String>, object: ObjectRef) -> Self {
        Self { kind: kind.into(), object }
    }

    /// The owner that the labels `strimzi.io/kind` and `strimzi.io/cluster` of an object name; `None`: one of them is missing.
    pub fn of_labels(metadata: &ObjectMeta) -> Option<Self> {
        let labels = metadata.labels.as_ref()?;
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let object = ObjectRef::new(namespace, labels.get(api::labels::CLUSTER)?);
        Some(Self { kind: labels.get(api::labels::KIND)?.clone(), object })
    }
}

impl fmt::Display for OwnerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_named_by_kind_and_name_together() {
        let object = |labels: &[(&str, &str)]| ObjectMeta {
            namespace: Some("ns".to_owned()),
            labels: Some(
                labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            ),
            ..ObjectMeta::default()
        };
        let connect = object(&[("strimzi.io/cluster", "c"), ("strimzi.io/kind", "KafkaConnect")]);
        let owner = OwnerRef::of_labels(&connect).unwrap();
        assert_eq!(owner, OwnerRef::new("KafkaConnect", ObjectRef::new("ns", "c")));
        assert_ne!(owner, OwnerRef::new("Kafka", ObjectRef::new("ns", "c")));
        assert_eq!(OwnerRef::of_labels(&object(&[("strimzi.io/cluster", "c")])), None);
    }
}
