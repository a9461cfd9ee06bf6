//! The pass over a pod set: what a plan depends on, and how it is carried out. No policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::StrimziPodSet;
use api::conditions::events as event_words;
use api::kinds;
use api::strimzi_pod_set::StrimziPodSetStatus;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PropagationPolicy;
use operator_runtime::apply::Applier;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{self, Events, Note, Severity};
use operator_runtime::leader::Mandate;
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef};
use serde_json::{Value, json};

use super::create::create;
use super::errors::PodErrors;
use super::resize::{Resized, resize};
use crate::caches::Caches;
use crate::controller::Queues;
use crate::kind::{After, AnswersOf, Done, Error, Kind, Seen, StatusAfter};
use crate::room::{BUSY, Place, Room};
use crate::unreadable::too_much;
use planner::completion::Observation;
use planner::plan::Never;
use planner::pod_set::plan::{self, PodCall, PodSetPlan, ResizeCall};
use planner::pod_set::pod_error::{self, PodError};

/// A pod set that is looked after.
#[derive(Debug)]
pub(crate) struct LiveSet {
    set: Arc<StrimziPodSet>,
    /// Whose it is.
    parent: OwnerRef,
    pods: Vec<Arc<Pod>>,
    /// Why the pods cannot be looked at together: there are too many large ones.
    too_large: Option<String>,
    _place: Place,
}

impl Observation for LiveSet {
    type Plan = PodSetPlan;
    type Answer = Never;

    fn plan(&self, now: Timestamp) -> PodSetPlan {
        match &self.too_large {
            Some(why) => plan::too_large(&self.set, why, now),
            None => plan::plan(&self.set, &self.pods),
        }
    }

    fn answer(&mut self, need: Never, _: Never) {
        match need {}
    }
}

/// What could not be done to a pod, by its name.
type NamedError = (String, PodError);

/// What the passes over all pod sets share.
#[derive(Clone)]
pub(crate) struct PodSets {
    caches: Caches,
    applier: Applier,
    events: Events,
    errors: PodErrors,
    /// The passes over what the sets were made for: they say in the status what could not be done to pods.
    queues: Queues,
    mandate: Mandate,
    /// How many large sets are looked at a time.
    room: Arc<Room>,
}

impl Kind for PodSets {
    const NAME: &'static str = kinds::STRIMZI_POD_SET;
    const CALLS_AT_A_TIME: usize = 32;
    type Resource = StrimziPodSet;
    type Observed = LiveSet;
    type Said = Option<NamedError>;

