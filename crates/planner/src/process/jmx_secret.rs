//! User and password of remote JMX: made once, and kept as they are in their Secret from then on.

use std::collections::BTreeMap;

use api::names;
use k8s_openapi::api::core::v1::Secret;
use pki::{Material, MaterialRequest, SecretPem};

use crate::workload::secret::{Data, text};

/// The keys of the Secret.
const KEYS: [&str; 2] = [names::keys::JMX_USERNAME, names::keys::JMX_PASSWORD];

/// Characters of the user name, and of the password.
const LENGTH: usize = 16;

/// What of the Secret is known.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The live Secret.
    pub live: Option<&'a Secret>,
    /// What was made in this pass, by identifier.
    pub made: &'a BTreeMap<String, Material>,
}

impl Known<'_> {
    /// What has to be made first.
    pub fn requests(&self) -> Vec<MaterialRequest> {
        let missing = KEYS.into_iter().filter(|key| self.value(key).is_none());
        missing.map(|key| MaterialRequest::Password { id: key.to_owned(), length: LENGTH }).collect()
    }

    /// The content of the Secret; `None`: something has to be made first.
    pub fn data(&self) -> Option<Data> {
        let mut data = Data::new();
        for key in KEYS {
            data.insert(key.to_owned(), self.value(key)?.0.into_bytes());
        }
        Some(data)
    }

    /// What stands in the live Secret, else what was made.
    fn value(&self, key: &str) -> Option<SecretPem> {
        self.live.and_then(|secret| text(secret, key)).map(SecretPem).or_else(|| match self.made.get(key) {
            Some(Material::Text(made)) => Some(made.clone()),
            _ => None,
        })
    }
}
