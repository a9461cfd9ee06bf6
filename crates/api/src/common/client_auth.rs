//! How Kafka Connect, MirrorMaker 2 and the bridge connect to Kafka.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::refs::{CertAndKeyRef, PasswordRef};
use crate::schema::{Free, FreeMap, JsonSchema, string_enum};

/// TLS towards Kafka.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientTls {
    /// Certificates that Kafka's certificate must be signed by. With an empty list the public authorities of the
    /// Java virtual machine are trusted.
    pub trusted_certificates: Option<Vec<TrustedCertificate>>,
}

/// Certificates of a Secret.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "certificate": {} }, "required": ["certificate"] },
    { "properties": { "pattern": {} }, "required": ["pattern"] }
]))]
pub struct TrustedCertificate {
    /// Name of the Secret.
    pub secret_name: String,
    /// Key of the Secret with the certificate. Either this or `pattern` must be set.
    pub certificate: Option<String>,
    /// Glob of the keys of the Secret with certificates, for example `*.crt`.
    pub pattern: Option<String>,
}

/// How a client proves to Kafka who it is.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientAuthentication {
    /// `tls` shows a certificate, `scram-sha-256`, `scram-sha-512` and `plain` a user name and a password, `custom`
    /// whatever `config` says.
    #[serde(rename = "type")]
    pub type_: ClientAuthenticationType,
    /// The certificate and its key (`tls`).
    pub certificate_and_key: Option<CertAndKeyRef>,
    /// The user name (`scram-sha-256`, `scram-sha-512`, `plain`).
    pub username: Option<String>,
    /// The password (`scram-sha-256`, `scram-sha-512`, `plain`).
    pub password_secret: Option<PasswordRef>,
    /// Whether SASL is used (`custom`).
    pub sasl: Option<bool>,
    /// Client options that start with `ssl.keystore.` or `sasl.` (`custom`).
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
}

string_enum! {
    /// How a client proves who it is.
    ClientAuthenticationType {
        /// A certificate.
        Tls = "tls",
        /// A password, SCRAM with SHA-256.
        ScramSha256 = "scram-sha-256",
        /// A password, SCRAM with SHA-512.
        ScramSha512 = "scram-sha-512",
        /// A password, sent as it is.
        Plain = "plain",
        /// A token of OAuth 2.0, in a resource of an older version.
        Oauth = "oauth",
        /// By any other means.
        Custom = "custom",
    }
}
