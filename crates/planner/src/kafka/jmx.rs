//! User and password of remote JMX: made once, and kept as they are in their Secret from then on.

use api::names;
use objects::DesiredObject;
use pki::{Material, MaterialRequest, SecretPem};

use super::certificates::text;
use super::cluster::Cluster;
use super::objects::secret::{self, Data};
use super::observed::Observed;

/// The keys of the Secret.
const KEYS: [&str; 2] = [names::keys::JMX_USERNAME, names::keys::JMX_PASSWORD];

/// Characters of the user name, and of the password.
const LENGTH: usize = 16;

/// What has to be made first.
pub fn requests(cluster: &Cluster, observed: &Observed) -> Vec<MaterialRequest> {
    if !cluster.jmx.is_some_and(|jmx| jmx.password) {
        return Vec::new();
    }
    let missing = KEYS.into_iter().filter(|key| value(cluster, observed, key).is_none());
    missing.map(|key| MaterialRequest::Password { id: key.to_owned(), length: LENGTH }).collect()
}

/// The Secret; `None`: there is none to be, or something has to be made first.
pub fn secret(cluster: &Cluster, observed: &Observed) -> Option<DesiredObject> {
    cluster.jmx.filter(|jmx| jmx.password)?;
    let mut data = Data::new();
    for key in KEYS {
        data.insert(key.to_owned(), value(cluster, observed, key)?.0.into_bytes());
    }
    Some(secret::jmx(cluster, data))
}

/// What stands in the live Secret, else what was made.
fn value(cluster: &Cluster, observed: &Observed, key: &str) -> Option<SecretPem> {
    let live = observed.secrets.get(&names::kafka_jmx_secret(&cluster.name));
    live.and_then(|secret| text(secret, key)).map(SecretPem).or_else(|| match observed.made.get(key) {
        Some(Material::Text(made)) => Some(made.clone()),
        _ => None,
    })
}
