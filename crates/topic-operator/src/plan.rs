//! What to do about one KafkaTopic. Pure: no I/O, no clock, no randomness.

use rebalance::{Broker, Move, PartitionState, Throttles};

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    config::{self, Config, ConfigDiff, THROTTLE_KEYS},
    observe::ObservedTopic,
    resource::TopicResource,
    settings::PlanSettings,
    topic::{ChangeState, ReplicasChange, ResourceRef, is_kafkas_own, name_problem},
};

/// Who else wants the topic of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The resource manages the topic; `heir` says which resource would take it over.
    Owner {
        /// The managed resource that wants the same topic and comes next.
        heir: Option<ResourceRef>,
    },
    /// Another resource manages the topic.
    TakenBy(ResourceRef),
}

/// The first decision, made without a look at Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Intent {
    /// Nothing to do.
    Nothing,
    /// Take the finalizer off and leave the topic alone.
    Release,
    /// Delete this topic, then take the finalizer off.
    Delete(Box<str>),
    /// Leave the topic to this resource: once that holds it with a finalizer, take the finalizer off.
    HandOver(ResourceRef),
    /// Say that the topic is not managed.
    ReportUnmanaged,
    /// Say that reconciliation is paused.
    ReportPaused,
    /// Say why nothing can be done.
    Refuse(Refusal),
    /// Compare with Kafka.
    Reconcile,
}

/// Decides what a resource asks for at all (in Strimzi's order: deletion, unmanaged, paused, managed).
/// `cluster_goes_away`: the Kafka resource is being deleted or was deleted, and Kafka goes with all its topics.
pub(crate) fn intent(resource: &TopicResource, claim: &Claim, cluster_goes_away: bool) -> Intent {
    let release = if resource.has_finalizer() { Intent::Release } else { Intent::Nothing };
    if cluster_goes_away || !resource.selected {
        return release;
    }
    if resource.deleting {
        if !resource.has_finalizer() || !resource.managed {
            return release;
        }
        return match claim {
            Claim::TakenBy(_) => Intent::Release,
            // The heir says that the topic shall exist: its records outlive the resource that goes.
            Claim::Owner { heir: Some(heir) } => Intent::HandOver(heir.clone()),
            Claim::Owner { heir: None } => deletion(resource.claimed_topic()).unwrap_or(Intent::Release),
        };
    }
    if !resource.managed {
        return Intent::ReportUnmanaged;
    }
    if resource.paused {
        return Intent::ReportPaused;
    }
    if let Claim::TakenBy(other) = claim {
        return Intent::Refuse(Refusal::new(reasons::RESOURCE_CONFLICT, other.conflict_text()));
    }
    if let Some(failure) = invalid(resource) {
        return Intent::Refuse(failure);
    }
    Intent::Reconcile
}

/// Deletes a topic with its resource; none: there can be no such topic, or it is Kafka's own, which outlives every resource.
fn deletion(topic: &str) -> Option<Intent> {
    (name_problem(topic).is_none() && !is_kafkas_own(topic)).then(|| Intent::Delete(topic.into()))
}

/// True when a resource, as it is now, will look after the topic that another one leaves to it.
pub(crate) fn is_heir(resource: &TopicResource, topic: &str) -> bool {
    resource.managed && resource.selected && !resource.deleting && resource.claimed_topic() == topic
}

/// True when a resource whose topic should be deleted is let go without that, because its namespace ends.
pub(crate) fn lets_go(
    resource: &TopicResource,
    namespace_ends: bool,
    kafka_answers: bool,
    settings: &PlanSettings,
) -> bool {
    // The cluster goes with its own namespace: nothing to delete, and nothing to wait for. Another namespace, be it
    // the watched one, has its topics deleted, but does not wait for a Kafka that is away.
    namespace_ends && (*resource.reference.namespace == *settings.cluster_namespace || !kafka_answers)
}

