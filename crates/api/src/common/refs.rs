//! References to keys of Secrets and ConfigMaps.

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, SecretKeySelector};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{Embedded, JsonSchema};

/// A key of a Secret: `name`, `key` and `optional`. A name or key that is left out reads as empty.
pub type SecretKeyRef = SecretKeySelector;
/// A key of a ConfigMap: `name`, `key` and `optional`. A name or key that is left out reads as empty.
pub type ConfigMapKeyRef = ConfigMapKeySelector;

/// Content of a ConfigMap.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapSource {
    /// The key of the ConfigMap, which is in the namespace of the resource.
    #[schemars(with = "Option<Embedded<ConfigMapKeyRef>>")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}

/// Content of a Secret.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretSource {
    /// The key of the Secret, which is in the namespace of the resource.
    #[schemars(with = "Option<Embedded<SecretKeyRef>>")]
    pub secret_key_ref: Option<SecretKeyRef>,
}

/// A certificate and its private key in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertAndKeyRef {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key of the Secret with the certificate (or chain), PEM.
    pub certificate: String,
    /// Key of the Secret with the private key, PEM.
    pub key: String,
}

/// A password in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordRef {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key of the Secret with the password.
    pub password: String,
}
