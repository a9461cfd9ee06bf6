//! Keeps certificates from running out while the resource cannot be carried out.
//!
//! What runs is left as it is, so only what is there is prolonged: an authority gets a new certificate for its key, a
//! leaf a new certificate with the names it has. Nothing restarts because of it; whatever takes a restart, such as a new
//! key, waits for the correction of the resource.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{annotations, labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube_core::ResourceExt;

use super::authority::{Authority, AuthorityStep};
use super::leaf::Signing;
use super::role::Role;
use super::{
    generated, issued, leaf, leaf_owners, look_at_authority, look_at_leaf, phase, signing, traces,
    trust_bundle, trusted_by_all,
};
use crate::kafka::cluster::Cluster;
use crate::kafka::objects::secret::{self, LeafOwner};
use crate::kafka::observed::Observed;
use objects::DesiredObject;
use objects::Precondition;
use pki::MaterialRequest;

/// Looks at the certificates that are there. `cluster` is the resource as far as it can be understood. Yields what
/// must be made first, or else the Secrets to write: those that change, and no others.
pub(crate) fn prolong(
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
) -> Result<Vec<DesiredObject>, Vec<MaterialRequest>> {
    let mut cluster = cluster.clone();
    cluster.cluster_ca.replace_key = false;
    cluster.clients_ca.replace_key = false;
    let observed = without_wishes(observed);
    let may_renew = pki::in_maintenance_window(&cluster.maintenance_windows, now);
    let mut requests = Vec::new();
    let mut authorities = BTreeMap::new();
    let of_cluster_ca = traces::of_cluster_ca(&cluster, &observed, now);
    let of_clients_ca = traces::of_clients_ca(&cluster, &observed, now);
    for role in [Role::Cluster, Role::Clients] {
        // An authority that is lost or damaged is made anew when the resource can be carried out.
        if role.settings(&cluster).generate && !generated::is_whole(role, &cluster, &observed) {
            continue;
        }
        let traces = match role {
            Role::Cluster => &of_cluster_ca,
            Role::Clients => &of_clients_ca,
        };
        match look_at_authority(role, &cluster, &observed, traces, now, may_renew) {
            Ok(AuthorityStep::Ready(authority)) => drop(authorities.insert(role.name(), *authority)),
            Ok(AuthorityStep::Missing(request)) => requests.push(request),
            // An authority that the user supplies and that is not complete, or the certificates by which an issuer is trusted are not there.
            Err(_) => {
                let copied = role.settings(&cluster).issuer.as_ref();
                let copied =
                    copied.and_then(|issuer| issued::as_copied(role, issuer, &cluster, &observed, now));
                authorities.extend(copied.map(|authority| (role.name(), authority)));
            }
        }
    }
    if let Some(cluster_ca) = authorities.get_mut(Role::Cluster.name()) {
        cluster_ca.also_trust(of_cluster_ca.values());
    }
    if let Some(clients_ca) = authorities.get_mut(Role::Clients.name()) {
        clients_ca.trusted_by_all = Some(trusted_by_all(&cluster, &observed, clients_ca));
    }
    for authority in authorities.values_mut() {
        requests.extend(authority.take_store(&cluster, &observed));
    }
    let mut objects: Vec<DesiredObject> =
        authorities.values().flat_map(|authority| authority.objects(&cluster)).filter(is_new).collect();
    if let (Some(cluster_ca), Some(clients_ca)) =
        (authorities.get(Role::Cluster.name()), authorities.get(Role::Clients.name()))
        && !objects.is_empty()
    {
        objects.push(trust_bundle(&cluster, cluster_ca, clients_ca).0);
    }
    if let Some(cluster_ca) = authorities.get(Role::Cluster.name()) {
        objects.extend(leaves(&cluster, cluster_ca, &observed, may_renew, now, &mut requests));
    }
    if requests.is_empty() { Ok(objects) } else { Err(requests) }
}

fn leaves(
    cluster: &Cluster,
    authority: &Authority,
    observed: &Observed,
    may_renew: bool,
    now: Timestamp,
    requests: &mut Vec<MaterialRequest>,
) -> Vec<DesiredObject> {
    let mut objects = Vec::new();
    let mut owners = leaf_owners(cluster);
    if observed.incomplete.is_some() {
        // Of some nodes nothing but their Secret may be readable.
        let known: BTreeSet<LeafOwner> = owners.iter().map(|(owner, _)| owner.clone()).collect();
        let nodes = secrets_of_nodes(cluster, observed).into_iter().map(|pod| LeafOwner::Node { pod });
        owners.extend(nodes.filter(|owner| !known.contains(owner)).map(|owner| (owner, None)));
    }
    let found = leaf::Leaves::of(owners.iter().map(|(owner, _)| owner), cluster, observed);
    let hand_over = phase::hand_over(cluster, observed, &found, authority, now);
    for (owner, node) in owners {
        if !observed.secrets.contains_key(&owner.secret(&cluster.name)) {
            continue;
        }
        let signing = if observed.incomplete.is_none() {
            signing(&hand_over, node.is_some())
        } else {
            // Which authorities a pod trusts that cannot be read is not known. But a pod that accepts a certificate accepts
            // another one of the same authority.
            let same = found.get(&owner).present().is_some_and(|leaf| leaf.is_of_key_of(authority));
            if same { Signing::All } else { Signing::Nothing }
        };
        let wanted = leaf::WantedLeaf { owner: &owner, node, may_renew, signing, prolong: true };
        match look_at_leaf(&wanted, &found, cluster, authority, observed, now) {
            leaf::LeafStep::Ready(leaf) => {
                let object = secret::leaf(cluster, &owner, leaf.data, leaf.generation, leaf.precondition);
                objects.extend(Some(object).filter(is_new));
            }
            leaf::LeafStep::Missing(request) => requests.push(request),
            leaf::LeafStep::Held(_) => {}
        }
    }
    objects
}

/// Names of the Secrets of nodes of which nothing else may be readable: they hold a certificate under their own name.
fn secrets_of_nodes(cluster: &Cluster, observed: &Observed) -> BTreeSet<String> {
    let is_of_a_node = |name: &&String| {
        observed.secrets.get(*name).is_some_and(|secret| {
            let has = |key: String| secret.data.as_ref().is_some_and(|data| data.contains_key(&key));
            let component = secret.labels().get(labels::NAME);
            component == Some(&names::kafka(&cluster.name))
                && has(format!("{name}.crt"))
                && has(format!("{name}.key"))
        })
    };
    observed.secrets.keys().filter(is_of_a_node).cloned().collect()
}

/// Whether an object holds something newly made.
fn is_new(object: &DesiredObject) -> bool {
    object.precondition != Precondition::None
}

/// What was observed, without the annotations with which users ask for renewals: these wait.
fn without_wishes(observed: &Observed) -> Observed {
    let mut calm = observed.clone();
    for secret in calm.secrets.values_mut() {
        let asked =
            |secret: &Secret, key: &str| annotations::is_true(secret.metadata.annotations.as_ref(), key);
        for key in [annotations::FORCE_RENEW, annotations::FORCE_REPLACE] {
            if asked(secret, key)
                && let Some(all) = &mut Arc::make_mut(secret).metadata.annotations
            {
                all.remove(key);
            }
        }
    }
    calm
}
