//! Carries out the Kubernetes part of a plan: objects, deletions, statuses. No policy.

use std::collections::BTreeSet;

use api::{Kafka, KafkaNodePool, KafkaTopic, labels};
use futures::future;
use k8s_openapi::api::rbac::v1::ClusterRoleBinding;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, PostParams, PropagationPolicy};
use kube::core::{ApiResource, GroupVersionKind};
use objects::ObjectId;
use operator_runtime::apply::{Applied, Applier, ApplyError, REQUEST_DEADLINE, Stored};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::ObjectRef;
use serde_json::Value;
use thiserror::Error;

use crate::caches::{Caches, KAFKA};
use objects::DesiredObject;
use objects::FinalizerRemoval;
use objects::Precondition;
use planner::kafka::plan::Plan;
use planner::kafka::plan::StatusPlan;

/// Writes of one cluster under way at a time.
const CONCURRENCY: usize = 8;

/// What can go wrong while a plan is carried out.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process leads.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// An object that holds new keys could not be made.
    #[error("cannot create {kind} {name}: {why}")]
    Create {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What the server said.
        why: String,
    },
    /// What is to be made is there already, and not as an object of the cluster.
    #[error(
        "{kind} {name} exists without the labels strimzi.io/kind: Kafka and strimzi.io/cluster: {cluster}: add them if \
         it belongs to the cluster, else delete it"
    )]
    Unlabelled {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// The cluster that needs it.
        cluster: String,
    },
    /// What is to be made is there already, as an object of another cluster.
    #[error(
        "{kind} {name} belongs to {owner}: rename the cluster or the node pool that needs one of this name"
    )]
    OfAnother {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// The caches were behind: what the plan wants to make is there already, or changed.
    #[error("{kind} {name} changed while it was planned")]
    Outdated {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// Writes the objects of a plan and deletes what it no longer wants.
///
/// Objects with new keys come first and one by one, because later ones are signed by earlier ones; what runs pods
/// comes last, when all that the pods mount is there, and with it what binds roles, because the server wants to see
/// a role before it lets anybody bind it; the rest has no order among itself. Returns the names of the pod sets that were
/// changed.
pub async fn objects(
    applier: &Applier,
    caches: &Caches,
    mandate: &Mandate,
    plan: &Plan,
) -> Result<BTreeSet<String>, Error> {
    let mut pod_sets = BTreeSet::new();
    for wanted in plan.apply.iter().filter(|wanted| wanted.precondition != Precondition::None) {
        create(applier, wanted).await?;
    }
    let plain = |wanted: &&DesiredObject| wanted.precondition == Precondition::None;
    let (last, first): (Vec<_>, Vec<_>) =
        plan.apply.iter().filter(plain).partition(|wanted| comes_last(wanted));
    for stage in [first, last] {
        for wanted in stage.chunks(CONCURRENCY) {
            let mut writes = Vec::with_capacity(wanted.len());
            for object in wanted {
                writes.push(write(applier, caches, object));
            }
            let outcomes = future::try_join_all(writes).await?;
            for (object, outcome) in wanted.iter().zip(outcomes) {
                if object.reference.kind == "StrimziPodSet" && outcome != Applied::Unchanged {
                    pod_sets.insert(object.reference.name.clone());
                }
            }
        }
    }
    deletions(applier, mandate, plan).await?;
    Ok(pod_sets)
}

/// Deletes what a plan no longer wants. A process that was frozen may have lost the lead since it planned: what it deletes
/// then is in use again under the next leader.
pub async fn deletions(applier: &Applier, mandate: &Mandate, plan: &Plan) -> Result<(), Error> {
    for unwanted in &plan.delete {
        mandate.check()?;
        let key = key_of(&unwanted.object);
        let (version, kind) = (&unwanted.object.api_version, &unwanted.object.kind);
        let (uid, background) = (unwanted.uid.as_deref(), PropagationPolicy::Background);
        match applier.delete_kind(version, kind, &key, uid, background).await {
            Ok(true) => tracing::info!(kind, object = %key, "deleted, because nothing asks for it any more"),
            Ok(false) => {}
            // Another one has its name by now.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Takes finalizers off. One that changed meanwhile does not keep the others waiting.
pub async fn finalizers(applier: &Applier, mandate: &Mandate, plan: &Plan) -> Result<(), Error> {
    let mut outdated = None;
    for some in plan.finalizers.chunks(CONCURRENCY) {
        mandate.check()?;
        let mut writes = Vec::with_capacity(some.len());
        for removal in some {
            writes.push(take_off(applier, removal));
        }
        for written in future::join_all(writes).await {
            match written {
                Err(error @ Error::Outdated { .. }) => outdated = Some(error),
                other => other?,
            }
        }
    }
    outdated.map_or(Ok(()), Err)
}

async fn take_off(applier: &Applier, removal: &FinalizerRemoval) -> Result<(), Error> {
    let patch = serde_json::json!({"metadata": {
        "finalizers": removal.finalizers,
        "resourceVersion": removal.resource_version,
    }});
    let key = key_of(&removal.object);
    match applier.merge::<KafkaTopic>(&key, &patch).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_conflict() => {
            Err(Error::Outdated { kind: removal.object.kind.clone(), name: key.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

fn comes_last(wanted: &DesiredObject) -> bool {
    matches!(
        wanted.reference.kind.as_str(),
        "StrimziPodSet" | "Deployment" | "RoleBinding" | "ClusterRoleBinding"
    )
}

fn key_of(reference: &ObjectId) -> ObjectRef {
    ObjectRef::new(reference.namespace.clone().unwrap_or_default(), &reference.name)
}

async fn write(applier: &Applier, caches: &Caches, wanted: &DesiredObject) -> Result<Applied, Error> {
    let mut live = caches.live(&wanted.reference);
    // Looked at after the live object: what took the reference to its owner away came after the deletion of that owner.
    if owner_goes(caches, &wanted.object) {
        let ObjectId { kind, name, .. } = wanted.reference.clone();
        return Err(Error::Outdated { kind, name });
    }
    if live.is_none() && wanted.reference.kind == "ClusterRoleBinding" {
        // Without the right to watch them the cache has none.
        let key = key_of(&wanted.reference);
        let binding = applier.get::<ClusterRoleBinding>(&key).await?;
        live = binding.and_then(|binding| Stored::of(&binding).ok()).map(|stored| stored.value());
    }
    if let Some(owner) = live.as_ref().and_then(|live| other_owner(live, &wanted.object)) {
        let ObjectId { kind, name, .. } = wanted.reference.clone();
        return Err(Error::OfAnother { kind, name, owner });
    }
    let outcome = applier.apply_value(&wanted.object, live.as_ref()).await?;
    if outcome != Applied::Unchanged {
        tracing::info!(kind = wanted.reference.kind, object = %key_of(&wanted.reference), ?outcome, "written");
    }
    Ok(outcome)
}

/// Whether the Kafka resource that is to own an object is being deleted, or is another one of its name by now. Where it is
/// deleted with the wish to keep its objects, Kubernetes takes the references to it away: an object that got its own back
/// from a pass that began before would be collected with it.
fn owner_goes(caches: &Caches, wanted: &Value) -> bool {
    let metadata = &wanted["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    owners.filter(|owner| owner["kind"] == KAFKA).any(|owner| {
        let key = ObjectRef::new(namespace, owner["name"].as_str().unwrap_or_default());
        caches.kafkas.get(&key).is_none_or(|kafka| {
            kafka.metadata.deletion_timestamp.is_some()
                || kafka.metadata.uid.as_deref() != owner["uid"].as_str()
        })
    })
}

/// Whose a live object is, if it is not that of the cluster that wants it. Labels that were taken off say nothing.
fn other_owner(live: &Value, wanted: &Value) -> Option<String> {
    let label = |object: &Value, key: &str| object["metadata"]["labels"][key].as_str().map(ToOwned::to_owned);
    let both = |key: &str| label(live, key).zip(label(wanted, key));
    let is_other = |key: &str| both(key).is_some_and(|(live, wanted)| live != wanted);
    // Of objects that are cluster-wide, the subject tells.
    let namespace = |object: &Value| object["subjects"][0]["namespace"].as_str().map(ToOwned::to_owned);
    let elsewhere = namespace(live).zip(namespace(wanted)).filter(|(live, wanted)| live != wanted);
    let name = label(live, labels::CLUSTER)?;
    let kind = label(live, labels::KIND).unwrap_or_else(|| "cluster".to_owned());
    if let Some((namespace, _)) = elsewhere {
        return Some(format!("{kind} {name} of namespace {namespace}"));
    }
    (is_other(labels::CLUSTER) || is_other(labels::KIND)).then(|| format!("{kind} {name}"))
}

/// Writes an object under its precondition, past the comparison with the live one.
async fn create(applier: &Applier, wanted: &DesiredObject) -> Result<(), Error> {
    let (kind, name) = (wanted.reference.kind.clone(), wanted.reference.name.clone());
    let refused = |why: String| Error::Create { kind: kind.clone(), name: name.clone(), why };
    let mut object = wanted.object.clone();
    if let (Precondition::ResourceVersion(version), Some(metadata)) =
        (&wanted.precondition, object.get_mut("metadata").and_then(Value::as_object_mut))
    {
        metadata.insert("resourceVersion".to_owned(), version.clone().into());
    }
    let (group, version) =
        wanted.reference.api_version.split_once('/').unwrap_or(("", &wanted.reference.api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, &kind));
    let namespace = wanted.reference.namespace.clone().unwrap_or_default();
    let api: Api<DynamicObject> = Api::namespaced_with(applier.client().clone(), &namespace, &resource);
    let request = async {
        if wanted.precondition == Precondition::Absent {
            let object: DynamicObject = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
            let parameters =
                PostParams { field_manager: Some(api::FIELD_MANAGER.to_owned()), ..PostParams::default() };
            let created = api.create(&parameters, &object).await?;
            claim(&api, created).await
        } else {
            let parameters = kube::api::PatchParams::apply(api::FIELD_MANAGER).force();
            api.patch(&name, &parameters, &kube::api::Patch::Apply(&object)).await
        }
    };
    match tokio::time::timeout(REQUEST_DEADLINE, request).await {
        Ok(Ok(_)) => {
            tracing::info!(kind, object = name, "written with new key material");
            Ok(())
        }
        Ok(Err(kube::Error::Api(status))) if status.code == 409 => {
            // An object without the labels of the cluster is in no cache: the next pass would not see it either.
            let cluster = wanted.object["metadata"]["labels"][labels::CLUSTER].as_str().unwrap_or_default();
            let found = tokio::time::timeout(REQUEST_DEADLINE, api.get_opt(&name)).await;
            let found = found.ok().and_then(Result::ok).flatten();
            let as_json = found.as_ref().and_then(|found| serde_json::to_value(found).ok());
            if let Some(owner) = as_json.and_then(|found| other_owner(&found, &wanted.object)) {
                return Err(Error::OfAnother { kind, name, owner });
            }
            match found {
                Some(found) if !is_of(&found, cluster) => {
                    Err(Error::Unlabelled { kind, name, cluster: cluster.to_owned() })
                }
                _ => Err(Error::Outdated { kind, name }),
            }
        }
        Ok(Err(error)) => Err(refused(error.to_string())),
        Err(_) => Err(refused("no answer in time".to_owned())),
    }
}

/// Whether the caches hold an object as one of the cluster.
fn is_of(object: &DynamicObject, cluster: &str) -> bool {
    let has = |key: &str, value: &str| object.labels().get(key).is_some_and(|found| found == value);
    has(labels::CLUSTER, cluster) && has(labels::KIND, "Kafka")
}

/// Makes a created object look applied, so that the next pass has nothing to write, and a later apply can remove
/// fields: those that a creation owns stay for ever. Server-side apply itself cannot be told to create and no more.
async fn claim(api: &Api<DynamicObject>, created: DynamicObject) -> Result<DynamicObject, kube::Error> {
    let mut fields = created.metadata.managed_fields.clone().unwrap_or_default();
    for entry in &mut fields {
        entry.operation = Some("Apply".to_owned());
    }
    let patch = serde_json::json!({"metadata": {
        "resourceVersion": created.metadata.resource_version,
        "managedFields": fields,
    }});
    let name = created.metadata.name.as_deref().unwrap_or_default();
    let parameters = kube::api::PatchParams {
        field_manager: Some(api::FIELD_MANAGER.to_owned()),
        ..kube::api::PatchParams::default()
    };
    api.patch(name, &parameters, &kube::api::Patch::Merge(&patch)).await
}

/// Writes the statuses of the pools that differ.
pub async fn pool_statuses(
    applier: &Applier,
    caches: &Caches,
    key: &ObjectRef,
    status: &StatusPlan,
) -> Result<(), ApplyError> {
    for (name, wanted) in &status.pools {
        let wanted = serde_json::to_value(wanted).unwrap_or_default();
        let pool = ObjectRef::new(&key.namespace, name);
        let live = caches.pools.get(&pool).and_then(|pool| serde_json::to_value(&pool.status).ok());
        applier
            .patch_status::<KafkaNodePool>(&pool, live.as_ref().filter(|live| !live.is_null()), &wanted)
            .await?;
    }
    Ok(())
}

/// Writes the status of the Kafka resource if it differs.
pub async fn kafka_status(
    applier: &Applier,
    caches: &Caches,
    key: &ObjectRef,
    status: &StatusPlan,
) -> Result<(), ApplyError> {
    if let Some(wanted) = &status.kafka {
        let wanted = serde_json::to_value(wanted).unwrap_or_default();
        let live = caches.kafkas.get(key).and_then(|kafka| serde_json::to_value(&kafka.status).ok());
        applier.patch_status::<Kafka>(key, live.as_ref().filter(|live| !live.is_null()), &wanted).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_of_another_cluster_is_known_by_its_labels_or_its_subject() {
        let object = |kind: &str, cluster: &str, namespace: &str| {
            json!({"metadata": {"labels": {"strimzi.io/kind": kind, "strimzi.io/cluster": cluster}},
                "subjects": [{"namespace": namespace}]})
        };
        let ours = object("Kafka", "c", "ns");
        assert_eq!(other_owner(&ours, &ours), None);
        assert_eq!(other_owner(&object("Kafka", "d", "ns"), &ours).as_deref(), Some("Kafka d"));
        assert_eq!(other_owner(&object("KafkaConnect", "c", "ns"), &ours).as_deref(), Some("KafkaConnect c"));
        let elsewhere = other_owner(&object("Kafka", "c", "there"), &ours);
        assert_eq!(elsewhere.as_deref(), Some("Kafka c of namespace there"));
        // The labels were taken off: they are put back.
        assert_eq!(other_owner(&json!({"metadata": {}}), &ours), None);
    }
}
