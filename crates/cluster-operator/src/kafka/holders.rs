//! Asks the API server who holds names that the caches do not know: what does not carry the labels of a cluster is not
//! watched. No policy.

use std::collections::BTreeMap;

use futures::future;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::{Applier, Subject};
use operator_runtime::watch::ObjectRef;
use planner::kafka::holder::Holder;
use planner::kafka::need::{Silence, SilenceKind};

/// Questions under way at a time. The metadata of an object may take a megabyte.
const CONCURRENCY: usize = 8;

/// What each object says of whose it is; `None`: there is none.
pub async fn of(
    applier: &Applier,
    objects: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Option<Holder>>, Silence> {
    let mut found = BTreeMap::new();
    for some in objects.chunks(CONCURRENCY) {
        let mut questions = Vec::with_capacity(some.len());
        for object in some {
            questions.push(holder(applier, object));
        }
        let holders = future::try_join_all(questions).await?;
        found.extend(some.iter().cloned().zip(holders));
    }
    Ok(found)
}

/// A list, because that is the right that the operator has; with the name, the API server reads this one object.
async fn holder(applier: &Applier, object: &ObjectId) -> Result<Option<Holder>, Silence> {
    let (group, version) = object.api_version.split_once('/').unwrap_or(("", &object.api_version));
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &object.kind));
    if object.kind == "NetworkPolicy" {
        "networkpolicies".clone_into(&mut resource.plural);
    }
    let api: Api<DynamicObject> = match &object.namespace {
        Some(namespace) => Api::namespaced_with(applier.client().clone(), namespace, &resource),
        None => Api::all_with(applier.client().clone(), &resource),
    };
    let named = ListParams::default().fields(&format!("metadata.name={}", object.name));
    let key = ObjectRef::new(object.namespace.as_deref().unwrap_or_default(), &*object.name);
    let subject = Subject { kind: object.kind.clone(), key };
    match applier.request("look up", &subject, api.list_metadata(&named)).await {
        Ok(found) => Ok(found.items.first().map(|found| Holder::of(&found.metadata))),
        Err(error) => Err(Silence::new(SilenceKind::Late, error.to_string())),
    }
}