/// True when a resource that left the watch has to be looked up: it may have been deleted, or only have lost its
/// labels. `sole_owner`: it managed its topic, and no other resource wants it.
pub(crate) fn wants_lookup(
    known: &TopicResource,
    sole_owner: bool,
    cluster_goes_away: bool,
    settings: &PlanSettings,
) -> bool {
    let may_delete = known.managed && sole_owner && !settings.use_finalizers && !cluster_goes_away;
    known.has_finalizer() || may_delete
}

/// What a resource asks for that left the watch, once it was looked up; `now` may be a successor of the same name.
/// `topic_stays`: another resource wants its topic, or the cluster goes away with all topics. `untold`: no finalizer could tell
/// of its deletion, because there are none or because the deletion took no notice of it.
pub(crate) fn intent_of_unwatched(
    known: &TopicResource,
    now: Option<&TopicResource>,
    topic_stays: bool,
    untold: bool,
) -> Option<Intent> {
    let successor_wants_it =
        now.is_some_and(|now| now.uid != known.uid && now.claimed_topic() == known.claimed_topic());
    match now.filter(|now| now.uid == known.uid) {
        // Another operator has written which topic it manages: the finalizer is its own by now.
        Some(now)
            if known.status.topic_id.is_some()
                && now.status.topic_id.is_some()
                && now.status.topic_id != known.status.topic_id =>
        {
            None
        }
        // The label left: the topic is no longer ours, and must not be held up by us.
        Some(now) if !now.selected && now.has_finalizer() => Some(Intent::Release),
        None if untold && known.managed && !topic_stays && !successor_wants_it => {
            deletion(known.claimed_topic())
        }
        _ => None,
    }
}

fn invalid(resource: &TopicResource) -> Option<Refusal> {
    if let Some(managed) = resource.status.topic_name.as_deref()
        && managed != &*resource.topic_name
    {
        return Some(Refusal::new(
            reasons::NOT_SUPPORTED,
            format!(
                "changing spec.topicName is not supported: this resource manages topic '{managed}'; write that name \
                 again, or make another KafkaTopic for '{}'",
                resource.topic_name
            ),
        ));
    }
    if let Some(problem) = name_problem(&resource.topic_name) {
        return Some(Refusal::new(reasons::KAFKA_ERROR, problem));
    }
    if let Some(partitions) = resource.partitions.filter(|p| *p < 1) {
        return Some(Refusal::new(
            reasons::INVALID_RESOURCE,
            format!(
                "spec.partitions is {partitions}: write 1 or more, or leave it out for the broker's default"
            ),
        ));
    }
    if let Some(replicas) = resource.replicas.filter(|r| !(1..=i32::from(i16::MAX)).contains(r)) {
        return Some(Refusal::new(
            reasons::INVALID_RESOURCE,
            format!(
                "spec.replicas is {replicas}: write 1 to 32767, or leave it out for the broker's default"
            ),
        ));
    }
    match &resource.config {
        Ok(config) => config.too_long().map(|problem| Refusal::new(reasons::INVALID_RESOURCE, problem)),
        Err(problem) => Some(Refusal::new(reasons::INVALID_RESOURCE, problem.to_string())),
    }
}

/// True when the finalizer has to be put on before anything is made in Kafka.
pub(crate) fn wants_finalizer(resource: &TopicResource, settings: &PlanSettings) -> bool {
    settings.use_finalizers && !resource.has_finalizer() && !resource.deleting
}

/// True when a finalizer of an earlier setting has to be taken off.
pub(crate) fn sheds_finalizer(resource: &TopicResource, settings: &PlanSettings) -> bool {
    !settings.use_finalizers && resource.has_finalizer()
}

/// A topic to be made; none means the broker's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Creation {
    /// How many partitions.
    pub partitions: Option<i32>,
    /// How many replicas.
    pub replicas: Option<i32>,
    /// The configuration.
    pub config: Config,
}

