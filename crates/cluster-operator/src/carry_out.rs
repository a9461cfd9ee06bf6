//! Carries out the Kubernetes part of a plan, of whatever kind the owner of its objects is: writes, deletions, finalizers,
//! statuses. No policy.

use std::collections::{BTreeSet, VecDeque};

use futures::future;
use kube::Resource;
use kube::api::PropagationPolicy;
use kube::core::object::HasStatus;
use objects::{Change, Deletion, FinalizerChange, ObjectId, Stage, Write};
use operator_runtime::apply::{Applied, Applier, ApplyError};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::{Cache, ObjectRef};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

/// Writes of one plan under way at a time.
const CONCURRENCY: usize = 8;

/// Names of changed fields that the log shows.
const SHOWN_FIELDS: usize = 5;

/// What can go wrong while a plan is carried out.
#[derive(Debug, Error)]
pub enum Error {
    /// A request to Kubernetes failed.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// Another process leads.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    /// The caches were behind: what the plan wants to make is there already, or changed, or its owner goes.
    #[error("{kind} {name} changed while it was planned")]
    Outdated {
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// The resource that a plan was made for.
#[derive(Clone, Copy)]
pub struct PlannedFor<'a, K> {
    cache: &'a Cache<K>,
    key: &'a ObjectRef,
    uid: Option<&'a str>,
}

impl<'a, K> PlannedFor<'a, K>
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    /// The resource as it was observed.
    pub fn new(cache: &'a Cache<K>, key: &'a ObjectRef, observed: &'a K) -> Self {
        Self { cache, key, uid: observed.meta().uid.as_deref() }
    }

    /// Ends a pass whose resource is being deleted by now, or is another one of its name. Where it is deleted with the wish to
    /// keep its objects, Kubernetes takes the references to it away: an object that got its own back from a pass that began
    /// before would be collected with it.
    fn check(&self) -> Result<(), Error> {
        let stays = self.cache.get(self.key).is_some_and(|resource| {
            let metadata = resource.meta();
            metadata.deletion_timestamp.is_none() && metadata.uid.as_deref() == self.uid
        });
        let outdated = || Error::Outdated { kind: K::kind(&()).into_owned(), name: self.key.name.clone() };
        if stays { Ok(()) } else { Err(outdated()) }
    }
}

/// What came of the writes of a plan.
#[derive(Debug, Default)]
pub struct Written {
    /// The objects that were changed.
    pub changed: BTreeSet<ObjectId>,
    /// Why something could not be written for which nothing else waits ([`Stage::holds_up`]).
    pub failed: Option<ApplyError>,
}

/// Writes the objects of a plan, stage after stage: those with new keys one by one, the others of a stage side by side. What is
/// refused in a stage keeps no other object of that stage from being written, unless later keys are signed by it.
/// What is written, or needs no write, takes no memory any more.
pub async fn writes<K>(
    applier: &Applier,
    owner: PlannedFor<'_, K>,
    writes: Vec<Write>,
) -> Result<Written, Error>
where
    K: Resource<DynamicType = ()> + Send + Sync + 'static,
{
    let mut written = Written::default();
    let mut all: VecDeque<Write> = writes.into_iter().filter(Write::is_change).collect();
    while let Some(stage) = all.front().map(|write| write.stage) {
        let of_stage = all.iter().take_while(|write| write.stage == stage).count();
        let mut all_of_stage: VecDeque<Write> = all.drain(..of_stage).collect();
        if stage == Stage::Beside && written.failed.is_some() {
            // A program is started with what it uses, or runs on as it is.
            continue;
        }
        let at_a_time = if stage == Stage::NewKeys { 1 } else { CONCURRENCY };
        let (mut refused, mut unanswered) = (None, false);
        while !all_of_stage.is_empty() {
            owner.check()?;
            let some: Vec<Write> = all_of_stage.drain(..at_a_time.min(all_of_stage.len())).collect();
            let mut under_way = Vec::with_capacity(some.len());
            for write in &some {
                under_way.push(one_write(applier, write));
            }
            for (write, outcome) in some.iter().zip(future::join_all(under_way).await) {
                match outcome {
                    Ok(Applied::Unchanged) => {}
                    Ok(_) => drop(written.changed.insert(write.reference.clone())),
                    Err(Error::Apply(error)) if !stage.holds_up() => {
                        unanswered |= error.is_timeout();
                        written.failed.get_or_insert(error);
                    }
                    Err(error) => drop(refused.get_or_insert(error)),
                }
            }
            // The rest of the stage is tried where the API server answers for each object by itself.
            let ends = |error: &Error| {
                stage == Stage::NewKeys || !matches!(error, Error::Apply(error) if error.code().is_some())
            };
            if let Some(error) = refused.take_if(|error| ends(&*error)) {
                return Err(error);
            }
            if unanswered {
                // Each of the others may take as long, and what comes after them has a use for the time.
                break;
            }
        }
        if let Some(error) = refused {
            return Err(error);
        }
    }
    Ok(written)
}

