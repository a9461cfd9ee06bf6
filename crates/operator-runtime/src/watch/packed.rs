//! Values kept as compressed text, for caches of large objects that are read now and then.
//!
//! An object of Kubernetes takes five to ten times its text in memory: its types have hundreds of fields, most of them
//! empty, and maps with room for eleven entries. A pass reads the objects of one cluster, and there may be hundreds of
//! clusters: what nobody reads at the moment is kept as text, which LZ4 halves or better, and is decoded when it is read. The
//! objects of one kind are much alike, so that most of the text of one is found in that of another.

use std::fmt;
use std::sync::{Arc, OnceLock};

use lz4_flex::block::{compress_prepend_size_with_dict, decompress_size_prepended_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
    fn pack(text: &[u8], sample: &[u8]) -> Self {
        Self(compress_prepend_size_with_dict(text, sample).into())
    }

    /// `None` for what was not packed in this way.
    fn unpack(&self, sample: &[u8]) -> Option<Vec<u8>> {
        decompress_size_prepended_with_dict(&self.0, sample).ok()
    }

    /// Bytes that it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.0.len() + 2 * size_of::<usize>()
    }
}

/// Longest sample. Bytes.
const LONGEST_SAMPLE: usize = 16 * 1024;

/// How the values of a cache are packed and unpacked.
pub(super) struct Packing<T> {
    write: fn(&T) -> Option<Vec<u8>>,
    read: fn(&[u8]) -> Option<T>,
    sample_of: fn(&T) -> Vec<u8>,
    /// A text that the others of the cache are like: what they have in common with it takes no memory. That of the first object,
    /// for good: what is packed can be read with the same sample only.
    sample: OnceLock<Box<[u8]>>,
}

impl<T> Packing<T> {
    /// As compressed JSON.
    pub(super) fn json() -> Self
    where
        T: Serialize + DeserializeOwned,
    {
        Self {
            write: |value| serde_json::to_vec(value).ok(),
            // As text, as answers of the API server are: the reader of a type is in the program once.
            read: |text| serde_json::from_str(std::str::from_utf8(text).ok()?).ok(),
            sample_of: sample,
            sample: OnceLock::new(),
        }
    }

    /// What is kept of a value: the value itself where it has no text that can be read back, so that no object is ever
    /// missing because of how it is kept.
    pub(super) fn hold(&self, value: &Arc<T>) -> Held<T> {
        let packed = self.pack(value).filter(|packed| self.unpack(packed).is_some());
        packed.map_or_else(|| Held::Whole(Arc::clone(value)), Held::Packed)
    }

    /// `None` for a value that has no text.
    fn pack(&self, value: &T) -> Option<Packed> {
        let text = (self.write)(value)?;
        let sample = self.sample.get_or_init(|| (self.sample_of)(value).into());
        Some(Packed::pack(&text, sample))
    }

    /// `None` for a text that is not that of a value of the type: it was made from one, so there is none.
    pub(super) fn unpack(&self, packed: &Packed) -> Option<T> {
        (self.read)(&packed.unpack(self.sample.get()?)?)
    }
}

/// The text of an object as a sample. Of a Secret nothing that is secret: a sample outlives the object.
fn sample<T: Serialize>(value: &T) -> Vec<u8> {
    let mut value = serde_json::to_value(value).unwrap_or_default();
    if value["kind"] == "Secret"
        && let Some(fields) = value.as_object_mut()
    {
        fields.retain(|name, _| ["apiVersion", "kind", "metadata", "type"].contains(&name.as_str()));
        // `kubectl apply` writes all of an object there.
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("annotations");
        }
    }
    let mut text = serde_json::to_vec(&value).unwrap_or_default();
    text.truncate(LONGEST_SAMPLE);
    text
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
    use proptest::prelude::*;
    use serde_json::json;

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
        let packed = Packing::json().pack(&pod).unwrap();
        assert!(packed.bytes() * 20 < crate::memory::size_of(&pod), "{}", packed.bytes());
    }

    #[test]
    fn objects_that_are_alike_take_little_beside_the_first_one() {
        let map = |name: &str, number: usize| -> ConfigMap {
            let lines: Vec<String> =
                (0..50).map(|line| format!("an.option.{line}={}", line * number)).collect();
            serde_json::from_value(json!({"metadata": {"name": name}, "data": {"file": lines.join("\n")}}))
                .unwrap()
        };
        let (packing, second) = (Packing::json(), map("b", 1));
        packing.pack(&map("a", 1)).unwrap();
        let alone = lz4_flex::compress_prepend_size(&serde_json::to_vec(&second).unwrap()).len();
        let packed = packing.pack(&second).unwrap();
        assert!(packed.bytes() * 3 < alone, "{} of {alone}", packed.bytes());
        assert_eq!(packing.unpack(&packed), Some(second));
    }

    #[test]
    fn the_sample_of_a_cache_of_secrets_holds_no_secret() {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "s", "labels": {"a": "b"}, "annotations": {"all": "of-it"}},
            "data": {"ca.key": "c2VjcmV0"}, "stringData": {"password": "secret"}}))
        .unwrap();
        let text = String::from_utf8(sample(&secret)).unwrap();
        assert!(text.contains("\"a\":\"b\""), "{text}");
        for hidden in ["c2VjcmV0", "secret\"", "of-it"] {
            assert!(!text.contains(hidden), "{text}");
        }
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
