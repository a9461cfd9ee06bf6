//! User and password of remote JMX of the nodes.

use api::conditions::reasons;
use api::{labels, names};
use objects::DesiredObject;
use pki::MaterialRequest;

use super::certificates::authority::precondition;
use super::cluster::{Cluster, Warning};
use super::objects::secret;
use super::observed::Observed;
use crate::ownership::{self, Holding};
use crate::process::jmx_secret::Known;

/// What has to be made first.
pub(super) fn requests(cluster: &Cluster, observed: &Observed) -> Vec<MaterialRequest> {
    if !cluster.jmx.is_some_and(|jmx| jmx.password) || is_hidden(cluster, observed) {
        return Vec::new();
    }
    known(cluster, observed).requests()
}

/// The Secret; `None`: there is none to be, something has to be made first, or what is in it is not known.
pub(super) fn secret(cluster: &Cluster, observed: &Observed) -> Option<DesiredObject> {
    cluster.jmx.filter(|jmx| jmx.password && !is_hidden(cluster, observed))?;
    let known = known(cluster, observed);
    let mut secret = secret::jmx(cluster, known.data()?);
    if !known.is_whole() {
        secret.precondition = precondition(known.live);
    }
    Some(secret)
}

/// Says that the Secret is there and cannot be found by its labels.
pub(super) fn warning(cluster: &Cluster, observed: &Observed) -> Option<Warning> {
    let wanted = cluster.jmx.is_some_and(|jmx| jmx.password);
    (wanted && is_hidden(cluster, observed)).then(|| Warning {
        reason: reasons::FOREIGN_OBJECT.to_owned(),
        message: format!(
            "Secret {} has lost the labels by which this operator finds it, and is left as it is: put the labels {}: {} and \
             {}: Kafka back, or delete it, and a new password is made",
            names::kafka_jmx_secret(&cluster.name),
            labels::CLUSTER,
            cluster.name,
            labels::KIND,
        ),
    })
}

/// Whether there is such a Secret of the cluster's that does not carry its labels: what is in it is not known.
fn is_hidden(cluster: &Cluster, observed: &Observed) -> bool {
    if known(cluster, observed).live.is_some() {
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

fn known<'a>(cluster: &Cluster, observed: &'a Observed) -> Known<'a> {
    let live = observed.secrets.get(&names::kafka_jmx_secret(&cluster.name));
    Known { live: live.map(AsRef::as_ref), made: &observed.made }
}
