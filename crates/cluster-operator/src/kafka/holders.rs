//! Asks the API server who holds names that the caches do not know: what does not carry the labels of a cluster is not
//! watched. No policy.

use std::collections::BTreeMap;

use futures::future;
use kube::Client;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::REQUEST_DEADLINE;
use planner::kafka::holder::Holder;
use planner::kafka::need::{Silence, SilenceKind};

/// Questions under way at a time. The metadata of an object may take a megabyte.
const CONCURRENCY: usize = 8;

/// What each object says of whose it is; `None`: there is none.
pub async fn of(
    client: &Client,
    objects: &[ObjectId],
) -> Result<BTreeMap<ObjectId, Option<Holder>>, Silence> {
    let mut found = BTreeMap::new();
    for some in objects.chunks(CONCURRENCY) {
        let mut questions = Vec::with_capacity(some.len());
        for object in some {
            questions.push(holder(client, object));
        }
        let holders = future::try_join_all(questions).await?;
        found.extend(some.iter().cloned().zip(holders));
    }
    Ok(found)
}

/// A list, because that is the right that the operator has; with the name, the API server reads this one object.
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
    let late = |why: String| {
        Silence::new(SilenceKind::Late, format!("look up {} {}: {why}", object.kind, object.name))
    };
    match tokio::time::timeout(REQUEST_DEADLINE, api.list_metadata(&named)).await {
        Ok(Ok(found)) => Ok(found.items.first().map(|found| Holder::of(&found.metadata))),
        Ok(Err(error)) => Err(late(error.to_string())),
        Err(_) => Err(late(format!("no answer from the API server within {} s", REQUEST_DEADLINE.as_secs()))),
    }
}
