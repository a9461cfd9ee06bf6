//! Secrets.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

/// Content of a Secret before it is encoded.
pub(crate) type Data = BTreeMap<String, Vec<u8>>;

/// A Secret with this content.
pub(crate) fn opaque(data: Data) -> Secret {
    let data = data.into_iter().map(|(key, value)| (key, ByteString(value))).collect();
    Secret { type_: Some("Opaque".to_owned()), data: Some(data), ..Secret::default() }
}

/// The text under a key of a Secret.
pub(crate) fn text(secret: &Secret, key: &str) -> Option<String> {
    let bytes = secret.data.as_ref()?.get(key)?;
    String::from_utf8(bytes.0.clone()).ok().filter(|text| !text.trim().is_empty())
}
