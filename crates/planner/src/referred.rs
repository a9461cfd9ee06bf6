//! What is known of the Secrets and ConfigMaps that a resource refers to, while the resource is read.

use crate::clients::Access;
use crate::clients::credentials::{self, Credentials, Secrets};
use crate::findings::Findings;
use crate::process::exporter_rules;
use crate::references::{ConfigMapKey, ConfigMaps, text_of};

/// What is known of them.
#[derive(Debug, Clone, Copy)]
pub enum Referred<'a> {
    /// They were looked for: what is missing is a problem.
    Read {
        /// The Secrets.
        secrets: Secrets<'a>,
        /// The ConfigMaps.
        config_maps: ConfigMaps<'a>,
    },
    /// Nobody looked: the resource is judged by itself, and they are taken for given.
    TakenForGiven,
}

impl Referred<'_> {
    /// The text under a key of a ConfigMap.
    pub(crate) fn text(&self, place: &ConfigMapKey, findings: &mut Findings) -> Option<String> {
        match self {
            Self::Read { config_maps, .. } => text_of(place, config_maps, findings),
            Self::TakenForGiven => None,
        }
    }

    /// The rules of the Prometheus JMX exporter under a key of a ConfigMap.
    pub(crate) fn exporter_rules(&self, place: &ConfigMapKey, findings: &mut Findings) -> Option<String> {
        match self {
            Self::Read { config_maps, .. } => exporter_rules::read(place, config_maps, findings),
            Self::TakenForGiven => None,
        }
    }

    /// What a client trusts and proves itself by.
    pub(crate) fn credentials(&self, access: &Access, findings: &mut Findings) -> Credentials {
        match self {
            Self::Read { secrets, .. } => credentials::resolve(access, secrets, findings),
            Self::TakenForGiven => Credentials::default(),
        }
    }

    /// The same of all clients of a resource, in their order; fewer where their certificates are too much together.
    pub(crate) fn credentials_of_all<'a>(
        &'a self,
        clients: impl IntoIterator<Item = &'a Access>,
        findings: &mut Findings,
    ) -> Vec<Credentials> {
        match self {
            Self::Read { secrets, .. } => credentials::resolve_all(clients, secrets, findings),
            Self::TakenForGiven => clients.into_iter().map(|_| Credentials::default()).collect(),
        }
    }

    /// The hash of the certificate and key that a server proves itself by; `place` is the Secret, its keys and the path of the
    /// reference.
    pub(crate) fn of_server(
        &self,
        (secret, keys, field): (&str, (&str, &str), &str),
        findings: &mut Findings,
    ) -> String {
        match self {
            Self::Read { secrets, .. } => credentials::of_server(secret, keys, field, secrets, findings),
            Self::TakenForGiven => String::new(),
        }
    }
}
