//! Values kept as compressed text, for caches of large objects that are read now and then.
//!
//! An object of Kubernetes takes five to ten times its text in memory: its types have hundreds of fields, most of them
//! empty, and maps with room for eleven entries. A pass reads the objects of one cluster, and there may be hundreds of
//! clusters: what nobody reads at the moment is kept as text, which LZ4 halves or better, and is decoded when it is read.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value of a cache.
pub(super) enum Held<T> {
    /// As it is.
    Whole(Arc<T>),
    /// As compressed text.
    Packed(Packed),
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Whole(value) => Self::Whole(Arc::clone(value)),
            Self::Packed(packed) => Self::Packed(packed.clone()),
        }
    }
}

/// The JSON text of a value, compressed. Cheap to clone.
#[derive(Clone)]
pub(super) struct Packed(Arc<[u8]>);

impl fmt::Debug for Packed {
    /// Without the text, which may be that of a Secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Packed {
    /// `None` for a value that has no text.
    fn pack<T: Serialize>(value: &T) -> Option<Self> {
        let text = serde_json::to_vec(value).ok()?;
        Some(Self(lz4_flex::compress_prepend_size(&text).into()))
    }

    /// `None` for a text that is not that of such a value.
    fn unpack<T: DeserializeOwned>(&self) -> Option<T> {
        let text = lz4_flex::decompress_size_prepended(&self.0).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Bytes that it takes in memory.
    pub fn bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }
}

/// How the values of a cache are packed and unpacked.
pub(super) struct Packing<T> {
    pack: fn(&T) -> Option<Packed>,
    unpack: fn(&Packed) -> Option<T>,
}

impl<T> Packing<T> {
    /// As compressed JSON.
    pub fn json() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self { pack: Packed::pack, unpack: Packed::unpack }
    }

    /// What is kept of a value: the value itself where it has no text that can be read back, so that no object is ever
    /// missing because of how it is kept.
    pub fn hold(&self, value: &Arc<T>) -> Held<T> {
        let packed = (self.pack)(value).filter(|packed| self.unpack(packed).is_some());
        packed.map_or_else(|| Held::Whole(Arc::clone(value)), Held::Packed)
    }

    /// `None` for a text that is not that of a value of the type: it was made from one, so there is none.
    pub fn unpack(&self, packed: &Packed) -> Option<T> {
        (self.unpack)(packed)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Pod, Secret};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn round_trip<T: Serialize + DeserializeOwned>(value: T) -> T {
        let packing = Packing::json();
        match packing.hold(&Arc::new(value)) {
            Held::Packed(packed) => packing.unpack(&packed).unwrap(),
            Held::Whole(_) => panic!("it was not packed"),
        }
    }

    #[test]
    fn an_object_is_the_same_afterwards() {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "s", "labels": {"a": "b"}, "resourceVersion": "7"},
            "data": {"ca.crt": "eHh4".repeat(1000), "empty": ""}}))
        .unwrap();
        assert_eq!(round_trip(secret.clone()), secret);
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "creationTimestamp": "2026-01-02T03:04:05Z"},
            "spec": {"containers": [{"name": "kafka", "resources": {"limits": {"cpu": "250m"}},
                "ports": [{"containerPort": 9092}], "livenessProbe": {"httpGet": {"port": "health"}}}]}}))
        .unwrap();
        assert_eq!(round_trip(pod.clone()), pod);
    }

    #[test]
    fn a_packed_object_takes_a_fraction() {
        let containers: Vec<Value> = (0..3)
            .map(|number| json!({"name": format!("c{number}"), "image": "kafka", "env": [{"name": "A", "value": "b"}]}))
            .collect();
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"containers": containers}}))
                .unwrap();
        let packed = Packed::pack(&pod).unwrap();
        assert!(packed.bytes() * 20 < crate::memory::size_of(&pod), "{}", packed.bytes());
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_json_is_the_same_afterwards(value in value()) {
            prop_assert_eq!(round_trip(value.clone()), value);
        }
    }
}
