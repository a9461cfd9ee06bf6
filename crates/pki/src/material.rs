//! Keys, certificates, trust stores and identifiers that a plan asks for, and what was made for it.

use serde::Serialize;

/// How a new private key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub enum KeyAlgorithm {
    /// Elliptic curve P-256 with SHA-256: small, and thousands of times cheaper to make than RSA.
    #[default]
    EcdsaP256,
    /// RSA with 2048 bits, for peers that know nothing else.
    Rsa2048,
    /// RSA with 4096 bits; making one takes seconds.
    Rsa4096,
}

impl KeyAlgorithm {
    /// Whether the key can encipher another key, which decides the key usage of its certificates.
    pub fn is_rsa(self) -> bool {
        !matches!(self, Self::EcdsaP256)
    }
}

/// Something random or signed that has to be made, or verified; the outcome is kept under [`MaterialRequest::id`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum MaterialRequest {
    /// A new authority: `issuer::Authority::generate`-like. Yields [`Material::KeyPair`] with the self-signed certificate.
    Authority {
        /// Identifier, for instance `cluster-ca`.
        id: String,
        /// Common name, for instance `cluster-ca v0`.
        common_name: String,
        /// Organization, `io.strimzi`.
        organization: String,
        /// Days until it expires.
        validity_days: u32,
    },
    /// A new certificate for the key of an existing authority. Yields [`Material::KeyPair`] with that key.
    RenewedAuthority {
        /// Identifier, for instance `cluster-ca`.
        id: String,
        /// Common name.
        common_name: String,
        /// Organization.
        organization: String,
        /// Days until it expires.
        validity_days: u32,
        /// The key to keep.
        key: SecretPem,
    },
    /// A leaf certificate signed by an authority. Yields [`Material::KeyPair`]; the certificate is the leaf alone.
    Leaf {
        /// Identifier: the name of the Secret it is for.
        id: String,
        /// Common name of the subject.
        common_name: String,
        /// Organization of the subject.
        organization: String,
        /// DNS names.
        dns_names: Vec<String>,
        /// IP addresses.
        ip_addresses: Vec<std::net::IpAddr>,
        /// Days until it expires; it does not outlive the authority.
        validity_days: u32,
        /// How its key is made.
        algorithm: KeyAlgorithm,
        /// PEM certificate of the signing authority.
        authority_certificate: String,
        /// PEM key of the signing authority.
        authority_key: SecretPem,
    },
    /// A PKCS #12 trust store with these certificates under a new random password. Yields [`Material::TrustStore`].
    TrustStore {
        /// Identifier: the name of the Secret it is for.
        id: String,
        /// Alias and PEM certificate of each entry.
        certificates: Vec<(String, String)>,
        /// The password to keep, when there is one already.
        password: Option<SecretPem>,
    },
    /// A certificate that another authority signed, with its key, to be verified: that takes cryptography as well. Yields
    /// [`Material::Verified`].
    Verification {
        /// Identifier, for instance the name of the Secret that it is from.
        id: String,
        /// The certificate, and behind it those that lead to an authority, PEM.
        chain: String,
        /// Its key.
        key: SecretPem,
        /// The authorities that are trusted, PEM.
        trusted: String,
        /// For what the certificate is to be good.
        purposes: Purposes,
    },
    /// A random password of letters and digits. Yields [`Material::Text`].
    Password {
        /// Identifier, for instance `jmx-password`.
        id: String,
        /// Number of characters.
        length: usize,
    },
    /// A random Kafka UUID (22 characters of URL-safe base 64, not starting with `-`). Yields [`Material::Text`].
    Uuid {
        /// Identifier, for instance `cluster-id` or `directory-id-0`.
        id: String,
    },
}

impl MaterialRequest {
    /// The key under which the outcome is looked for.
    pub fn id(&self) -> &str {
        match self {
            Self::Authority { id, .. }
            | Self::RenewedAuthority { id, .. }
            | Self::Leaf { id, .. }
            | Self::TrustStore { id, .. }
            | Self::Verification { id, .. }
            | Self::Password { id, .. }
            | Self::Uuid { id } => id,
        }
    }
}

/// Text that must never be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPem(pub String);

impl std::fmt::Debug for SecretPem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for SecretPem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What was made for a [`MaterialRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A certificate (PEM) and its PKCS #8 key (PEM).
    KeyPair {
        /// PEM certificate.
        certificate: String,
        /// PEM key.
        key: SecretPem,
    },
    /// A PKCS #12 trust store and its password.
    TrustStore {
        /// DER bytes of the store.
        store: Vec<u8>,
        /// Its password.
        password: SecretPem,
    },
    /// The path on which the certificate was verified; or why it is of no use.
    Verified(Result<VerifiedPath, Unverified>),
    /// A UUID or a password.
    Text(SecretPem),
}

/// The path on which a certificate was verified, and nothing else of what lay beside it. PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPath {
    /// The certificate, and behind it the authorities that lead to the trusted one, in their order.
    pub certificates: String,
    /// The trusted authority.
    pub authority: String,
}

impl VerifiedPath {
    /// The whole of it, the trusted authority at the end.
    pub fn whole(&self) -> String {
        format!("{}{}", self.certificates, self.authority)
    }
}

/// Why a certificate that another authority signed is of no use, as part of a sentence about it. Nothing of a key is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// None of the trusted authorities signed it.
    #[error("its issuer {issuer:?} is not among the trusted authorities")]
    UnknownAuthority {
        /// The issuer that the last certificate on the way names.
        issuer: String,
    },
    /// Its key is that of another certificate.
    #[error("the key beside it is that of another certificate")]
    OtherKey,
    /// It must not be used for what it is needed for.
    #[error("its issuer did not allow the usages {needed}")]
    Purposes {
        /// The usages that are needed, in cert-manager's words.
        needed: &'static str,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Unusable(String),
}

/// For what a certificate is to be good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Purposes {
    /// For clients alone.
    Client,
    /// For servers, which connect to each other as well.
    ServerAndClient,
}
