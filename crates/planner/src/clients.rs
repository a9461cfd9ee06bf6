//! How anything that is not a broker reaches Kafka: Connect's workers, both sides of a mirror, the bridge. Nothing about trust
//! or SASL is written twice.
//!
//! [`Access::read`] reads the sections of a resource, [`Access::refer`] names the Secrets that are to be observed,
//! [`credentials::resolve`] reads these, [`options`] writes the properties and [`files`] says where in a pod the files are that
//! the properties name. No value of a Secret gets into a property: passwords are placeholders that the agent resolves.

pub mod credentials;
pub mod files;
mod glob;
pub mod login;
pub mod options;
mod read;

use std::collections::BTreeMap;

use crate::references::References;

/// How a client reaches a Kafka cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Access {
    /// Addresses to begin with.
    pub bootstrap_servers: String,
    /// Path of the section of the resource, for instance `spec` or `spec.target`.
    pub section: String,
    /// Whom it trusts.
    pub trust: Trust,
    /// How it proves who it is.
    pub authentication: Authentication,
}

/// Whom a client trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Nothing is encrypted.
    NoTls,
    /// The public authorities that the Java virtual machine knows.
    PublicAuthorities,
    /// These certificates.
    Certificates(Vec<TrustedKeys>),
}

/// Keys of a Secret with trusted certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKeys {
    /// Path of the item.
    pub field: String,
    /// The Secret.
    pub secret: String,
    /// Which of its keys.
    pub keys: Keys,
}

/// Which keys of a Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// This one.
    One(String),
    /// All that the pattern matches, of which there must be one.
    Matching(String),
}

/// How a client proves who it is.
#[derive(Debug, Clone, PartialEq)]
pub enum Authentication {
    /// It does not.
    None,
    /// By a certificate.
    Certificate {
        /// The Secret.
        secret: String,
        /// The key with the certificate.
        certificate: String,
        /// The key with the private key.
        key: String,
    },
    /// By a password.
    Password {
        /// In which way.
        mechanism: Mechanism,
        /// The user.
        username: String,
        /// The Secret.
        secret: String,
        /// The key with the password.
        key: String,
    },
    /// By options of the user's own.
    Custom {
        /// Whether SASL is used.
        sasl: bool,
        /// Options that begin with `sasl.` or `ssl.keystore.`.
        options: BTreeMap<String, String>,
    },
}

/// In which way a password is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// SCRAM with SHA-256.
    ScramSha256,
    /// SCRAM with SHA-512.
    ScramSha512,
    /// The password itself is sent.
    Plain,
}

impl Access {
    /// Adds the Secrets that have to be observed.
    pub fn refer(&self, references: &mut References) {
        if let Trust::Certificates(all) = &self.trust {
            references.secrets.extend(all.iter().map(|trusted| trusted.secret.clone()));
        }
        references.secrets.extend(self.own_secret().map(str::to_owned));
    }

    /// The Secret with what the client proves itself by.
    pub fn own_secret(&self) -> Option<&str> {
        match &self.authentication {
            Authentication::Certificate { secret, .. } | Authentication::Password { secret, .. } => {
                Some(secret)
            }
            Authentication::None | Authentication::Custom { .. } => None,
        }
    }

    /// Whether the client trusts certificates that Secrets name.
    pub fn has_own_trust(&self) -> bool {
        matches!(self.trust, Trust::Certificates(_))
    }
}