/// What happens to the replicas of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Replicas {
    /// They are as wanted, and no change is being reported.
    #[default]
    AsWanted,
    /// A change that was reported has ended: throttles can go.
    Ended,
    /// Kafka moves replicas towards the wanted factor.
    Moving {
        /// Partitions that still move.
        left: usize,
    },
    /// These moves have to be handed to Kafka.
    Start {
        /// The new replica lists.
        moves: Vec<Move>,
        /// The throttles they need.
        throttles: Throttles,
    },
    /// The change has to wait for another one on the same topic; it is reported as pending.
    Wait,
}

impl Replicas {
    /// What the status says about the change; `wanted` and `reported` are those of the resource.
    pub(crate) fn report(
        &self,
        wanted: Option<i32>,
        reported: Option<&ReplicasChange>,
    ) -> Option<ReplicasChange> {
        let (state, message) = match self {
            Self::AsWanted | Self::Ended => return None,
            Self::Moving { left } => (ChangeState::Ongoing, format!("{left} partitions are being moved")),
            Self::Start { moves, .. } => {
                (ChangeState::Pending, format!("{} partitions have to be moved", moves.len()))
            }
            Self::Wait => (ChangeState::Pending, "waiting for new partitions".to_owned()),
        };
        let target = wanted.or(reported.map(|change| change.target)).unwrap_or_default();
        Some(ReplicasChange { target, state, message: Some(message.into()), session: None })
    }
}

/// Everything that has to be done about one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Make the topic.
    pub create: Option<Creation>,
    /// Keys to set and to remove.
    pub config: ConfigDiff,
    /// Raise the number of partitions to this.
    pub grow_to: Option<i32>,
    /// Move replicas.
    pub replicas: Replicas,
    /// What cannot be done; the rest is done all the same.
    pub refusals: Vec<Refusal>,
    /// Messages of Warning conditions (reason `InvalidConfig`).
    pub warnings: Vec<String>,
    /// A remark for the log.
    pub remark: Option<String>,
}

/// Compares a managed, valid resource with its topic. `brokers` are needed only where
/// [`ObservedTopic::replicas_differ`].
pub(crate) fn plan(
    resource: &TopicResource,
    observed: Option<&ObservedTopic>,
    brokers: &[Broker],
    settings: &PlanSettings,
) -> Plan {
    let mut out = Plan::default();
    let empty = Config::default();
    let desired = resource.config.as_ref().unwrap_or(&empty);
    warn_of_throttles(desired, settings, &mut out);
    let Some(topic) = observed else {
        out.create = Some(Creation {
            partitions: resource.partitions,
            replicas: resource.replicas,
            config: desired.clone(),
        });
        return out;
    };
    plan_partitions(resource, topic, &mut out);
    plan_replicas(resource, topic, brokers, desired, &mut out);
    let moving = matches!(out.replicas, Replicas::Moving { .. } | Replicas::Start { .. } | Replicas::Wait);
    // With Cruise Control the throttles may be its own, unless this operator reports a change of its own.
    let foreign = settings.cruise_control && !matches!(out.replicas, Replicas::Ended);
    let keep: &[&str] = if moving || foreign { &THROTTLE_KEYS } else { &[] };
    out.config = config::diff(desired, &topic.config, &topic.kinds, &settings.alterable, keep);
    if is_kafkas_own(&resource.topic_name) {
        // Kafka made the topic with options that it needs: without compaction it would lose what it keeps there.
        out.config.remove.clear();
    }
    if matches!(out.replicas, Replicas::Ended) {
        // Set by this operator, so the alterable policy does not protect them.
        for key in THROTTLE_KEYS {
            if desired.get(key).is_none()
                && topic.config.get(key).is_some()
                && !out.config.remove.iter().any(|k| k == key)
            {
                out.config.remove.push(key.to_owned());
            }
        }
    }
    for key in &out.config.refused {
        out.warnings.push(format!(
            "spec.config.{key} differs from the topic and is not alterable (STRIMZI_ALTERABLE_TOPIC_CONFIG): the \
             topic keeps its value"
        ));
    }
    out
}