async fn one_write(applier: &Applier, write: &Write) -> Result<Applied, Error> {
    let ObjectId { kind, name, .. } = &write.reference;
    let object = key_of(&write.reference);
    match applier.write(write).await {
        Ok(outcome) => {
            if outcome != Applied::Unchanged {
                let fields = fields(write);
                tracing::info!(kind, %object, ?outcome, stage = ?write.stage, fields, "written");
            }
            Ok(outcome)
        }
        Err(error) if error.is_conflict() && write.is_conditional() => {
            Err(Error::Outdated { kind: kind.clone(), name: name.clone() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Which fields a write changes, for the log.
fn fields(write: &Write) -> String {
    let Change::Update { differences, .. } = &write.change else { return String::new() };
    let mut shown: Vec<&str> =
        differences.iter().take(SHOWN_FIELDS).map(|difference| difference.path.as_str()).collect();
    if differences.len() > SHOWN_FIELDS {
        shown.push("…");
    }
    shown.join(", ")
}

/// Deletes what a plan no longer wants. A process that was frozen may have lost the lead since it planned: what it deletes
/// then is in use again under the next leader.
///
/// An object that cannot be deleted holds up no other; the first error comes when all were tried.
pub async fn deletions(applier: &Applier, mandate: &Mandate, deletions: &[Deletion]) -> Result<(), Error> {
    let mut failed = None;
    for unwanted in deletions {
        mandate.check()?;
        let key = key_of(&unwanted.object);
        let (version, kind) = (&unwanted.object.api_version, &unwanted.object.kind);
        let (uid, background) = (unwanted.uid.as_deref(), PropagationPolicy::Background);
        match applier.delete_kind(version, kind, &key, uid, background).await {
            Ok(true) => tracing::info!(kind, object = %key, "deleted, because nothing asks for it any more"),
            Ok(false) => {}
            // Another object has its name by now.
            Err(error) if error.is_conflict() => {}
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Takes finalizers off, or puts them on. An object that changed meanwhile does not keep the others waiting.
pub async fn finalizers(
    applier: &Applier,
    mandate: &Mandate,
    changes: &[FinalizerChange],
) -> Result<(), Error> {
    let mut outdated = None;
    for some in changes.chunks(CONCURRENCY) {
        mandate.check()?;
        let mut under_way = Vec::with_capacity(some.len());
        for change in some {
            under_way.push(finalize(applier, change));
        }
        for written in future::join_all(under_way).await {
            match written {
                Err(error @ Error::Outdated { .. }) => outdated = Some(error),
                other => other?,
            }
        }
    }
    outdated.map_or(Ok(()), Err)
}

async fn finalize(applier: &Applier, change: &FinalizerChange) -> Result<(), Error> {
    let patch = serde_json::json!({"metadata": {
        "finalizers": change.finalizers,
        "resourceVersion": change.resource_version,
    }});
    let (key, ObjectId { api_version, kind, .. }) = (key_of(&change.object), &change.object);
    match applier.merge_kind(api_version, kind, &key, &patch).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_conflict() => {
            Err(Error::Outdated { kind: kind.clone(), name: key.to_string() })
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes the status of a resource, if it differs from the one in the cache.
pub async fn status<K>(
    applier: &Applier,
    cache: &Cache<K>,
    key: &ObjectRef,
    wanted: &K::Status,
) -> Result<(), ApplyError>
where
    K: Resource<DynamicType = ()> + HasStatus<Status: Serialize> + Send + Sync + 'static,
{
    let live = cache.get(key).and_then(|resource| json(resource.status()?));
    let wanted = json(wanted).unwrap_or_default();
    applier.patch_status::<K>(key, live.as_ref(), &wanted).await?;
    Ok(())
}

fn json(status: &impl Serialize) -> Option<Value> {
    serde_json::to_value(status).ok()
}

fn key_of(reference: &ObjectId) -> ObjectRef {
    ObjectRef::new(reference.namespace.clone().unwrap_or_default(), &reference.name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::Kafka;
    use kube::{Client, Config};
    use objects::{DesiredObject, Live, Precondition};
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    fn service(number: usize) -> Write {
        let name = format!("c-p-external-{number}");
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "ns"},
            "spec": {"type": "LoadBalancer"}});
        let reference = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some("ns".to_owned()),
            name,
        };
        let precondition = Precondition::None;
        Write::of(DesiredObject { reference, object, precondition, beside: false }, &Live::Absent)
    }

    /// An API server that takes connections and says nothing.
    #[tokio::test(start_paused = true)]
    async fn writes_that_nobody_waits_for_take_the_time_of_one_when_none_is_answered() {
        operator_runtime::client::install_crypto_provider();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let silent = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok(connection) = listener.accept().await {
                kept.push(connection);
            }
        });
        let mut config = Config::new(address.parse().unwrap());
        config.connect_timeout = None;
        let applier = Applier::new(Client::try_from(config).unwrap());
        let kafka: Kafka =
            serde_json::from_value(json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
            "metadata": {"name": "c", "namespace": "ns", "uid": "u"}, "spec": {"kafka": {"listeners": []}}}))
            .unwrap();
        let key = ObjectRef::new("ns", "c");
        let cache = Cache::fixed([(key.clone(), kafka.clone())]);
        let services: Vec<Write> = (0..100).map(service).collect();
        let began = Instant::now();
        let written = writes(&applier, PlannedFor::new(&cache, &key, &kafka), services).await.unwrap();
        assert!(written.changed.is_empty() && written.failed.is_some_and(|error| error.is_timeout()));
        let most = operator_runtime::apply::REQUEST_DEADLINE + Duration::from_secs(1);
        assert!(began.elapsed() <= most, "{:?}", began.elapsed());
        silent.abort();
    }
}