    fn resources(&self) -> &Cache<StrimziPodSet> {
        &self.caches.pod_sets
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<LiveSet>, Error> {
        // Pods are found by labels, which everybody may give to any number of them.
        let bytes = self.caches.bytes_of_set(key);
        let Some(place) = self.room.enter_to_read(bytes) else { return Ok(Seen::Settled(BUSY)) };
        // The last readable state of a set that cannot be read is not what is wished any more.
        let readable = self.caches.pod_sets.unreadable(key).is_none();
        let set = self.caches.pod_sets.get(key).filter(|_| readable);
        // Garbage collection removes the pods of a set that is deleted, or leaves them when the deletion was asked to orphan
        // them.
        let set = set.filter(|set| set.metadata.deletion_timestamp.is_none());
        let parent = set.as_ref().and_then(|set| OwnerRef::of_labels(&set.metadata));
        let Some((set, parent)) = set.zip(parent.filter(|parent| self.caches.looks_after(parent))) else {
            self.errors.note(key, BTreeMap::new());
            return Ok(Seen::Settled(Outcome::Done));
        };
        let too_large = too_much(bytes, self.caches.largest_cluster);
        let pods = if too_large.is_none() { self.caches.pods_of_set(key) } else { Vec::new() };
        Ok(Seen::Live(LiveSet { set, parent, pods, too_large, _place: place }))
    }

    fn looked_after<'a>(&self, observed: &'a LiveSet) -> Option<&'a Arc<StrimziPodSet>> {
        Some(&observed.set)
    }

    async fn answer(&self, _: &ObjectRef, _: &LiveSet, _: Vec<Never>) -> Result<AnswersOf<Self>, Error> {
        Ok(Vec::new())
    }

    /// What is refused ends no pass: it stands in the statuses, and the other calls are made.
    async fn call(
        &self,
        key: &ObjectRef,
        observed: &LiveSet,
        call: &PodCall,
    ) -> Result<Option<NamedError>, Error> {
        let pod = ObjectRef::new(&key.namespace, call.pod());
        let done = match call {
            PodCall::Create(wanted) => {
                let uid = observed.set.metadata.uid.as_deref();
                create(&self.applier, &key.namespace, uid, wanted).await
            }
            PodCall::Delete(_, uid) => {
                self.mandate.check()?;
                match self.applier.delete::<Pod>(&pod, uid.as_deref(), PropagationPolicy::Background).await {
                    Ok(_) => {
                        tracing::info!(%pod, set = key.name, "pod deleted");
                        Ok(())
                    }
                    // Another pod has the name by now: the watch brings it.
                    Err(error) if error.is_conflict() => Ok(()),
                    Err(error) => Err(error.why()),
                }
            }
            PodCall::Adopt(_) => {
                let owner = plan::owner_reference(&observed.set);
                self.change(&pod, json!({"ownerReferences": [owner]})).await
            }
            PodCall::Resize(wanted) => match resize(&self.applier, &key.namespace, wanted).await {
                Ok(Resized::Done) => {
                    self.tell_of_resize(observed, wanted, None);
                    Ok(())
                }
                Ok(Resized::Refused(why)) => {
                    self.tell_of_resize(observed, wanted, Some(&why));
                    Ok(())
                }
                Ok(Resized::Gone) => Ok(()),
                Err(error) => Err(error.why()),
            },
            PodCall::Relabel(_, labels) => self.change(&pod, json!({"labels": labels})).await,
        };
        Ok(done.err().map(|why| (pod.name, PodError { action: call.action(), why })))
    }

    async fn after(
        &self,
        key: &ObjectRef,
        observed: &LiveSet,
        plan: &PodSetPlan,
        done: Done<Option<NamedError>>,
    ) -> Result<After<StrimziPodSetStatus>, Error> {
        // A process that does not lead any more says nothing.
        let errors: Vec<Option<NamedError>> = done.said.into_iter().collect::<Result<_, _>>()?;
        let errors: BTreeMap<String, PodError> = errors.into_iter().flatten().collect();
        let status = plan.status.clone().unwrap_or_default();
        let status = pod_error::note(status, &observed.set, &errors, clock::now());
        let failure = (!errors.is_empty()).then(|| pod_error::words(&errors));
        self.say(observed, key, errors);
        Ok(After { status: StatusAfter::Changed(status), failure, ..After::default() })
    }
}

impl PodSets {
    /// From its parts.
    pub(crate) fn new(
        caches: Caches,
        applier: Applier,
        events: Events,
        errors: PodErrors,
        queues: Queues,
        mandate: Mandate,
    ) -> Self {
        Self { caches, applier, events, errors, queues, mandate, room: Arc::default() }
    }

    /// Tells whoever looks at events that a pod was resized, or why it was not.
    fn tell_of_resize(&self, observed: &LiveSet, call: &ResizeCall, refused: Option<&str>) {
        let pod = observed.pods.iter().find(|pod| pod.metadata.name.as_ref() == Some(&call.pod));
        let (reason, text, severity) = match refused {
            None => {
                tracing::info!(pod = call.pod, "pod resized");
                let text = format!("pod {} gets other resources without a restart", call.pod);
                (event_words::POD_RESIZED, text, Severity::Normal)
            }
            Some(why) => {
                tracing::warn!(pod = call.pod, why, "pod cannot be resized without a restart");
                let text = format!("pod {} is restarted for other resources: {why}", call.pod);
                (event_words::FAILED_RESIZE, text, Severity::Warning)
            }
        };
        self.events.publish(Note {
            regarding: events::reference(&*observed.set),
            related: pod.map(|pod| events::reference(&**pod)),
            reason: reason.to_owned(),
            action: event_words::RESIZE_POD.to_owned(),
            text,
            severity,
        });
    }

    /// Changes the metadata of a pod; where that is refused, why. A pod that is gone needs no change.
    async fn change(&self, pod: &ObjectRef, metadata: Value) -> Result<(), String> {
        match self.applier.merge::<Pod>(pod, &json!({"metadata": metadata})).await {
            Err(error) if !error.is_gone() => Err(error.why()),
            _ => Ok(()),
        }
    }

    /// Tells the owner of the set, and whoever looks at events, what could not be done to pods, when that is news.
    fn say(&self, observed: &LiveSet, key: &ObjectRef, errors: BTreeMap<String, PodError>) {
        if !self.errors.note(key, errors.clone()) {
            return;
        }
        self.queues.add(&observed.parent);
        for (event, errors) in pod_error::by_event(errors) {
            self.events.publish(Note {
                regarding: events::reference(&*observed.set),
                related: None,
                reason: event.reason.to_owned(),
                action: event.action.to_owned(),
                text: pod_error::words(&errors),
                severity: Severity::Warning,
            });
        }
    }
}
