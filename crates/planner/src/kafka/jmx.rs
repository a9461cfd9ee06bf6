//! User and password of remote JMX of the nodes.

use api::names;
use objects::DesiredObject;
use pki::MaterialRequest;

use super::cluster::Cluster;
use super::objects::secret;
use super::observed::Observed;
use crate::process::jmx_secret::Known;

/// What has to be made first.
pub fn requests(cluster: &Cluster, observed: &Observed) -> Vec<MaterialRequest> {
    if !cluster.jmx.is_some_and(|jmx| jmx.password) {
        return Vec::new();
    }
    known(cluster, observed).requests()
}

/// The Secret; `None`: there is none to be, or something has to be made first.
pub fn secret(cluster: &Cluster, observed: &Observed) -> Option<DesiredObject> {
    cluster.jmx.filter(|jmx| jmx.password)?;
    Some(secret::jmx(cluster, known(cluster, observed).data()?))
}

fn known<'a>(cluster: &Cluster, observed: &'a Observed) -> Known<'a> {
    let live = observed.secrets.get(&names::kafka_jmx_secret(&cluster.name));
    Known { live: live.map(AsRef::as_ref), made: &observed.made }
}
