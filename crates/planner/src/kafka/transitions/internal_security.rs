//! How the parts of a cluster talk with each other never changes while the cluster lives: nodes with and without TLS cannot talk with each
//! other, so that a roll from the one to the other would leave a cluster without a quorum.

use std::sync::Arc;

use api::{annotations, names, properties};
use k8s_openapi::api::core::v1::ConfigMap;

use crate::findings::Findings;
use crate::kafka::cluster::{Cluster, InternalSecurity};
use crate::kafka::config::server::{CONTROLLER_LISTENER, INTERNAL_CLIENT_CERTIFICATE};
use crate::kafka::observed::Observed;
use crate::kafka::validate;

/// How the parts of the observed cluster talk with each other: as those do that are there, else as the resource asks for.
pub fn in_use(observed: &Observed) -> InternalSecurity {
    let asked = || observed.kafka.as_deref().and_then(validate::asked_internal_security);
    of_existing(observed).or_else(asked).unwrap_or_default()
}

/// Gives the cluster what its parts have. Finds that the resource asks for something else.
pub(crate) fn settle(cluster: &mut Cluster, observed: &Observed, findings: &mut Findings) {
    let Some(existing) = of_existing(observed).filter(|existing| *existing != cluster.internal_security)
    else {
        return;
    };
    cluster.internal_security = existing;
    findings.problem(
        format!("metadata.annotations.{}", annotations::INTERNAL_CLUSTER_SECURITY),
        format!(
            "cannot change for a cluster that is there, since nodes of both kinds could not talk with each other: write {}, or make another \
             cluster and mirror the topics to it",
            existing.annotation()
        ),
    );
}

/// What was written down: in the status, or, where a status was lost, in the configuration of the nodes. `None`: there are no parts yet.
fn of_existing(observed: &Observed) -> Option<InternalSecurity> {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref()?.cluster_security.as_ref());
    let of_nodes = || observed.config_maps.values().find_map(of_node);
    status.and_then(InternalSecurity::of_status).or_else(of_nodes)
}

fn of_node(map: &Arc<ConfigMap>) -> Option<InternalSecurity> {
    let lines = properties::parse(map.data.as_ref()?.get(names::keys::SERVER_CONFIG)?).ok()?;
    let protocols = lines.get("listener.security.protocol.map")?;
    let (_, protocol) = protocols
        .split(',')
        .filter_map(|one| one.split_once(':'))
        .find(|(name, _)| *name == CONTROLLER_LISTENER)?;
    Some(match (protocol, lines.get(INTERNAL_CLIENT_CERTIFICATE)) {
        ("PLAINTEXT", _) => InternalSecurity::Plain,
        (_, Some("required")) => InternalSecurity::MutualTls,
        _ => InternalSecurity::Tls,
    })
}
