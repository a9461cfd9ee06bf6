//! Finds out who holds names that the caches do not know as those of a cluster: what does not carry its labels is not watched,
//! so the API server is asked. No policy.

use std::collections::BTreeMap;

use futures::future;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::{REQUEST_DEADLINE, own_entry};
use operator_runtime::watch::ObjectRef;
use planner::kafka::need::{Silence, SilenceKind};
use planner::ownership::Holder;

use crate::caches::Caches;

/// Questions under way at a time. The metadata of an object may take a megabyte.
const CONCURRENCY: usize = 8;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What each object says of whose it is; `None`: there is none.
pub async fn of(
    client: &Client,
    caches: &Caches,
    objects: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Option<Holder>>, Silence> {
    let (claims, objects): (Vec<&ObjectId>, Vec<&ObjectId>) =
        objects.iter().partition(|object| object.kind == "PersistentVolumeClaim");
    // Every claim with the label of some cluster is watched, and one without it is nobody's.
    let claim = |id: &ObjectId| {
        let key = ObjectRef::new(id.namespace.clone().unwrap_or_default(), &id.name);
        caches.claims.get(&key).map(|claim| Holder::of(&claim.metadata))
    };
    let mut found: BTreeMap<ObjectId, Option<Holder>> =
        claims.into_iter().map(|id| (id.clone(), claim(id))).collect();
    for some in objects.chunks(CONCURRENCY) {
        let mut questions = Vec::with_capacity(some.len());
        for object in some {
            questions.push(holder(client, object));
        }
        let holders = future::try_join_all(questions).await?;
        found.extend(some.iter().map(|id| (*id).clone()).zip(holders));
    }
    Ok(found)
}

/// A list, because that is the right that the operator has; with the name, the API server reads this one object. What a
/// binding is for stands in its body, and Roles and bindings that clusters share are in no cache as those of the cluster.
async fn holder(client: &Client, object: &ObjectId) -> Result<Option<Holder>, Silence> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &object.kind));
    if object.kind == "NetworkPolicy" {
        "networkpolicies".clone_into(&mut resource.plural);
    }
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let named = ListParams::default().fields(&format!("metadata.name={}", object.name));
    let asked = async {
        if object.namespace.is_none() {
            return Ok(api.get_opt(&object.name).await?.map(with_body));
        }
        if group == RBAC {
            return Ok(api.list(&named).await?.items.into_iter().next().map(with_body));
        }
        Ok(api.list_metadata(&named).await?.items.first().map(|found| Holder::of(&found.metadata)))
    };
    let late = |why: String| {
        Silence::new(SilenceKind::Late, format!("look up {} {}: {why}", object.kind, object.name))
    };
    match tokio::time::timeout(REQUEST_DEADLINE, asked).await {
        Ok(found) => found.map_err(|error: kube::Error| late(error.to_string())),
        Err(_) => Err(late(format!("no answer from the API server within {} s", REQUEST_DEADLINE.as_secs()))),
    }
}

fn with_body(mut object: DynamicObject) -> Holder {
    let holder = Holder::of(&object.metadata);
    object.metadata.managed_fields = object.metadata.managed_fields.take().and_then(own_entry);
    match serde_json::to_value(&object) {
        Ok(object) => holder.with_body(&object),
        Err(_) => holder,
    }
}
