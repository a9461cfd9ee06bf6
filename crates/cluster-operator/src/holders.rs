//! Finds out who holds names that the caches do not know as those of a cluster: what does not carry its labels is not watched,
//! so the API server is asked. No policy.

use std::collections::{BTreeMap, BTreeSet};

use futures::future;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::{Applier, ApplyError, Subject, own_entry};
use operator_runtime::watch::ObjectRef;
use planner::ownership::{CLAIM, Holder};
use planner::silence::{Silence, SilenceKind};

use crate::caches::Caches;

/// Questions under way at a time.
const CONCURRENCY: usize = 8;

const RBAC: &str = "rbac.authorization.k8s.io";

/// What each object says of whose it is; `None`: there is none. An object that cannot be looked up is left out, and is asked for
/// in the next round of the plan: it says nothing of the others.
///
/// # Errors
/// When none of them can be looked up.
pub(crate) async fn of(
    applier: &Applier,
    caches: &Caches,
    objects: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Option<Holder>>, Silence> {
    let mut found: BTreeMap<ObjectId, Option<Holder>> = BTreeMap::new();
    let mut failed = None;
    for some in objects.chunks(CONCURRENCY) {
        let mut questions = Vec::with_capacity(some.len());
        for object in some {
            questions.push(holder(applier, caches, object));
        }
        for (object, holder) in some.iter().zip(future::join_all(questions).await) {
            match holder {
                Ok(holder) => drop(found.insert((*object).clone(), holder)),
                Err(silence) => failed = Some(silence),
            }
        }
    }
    if let Err(error) = used_claims(applier, caches, &mut found).await {
        failed = Some(late(&error));
    }
    failed.filter(|_| found.is_empty()).map_or(Ok(found), Err)
}

/// A list, because that is the right that the operator has; with the name, the API server reads this one object. What a
/// binding is for stands in its body, and Roles and bindings that clusters share are in no cache as those of the cluster.
async fn holder(applier: &Applier, caches: &Caches, object: &ObjectId) -> Result<Option<Holder>, Silence> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &object.kind));
    if object.kind == "NetworkPolicy" {
        "networkpolicies".clone_into(&mut resource.plural);
    }
    let key = ObjectRef::new(object.namespace.clone().unwrap_or_default(), &object.name);
    if object.kind == CLAIM {
        return claim(applier, caches, &resource, &key).await.map_err(|error| late(&error));
    }
    let found = if group == RBAC {
        whole(applier, &resource, &key).await.map(|found| found.map(with_body))
    } else {
        applier.ownership(&resource, &key).await.map(|found| found.as_ref().map(Holder::of))
    };
    found.map_err(|error| late(&error))
}

fn late(error: &ApplyError) -> Silence {
    Silence::new(SilenceKind::Late, error.to_string())
}

/// Notes what uses the claims that no cache has. Without an answer they are left out.
async fn used_claims(
    applier: &Applier,
    caches: &Caches,
    found: &mut BTreeMap<ObjectId, Option<Holder>>,
) -> Result<(), ApplyError> {
    let key = |id: &ObjectId| ObjectRef::new(id.namespace.clone().unwrap_or_default(), &id.name);
    let mut unknown: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (id, _) in found.iter().filter(|(id, holder)| id.kind == CLAIM && holder.is_some()) {
        let key = key(id);
        if !caches.claims.contains(&key) {
            unknown.entry(key.namespace).or_default().insert(key.name);
        }
    }
    let is_a_clusters = |labels: &BTreeMap<String, String>| labels.contains_key(api::labels::CLUSTER);
    for (namespace, claims) in unknown {
        let is_one = |id: &ObjectId| {
            id.kind == CLAIM && id.namespace.as_deref() == Some(&namespace) && claims.contains(&id.name)
        };
        match applier.claim_users(&namespace, &claims, is_a_clusters).await {
            Ok(mut users) => {
                for (id, holder) in found.iter_mut().filter(|(id, _)| is_one(id)) {
                    *holder = holder.take().map(|holder| holder.used_by(users.remove(&id.name)));
                }
            }
            Err(error) => {
                found.retain(|id, _| !is_one(id));
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Every claim with the label of some cluster is watched. Of any other it is looked up what uses it ([`used_claims`]).
async fn claim(
    applier: &Applier,
    caches: &Caches,
    resource: &ApiResource,
    key: &ObjectRef,
) -> Result<Option<Holder>, ApplyError> {
    if let Some(claim) = caches.claims.get(key) {
        return Ok(Some(Holder::of(&claim.metadata)));
    }
    // With its size, below which it is never asked to shrink.
    Ok(whole(applier, resource, key).await?.map(with_body))
}

async fn whole(
    applier: &Applier,
    resource: &ApiResource,
    key: &ObjectRef,
) -> Result<Option<DynamicObject>, ApplyError> {
    let subject = Subject { kind: resource.kind.clone(), key: key.clone() };
    if key.namespace.is_empty() {
        let api: Api<DynamicObject> = Api::all_with(applier.client().clone(), resource);
        return applier.request("read", &subject, api.get_opt(&key.name)).await;
    }
    let api: Api<DynamicObject> = Api::namespaced_with(applier.client().clone(), &key.namespace, resource);
    let named = ListParams::default().fields(&format!("metadata.name={}", key.name));
    let found = applier.request("look up", &subject, api.list(&named)).await?;
    Ok(found.items.into_iter().next())
}

fn with_body(mut object: DynamicObject) -> Holder {
    let holder = Holder::of(&object.metadata);
    object.metadata.managed_fields = object.metadata.managed_fields.take().and_then(own_entry);
    match serde_json::to_value(&object) {
        Ok(object) => holder.with_body(&object),
        Err(_) => holder,
    }
}
