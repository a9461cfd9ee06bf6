//! What becomes of Secrets while a Secret of an authority belongs to another owner. What the plan made of that authority is not kept anywhere, so
//! nothing of it may reach another Secret; the other authority, and what does not depend on the held one, goes on.

use api::{annotations, names};
use k8s_openapi::ByteString;
use objects::{DesiredObject, ObjectId, Precondition};
use serde_json::Value;

use super::certificates::role::Role;
use super::cluster::Cluster;
use super::observed::Observed;

/// The authorities of which these objects of others have a name.
pub(super) fn held(cluster: &Cluster, strangers: &[&ObjectId]) -> Vec<Role> {
    let is_held = |role: &Role| {
        let (cert, key) = role.names(&cluster.name);
        strangers.iter().any(|object| object.kind == "Secret" && (object.name == cert || object.name == key))
    };
    [Role::Cluster, Role::Clients].into_iter().filter(is_held).collect()
}

/// What waits while an authority is held, for the status.
pub(super) fn words(role: Role) -> &'static str {
    match role {
        Role::Cluster => {
            "until then the cluster CA is not renewed and signs nothing: certificates that are there stay as they are, and new ones wait"
        }
        Role::Clients => "until then the clients CA is not renewed, and pods trust it as they do now",
    }
}

/// A wanted object as it is right while an authority is held: what it has of that authority stays as it is in the live object. `None`:
/// it must not be written.
pub(super) fn while_held(
    cluster: &Cluster,
    observed: &Observed,
    role: Role,
    mut wanted: DesiredObject,
) -> Option<DesiredObject> {
    if wanted.reference.kind != "Secret" {
        return Some(wanted);
    }
    let name = wanted.reference.name.clone();
    let (cert, key) = role.names(&cluster.name);
    if name == cert || name == key {
        return None;
    }
    let live = observed.secrets.get(&name);
    let live_data = live.and_then(|live| live.data.as_ref());
    let is_new = wanted.precondition != Precondition::None;
    if role == Role::Cluster && is_new && is_leaf(cluster, &wanted) {
        // The certificate stays; what lies beside it in the Secret of a node may be written.
        let own = [format!("{name}.crt"), format!("{name}.key")];
        let (Some(live), Some(data)) = (live_data, wanted.object["data"].as_object_mut()) else {
            return None;
        };
        for key in own {
            match (live.get(&key), data.get_mut(&key)) {
                (Some(before), Some(value)) => *value = encoded(before),
                _ => return None,
            }
        }
        wanted.precondition = Precondition::None;
    }
    let (in_bundle, in_node, generation) = match role {
        Role::Cluster => (
            names::keys::TRUST_BUNDLE_CLUSTER_CA,
            names::keys::NODE_CLUSTER_CAS,
            annotations::CLUSTER_CA_CERT_GENERATION,
        ),
        Role::Clients => (
            names::keys::TRUST_BUNDLE_CLIENTS_CA,
            names::keys::NODE_CLIENTS_CAS,
            annotations::CLIENTS_CA_CERT_GENERATION,
        ),
    };
    let copied = if name == names::trust_bundle_secret(&cluster.name) { in_bundle } else { in_node };
    if let Some(data) = wanted.object["data"].as_object_mut().filter(|data| data.contains_key(copied)) {
        let before = live_data.and_then(|live| live.get(copied))?;
        data.insert(copied.to_owned(), encoded(before));
    }
    if let Some(annotations) = wanted.object["metadata"]["annotations"].as_object_mut()
        && annotations.contains_key(generation)
        && let Some(before) = live.and_then(|live| live.metadata.annotations.as_ref()?.get(generation))
    {
        annotations.insert(generation.to_owned(), Value::from(before.as_str()));
    }
    Some(wanted)
}

/// A value of a Secret as it is sent.
fn encoded(value: &ByteString) -> Value {
    // Bytes are plain data: this cannot fail.
    serde_json::to_value(value).unwrap_or_default()
}

/// Whether the Secret holds a certificate that the cluster CA signs.
fn is_leaf(cluster: &Cluster, wanted: &DesiredObject) -> bool {
    let of_authority = [Role::Cluster, Role::Clients].into_iter().any(|role| {
        let (cert, key) = role.names(&cluster.name);
        wanted.reference.name == cert || wanted.reference.name == key
    });
    let data = wanted.object["data"].as_object();
    !of_authority && data.is_some_and(|data| data.keys().any(|key| key.strip_suffix(".crt").is_some()))
}