fn warn_of_throttles(desired: &Config, settings: &PlanSettings, out: &mut Plan) {
    if !settings.cruise_control {
        return;
    }
    for key in THROTTLE_KEYS {
        if desired.get(key).is_some() {
            out.warnings.push(format!(
                "spec.config.{key} is applied, but Cruise Control sets the same key while it moves replicas: remove \
                 it from the resource"
            ));
        }
    }
}

fn plan_partitions(resource: &TopicResource, topic: &ObservedTopic, out: &mut Plan) {
    let Some(wanted) = resource.partitions else { return };
    let have = topic.partitions.len() as i32;
    if wanted < have {
        out.refusals.push(Refusal::new(
            reasons::NOT_SUPPORTED,
            format!(
                "decreasing partitions is not supported: spec.partitions is {wanted}, the topic has {have}; write \
                 {have} or more"
            ),
        ));
    } else if wanted > have && is_kafkas_own(&resource.topic_name) {
        // Kafka finds what it keeps there by the number of partitions.
        out.refusals.push(Refusal::new(
            reasons::NOT_SUPPORTED,
            format!(
                "spec.partitions is {wanted}, the topic has {have}: of Kafka's own topic '{}' the number cannot change, or \
                 Kafka would not find again what it keeps there; write {have}, or leave it out",
                resource.topic_name
            ),
        ));
    } else if wanted > have && topic.partitions.iter().any(PartitionState::is_moving) {
        out.refusals.push(Refusal::passing(
            reasons::KAFKA_ERROR,
            format!(
                "spec.partitions is {wanted}, the topic has {have}: Kafka adds partitions once the running move of its \
                 replicas has ended"
            ),
        ));
    } else if wanted > have {
        out.grow_to = Some(wanted);
    }
}

fn plan_replicas(
    resource: &TopicResource,
    topic: &ObservedTopic,
    brokers: &[Broker],
    desired: &Config,
    out: &mut Plan,
) {
    let reported = resource.status.replicas_change.is_some();
    let ended = if reported { Replicas::Ended } else { Replicas::AsWanted };
    let left = topic.partitions.iter().filter(|p| p.is_moving()).count();
    let Some(wanted) = resource.replicas else {
        // The factor left the resource in the middle of a change: Kafka finishes what it began.
        out.replicas = if reported && left > 0 { Replicas::Moving { left } } else { ended };
        return;
    };
    if topic.partitions.iter().all(|p| p.target().len() as i32 == wanted) {
        // A move that keeps the factor is a rebalance by a user or a tool, not a change of the factor.
        let changes = |p: &PartitionState| p.replicas.len() - p.adding.len() != wanted as usize;
        let ours = reported || topic.partitions.iter().any(|p| p.is_moving() && changes(p));
        out.replicas = if left > 0 && ours {
            Replicas::Moving { left }
        } else if left > 0 {
            Replicas::AsWanted
        } else {
            ended
        };
        return;
    }
    if out.grow_to.is_some() {
        // New partitions first: Kafka adds none to a topic whose replicas move.
        out.replicas = Replicas::Wait;
        return;
    }
    match rebalance::moves(&topic.partitions, brokers, wanted as usize) {
        Err(too_few) => {
            out.refusals.push(Refusal::passing(
                reasons::KAFKA_ERROR,
                format!(
                    "spec.replicas is {} but only {} brokers are available: write {} or less, or add brokers",
                    too_few.wanted, too_few.brokers, too_few.brokers
                ),
            ));
            out.replicas = if left > 0 { Replicas::Moving { left } } else { ended };
        }
        Ok(moves) => {
            let in_sync = desired.get("min.insync.replicas").or(topic.config.get("min.insync.replicas"));
            if let Some(min) = in_sync.and_then(|v| v.parse::<i32>().ok())
                && wanted < min
            {
                out.remark = Some(format!(
                    "spec.replicas {wanted} is below min.insync.replicas {min}: producers with acks=all will be refused"
                ));
            }
            let throttles = rebalance::throttles(&topic.partitions, &moves);
            out.replicas = Replicas::Start { moves, throttles };
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
