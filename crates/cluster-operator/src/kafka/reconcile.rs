//! One pass over one Kafka resource: `observe → plan → apply → status`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::conditions::{Condition, merge, reasons};
use api::{Kafka, KafkaTopic};
use jiff::Timestamp;
use kafka_admin::Admin;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::Events;
use operator_runtime::watch::ObjectRef;
use serde_json::{Value, json};
use thiserror::Error;

use super::actions::Plan;
use super::clients::Clients;
use super::observe::Observer;
use super::observed::{KafkaView, Observed};
use super::plan::plan;
use super::{apply, ask, materials, restarts};
use crate::caches::Caches;
use crate::podset::plan::is_ready;

/// Rounds of making keys after which a plan has to be complete.
const ROUNDS: usize = 6;

/// Pause before a roll that waits, or a cluster whose Kafka did not answer, is looked at again.
const WAITING: Duration = Duration::from_secs(2);

/// Longest time for asking Kafka in one pass.
const ASKING: Duration = Duration::from_secs(15);

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] apply::Error),
    /// Keys could not be made.
    #[error(transparent)]
    Material(#[from] materials::Error),
    /// Kafka refused something.
    #[error(transparent)]
    Kafka(#[from] ask::Error),
    /// The client for Kafka could not be made.
    #[error("cannot make a client for the cluster: {0}")]
    Client(#[from] kafka_admin::AdminError),
    /// The planner asks for keys again and again.
    #[error("the plan is not complete after {ROUNDS} rounds of making keys")]
    Endless,
}

/// Reconciles Kafka resources. One for the whole process.
pub struct Reconciler {
    caches: Caches,
    applier: Applier,
    observer: Observer,
    clients: Clients,
    events: Events,
    /// The options that were last compared with the brokers, per cluster.
    verified: Mutex<HashMap<ObjectRef, String>>,
}

impl Reconciler {
    /// From the parts that all passes share.
    pub fn new(caches: Caches, applier: Applier, observer: Observer, events: Events) -> Self {
        Self { caches, applier, observer, clients: Clients::default(), events, verified: Mutex::default() }
    }

    /// One pass.
    pub async fn pass(&self, key: &ObjectRef) -> Result<Outcome, Error> {
        let Some(kafka) = self.caches.kafkas.get(key) else {
            return self.gone(key).await;
        };
        if kafka.metadata.deletion_timestamp.is_some() {
            // Garbage collection removes the children; topics must not wait for an operator that goes with them.
            self.release_topics(key).await?;
            return Ok(Outcome::Done);
        }
        if api::annotations::is_true(
            kafka.metadata.annotations.as_ref(),
            api::annotations::PAUSE_RECONCILIATION,
        ) {
            self.write_paused(key, &kafka).await?;
            return Ok(Outcome::Done);
        }
        let mut observed = self.observer.observe(key, Arc::clone(&kafka)).await?;
        let admin = self.look(key, &mut observed).await?;
        let (observed, plan) = self.plan(key, observed, admin.as_ref()).await?;
        match self.carry_out(key, &observed, &plan, admin.as_ref()).await {
            Ok(waits) => {
                apply::statuses(&self.applier, &self.caches, key, &plan.status).await?;
                for reason in plan.waiting_for.iter().chain(&waits) {
                    tracing::debug!(cluster = %key, reason, "waiting");
                }
                Ok(again(&plan, waits.is_some()))
            }
            // The watch brings what changed, and with it the next pass.
            Err(Error::Apply(apply::Error::Outdated { kind, name })) => {
                tracing::debug!(cluster = %key, kind, name, "the caches are behind");
                Ok(Outcome::Again(Duration::from_millis(200)))
            }
            Err(error) => {
                self.write_failure(key, &kafka, &plan, &error).await?;
                Err(error)
            }
        }
    }

    /// Everything of a plan but the statuses. Returns what a roll waits for.
    async fn carry_out(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        plan: &Plan,
        admin: Option<&Admin>,
    ) -> Result<Option<String>, Error> {
        apply::objects(&self.applier, &self.caches, plan).await?;
        if let Some(admin) = admin {
            for call in &plan.admin {
                tracing::info!(cluster = %key, ?call, "changing Kafka");
                ask::make(admin, call).await?;
            }
        }
        Ok(restarts::step(&self.applier, &self.events, admin, key, observed, plan).await?)
    }

    /// Asks Kafka about itself, once a broker is ready: before that there is nobody who could answer.
    async fn look(&self, key: &ObjectRef, observed: &mut Observed) -> Result<Option<Admin>, Error> {
        let broker = |pod: &k8s_openapi::api::core::v1::Pod| {
            pod.labels().get(api::labels::BROKER_ROLE).is_some_and(|role| role == "true") && is_ready(pod)
        };
        if !observed.pods.values().any(|pod| broker(pod)) {
            return Ok(None);
        }
        let Some(admin) = self.clients.get(key, observed)? else { return Ok(None) };
        let asked = tokio::time::timeout(ASKING, self.view(&admin, observed)).await;
        match asked {
            Ok(Ok(view)) => {
                observed.view = Some(view);
                Ok(Some(admin))
            }
            Ok(Err(error)) => {
                tracing::warn!(cluster = %key, error = %error, "Kafka did not say how it is");
                Ok(None)
            }
            Err(_) => {
                tracing::warn!(cluster = %key, "Kafka did not say in time how it is");
                Ok(None)
            }
        }
    }

    async fn view(&self, admin: &Admin, observed: &Observed) -> Result<KafkaView, ask::Error> {
        let mut view = ask::view(admin).await?;
        let shrinks = observed.pools.iter().any(|pool| {
            let ids = pool.status.as_ref().and_then(|status| status.node_ids.as_ref()).map_or(0, Vec::len);
            usize::try_from(pool.spec.replicas).unwrap_or(0) < ids
        });
        if shrinks {
            view.brokers_with_replicas = Some(ask::brokers_with_replicas(&ask::topics(admin).await?));
        }
        Ok(view)
    }

    /// Plans, makes the keys that the plan asks for, and plans again; compares the configuration of the brokers when
    /// the wanted one is not the one that was compared last.
    async fn plan(
        &self,
        key: &ObjectRef,
        mut observed: Observed,
        admin: Option<&Admin>,
    ) -> Result<(Observed, Plan), Error> {
        for _ in 0..ROUNDS {
            let wanted = plan(&observed, clock::now());
            if !wanted.materials.is_empty() {
                let made = materials::make(wanted.materials).await?;
                observed.made.extend(made);
                continue;
            }
            let verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
            let compared = verified.as_ref() == Some(&wanted.live_config_fingerprint);
            let (Some(admin), Some(view), false) = (admin, observed.view.as_mut(), compared) else {
                return Ok((observed, wanted));
            };
            if view.broker_configs.is_empty() {
                view.broker_configs = ask::broker_configs(admin, &view.active_brokers).await?;
                if view.broker_configs.is_empty() {
                    return Ok((observed, wanted));
                }
                continue;
            }
            let settled = wanted.restarts.is_empty()
                && !wanted
                    .admin
                    .iter()
                    .any(|call| matches!(call, super::actions::AdminCall::AlterBrokerConfig { .. }))
                && view.broker_configs.len() == wanted.nodes.iter().filter(|node| node.broker).count();
            if settled {
                let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
                verified.insert(key.clone(), wanted.live_config_fingerprint.clone());
            }
            return Ok((observed, wanted));
        }
        Err(Error::Endless)
    }

    /// The resource is gone. Kubernetes collects what it owned; what its pools own is ours to delete, because they stay.
    async fn gone(&self, key: &ObjectRef) -> Result<Outcome, Error> {
        self.clients.forget(key);
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        // The cache holds only what the selector accepts: a cluster that another operator looks after is not gone.
        if self.applier.get::<Kafka>(key).await?.is_some() {
            return Ok(Outcome::Done);
        }
        apply::leftovers(&self.applier, &self.caches, key).await?;
        self.release_topics(key).await?;
        Ok(Outcome::Done)
    }

    /// Takes the topic operator's finalizer off the topics of a cluster that goes: the operator that would do it goes
    /// too, and with the cluster there is no topic left to delete.
    async fn release_topics(&self, key: &ObjectRef) -> Result<(), Error> {
        let api: Api<KafkaTopic> = Api::namespaced(self.applier.client().clone(), &key.namespace);
        let selector = format!("{}={}", api::labels::CLUSTER, key.name);
        let list = api.list_metadata(&ListParams::default().labels(&selector)).await;
        let topics = match list {
            Ok(topics) => topics.items,
            // Without the kind there are no topics.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(error) => {
                tracing::warn!(cluster = %key, error = %error, "cannot list the topics of a deleted cluster");
                return Ok(());
            }
        };
        for topic in topics {
            let finalizers = topic.finalizers();
            if !finalizers.iter().any(|one| one == api::annotations::FINALIZER_TOPIC_OPERATOR) {
                continue;
            }
            let kept: Vec<&String> =
                finalizers.iter().filter(|one| *one != api::annotations::FINALIZER_TOPIC_OPERATOR).collect();
            let patch = json!({"metadata": {
                "finalizers": kept,
                "resourceVersion": topic.resource_version(),
            }});
            let topic_key = ObjectRef::new(&key.namespace, topic.name_any());
            self.applier.merge::<KafkaTopic>(&topic_key, &patch).await?;
        }
        Ok(())
    }

    async fn write_paused(&self, key: &ObjectRef, kafka: &Kafka) -> Result<(), Error> {
        let generation = kafka.status.as_ref().and_then(|status| status.observed_generation);
        self.write_conditions(key, kafka, vec![Condition::paused()], generation).await
    }

    /// Says in the status why a pass failed; what was known of the cluster stays.
    async fn write_failure(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        plan: &Plan,
        error: &Error,
    ) -> Result<(), Error> {
        let reason = match error {
            Error::Kubernetes(_) | Error::Apply(_) => "KubernetesError",
            Error::Kafka(_) | Error::Client(_) => reasons::KAFKA_ERROR,
            Error::Material(_) | Error::Endless => reasons::INTERNAL_ERROR,
        };
        let planned = plan.status.kafka.as_ref().and_then(|status| status.get("conditions"));
        let mut conditions: Vec<Condition> =
            planned.and_then(|planned| serde_json::from_value(planned.clone()).ok()).unwrap_or_default();
        conditions.retain(|condition| condition.is(api::conditions::types::WARNING));
        conditions.push(Condition::not_ready(reason, error.to_string()));
        self.write_conditions(key, kafka, conditions, kafka.metadata.generation).await
    }

    async fn write_conditions(
        &self,
        key: &ObjectRef,
        kafka: &Kafka,
        conditions: Vec<Condition>,
        generation: Option<i64>,
    ) -> Result<(), Error> {
        let old = kafka.status.as_ref().and_then(|status| status.conditions.as_deref());
        let now: Timestamp = clock::now();
        let live = kafka.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        let mut wanted = live.clone().unwrap_or_else(|| json!({}));
        wanted["conditions"] = serde_json::to_value(merge(conditions, old, now)).unwrap_or(Value::Null);
        wanted["observedGeneration"] = generation.into();
        self.applier.patch_status::<Kafka>(key, live.as_ref(), &wanted).await?;
        Ok(())
    }
}

/// When to look again.
fn again(plan: &Plan, waits: bool) -> Outcome {
    let planned = plan.requeue_seconds.map(Duration::from_secs);
    let after = if waits { Some(planned.map_or(WAITING, |planned| planned.min(WAITING))) } else { planned };
    after.map_or(Outcome::Done, Outcome::Again)
}
