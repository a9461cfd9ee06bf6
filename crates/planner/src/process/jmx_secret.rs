//! User and password of remote JMX: the password is made once, and both are kept as they are in their Secret from then on.

use std::collections::BTreeMap;

use api::names;
use k8s_openapi::api::core::v1::Secret;
use pki::{Material, MaterialRequest, SecretPem};

use crate::workload::secret::{Data, text};

/// Characters of a password that is made.
const LENGTH: usize = 16;

/// What of the Secret is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The live Secret.
    pub live: Option<&'a Secret>,
    /// What was made in this pass, by identifier.
    pub made: &'a BTreeMap<String, Material>,
}

impl Known<'_> {
    /// What has to be made first.
    pub(crate) fn requests(&self) -> Vec<MaterialRequest> {
        let key = names::keys::JMX_PASSWORD;
        let missing = self.password().is_none();
        missing
            .then(|| MaterialRequest::Password { id: key.to_owned(), length: LENGTH })
            .into_iter()
            .collect()
    }

    /// The content of the Secret; `None`: something has to be made first.
    pub(crate) fn data(&self) -> Option<Data> {
        // The JVM reads who may do what at its start alone: where the Secret was lost, the user stays the same.
        let user = self.in_secret(names::keys::JMX_USERNAME).unwrap_or_else(|| names::JMX_USER.to_owned());
        let password = self.password()?.0;
        let texts = [(names::keys::JMX_USERNAME, user), (names::keys::JMX_PASSWORD, password)];
        Some(texts.map(|(key, text)| (key.to_owned(), text.into_bytes())).into())
    }

    /// Whether the live Secret has it all.
    pub(crate) fn is_whole(&self) -> bool {
        let keys = [names::keys::JMX_USERNAME, names::keys::JMX_PASSWORD];
        keys.into_iter().all(|key| self.in_secret(key).is_some())
    }

    fn in_secret(&self, key: &str) -> Option<String> {
        self.live.and_then(|secret| text(secret, key))
    }

    /// What stands in the live Secret, else what was made.
    fn password(&self) -> Option<SecretPem> {
        let key = names::keys::JMX_PASSWORD;
        self.in_secret(key).map(SecretPem).or_else(|| match self.made.get(key) {
            Some(Material::Text(made)) => Some(made.clone()),
            _ => None,
        })
    }
}
