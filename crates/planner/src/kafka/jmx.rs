//! User and password of remote JMX: the password is made once, and both are kept as they are in their Secret from then on.

use api::conditions::reasons;
use api::{labels, names};
use k8s_openapi::api::core::v1::Secret;
use objects::DesiredObject;
use pki::{Material, MaterialRequest, SecretPem};

use super::certificates::authority::precondition;
use super::certificates::text;
use super::cluster::{Cluster, Warning};
use super::objects::secret::{self, Data};
use super::observed::Observed;
use crate::ownership::{self, Holding};

/// Characters of a password that is made.
const LENGTH: usize = 16;

/// What has to be made first.
pub fn requests(cluster: &Cluster, observed: &Observed) -> Vec<MaterialRequest> {
    let wanted = cluster.jmx.is_some_and(|jmx| jmx.password) && !is_hidden(cluster, observed);
    let key = names::keys::JMX_PASSWORD;
    let missing = wanted && in_secret(cluster, observed, key).is_none() && made(observed, key).is_none();
    missing.then(|| MaterialRequest::Password { id: key.to_owned(), length: LENGTH }).into_iter().collect()
}

/// The Secret; `None`: there is none to be, something has to be made first, or what is in it is not known.
pub fn secret(cluster: &Cluster, observed: &Observed) -> Option<DesiredObject> {
    cluster.jmx.filter(|jmx| jmx.password && !is_hidden(cluster, observed))?;
    let (user_key, key) = (names::keys::JMX_USERNAME, names::keys::JMX_PASSWORD);
    let user = in_secret(cluster, observed, user_key);
    let password = in_secret(cluster, observed, key);
    let is_whole = user.is_some() && password.is_some();
    // The JVM reads who may do what at its start alone: where the Secret was lost, the user stays the same.
    let user = user.unwrap_or_else(|| names::JMX_USER.to_owned());
    let password = password.map(SecretPem).or_else(|| made(observed, key))?;
    let data =
        Data::from([(user_key.to_owned(), user.into_bytes()), (key.to_owned(), password.0.into_bytes())]);
    let mut secret = secret::jmx(cluster, data);
    if !is_whole {
        secret.precondition = precondition(live(cluster, observed));
    }
    Some(secret)
}

/// Says that the Secret is there and cannot be found by its labels.
pub fn warning(cluster: &Cluster, observed: &Observed) -> Option<Warning> {
    let wanted = cluster.jmx.is_some_and(|jmx| jmx.password);
    (wanted && is_hidden(cluster, observed)).then(|| Warning {
        reason: reasons::FOREIGN_OBJECT.to_owned(),
        message: format!(
            "Secret {} has lost the labels by which this operator finds it, and is left as it is: put the labels {}: {} and \
             {}: {} back, or delete it, and a new password is made",
            names::kafka_jmx_secret(&cluster.name),
            labels::CLUSTER,
            cluster.name,
            labels::KIND,
            "Kafka",
        ),
    })
}

/// Whether there is such a Secret of the cluster's that does not carry its labels: what is in it is not known.
fn is_hidden(cluster: &Cluster, observed: &Observed) -> bool {
    if live(cluster, observed).is_some() {
        return false;
    }
    let name = names::kafka_jmx_secret(&cluster.name);
    observed.holders.iter().any(|(object, holder)| {
        let is_it = object.kind == "Secret" && object.name == name;
        let Some(holder) = holder.as_ref().filter(|_| is_it) else { return false };
        let holding = |_: &_| Holding::Held(Box::new(holder.clone()));
        ownership::look(&cluster.claimant(), [object], holding).0.is_empty()
    })
}

fn live<'a>(cluster: &Cluster, observed: &'a Observed) -> Option<&'a Secret> {
    observed.secrets.get(&names::kafka_jmx_secret(&cluster.name)).map(AsRef::as_ref)
}

fn in_secret(cluster: &Cluster, observed: &Observed, key: &str) -> Option<String> {
    live(cluster, observed).and_then(|secret| text(secret, key))
}

fn made(observed: &Observed, key: &str) -> Option<SecretPem> {
    match observed.made.get(key) {
        Some(Material::Text(made)) => Some(made.clone()),
        _ => None,
    }
}
