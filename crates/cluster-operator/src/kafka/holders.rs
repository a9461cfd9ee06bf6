//! Asks the API server who holds names that the caches do not know: what does not carry the labels of a cluster is not
//! watched. No policy.

use std::collections::BTreeMap;

use futures::future;
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::Applier;
use operator_runtime::watch::ObjectRef;
use planner::kafka::holder::Holder;
use planner::kafka::need::{Silence, SilenceKind};

/// Questions under way at a time.
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
    let key = ObjectRef::new(object.namespace.clone().unwrap_or_default(), &object.name);
    match applier.ownership(&resource, &key).await {
        Ok(found) => Ok(found.as_ref().map(Holder::of)),
        Err(error) => Err(Silence::new(SilenceKind::Late, error.to_string())),
    }
}
