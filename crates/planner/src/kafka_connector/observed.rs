//! What the plan of a KafkaConnector depends on, and the plan.

use std::sync::Arc;
use std::time::Duration;

use api::common::connector::AutoRestartStatus;
use api::conditions::{reasons, types};
use api::{KafkaConnector, KafkaConnectorStatus, annotations};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::actual::{Actual, State};
use super::asked::{self, Annotation};
use super::auto_restart::{self, Policy, Verdict};
use super::past::Past;
use super::status::{self, Details};
use super::transition::{self, Doing, Situation, Standing, Step};
use super::wanted;
use crate::completion::{Observation, plan_with_common};
use crate::findings::{Findings, Problem};
use crate::plan;
use crate::status::paused;
use crate::view::is_paused;

/// How long a Connect that does not answer may be away before connectors that were ready count as not ready: a worker that is
/// replaced is back by then.
pub const AWAY: SignedDuration = SignedDuration::from_secs(30);

/// The Connect cluster that a connector is to run in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// The resource names none.
    Unnamed,
    /// This operator looks after no KafkaConnect of the name. `exists`: whether there is one all the same, which another operator looks
    /// after; `None`: the API server was not asked.
    Unknown {
        /// The name.
        name: String,
        /// Whether it exists.
        exists: Option<bool>,
    },
    /// It is not set up for connector resources.
    WithoutResources {
        /// The name.
        name: String,
    },
    /// It has no workers, on purpose.
    WithoutWorkers {
        /// The name.
        name: String,
    },
    /// There is no Service of its own through which it could be asked.
    WithoutService {
        /// The name.
        name: String,
        /// What is the matter with the Service.
        why: String,
    },
    /// It can be asked.
    Usable {
        /// The name.
        name: String,
    },
}

/// What Connect says of the connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeenInConnect {
    /// Connect was not asked.
    Unasked,
    /// No worker answers.
    Away {
        /// Since when.
        since: Timestamp,
    },
    /// The list of connectors cannot be used: why.
    Unusable(String),
    /// It has the connector, or has not.
    Here(Option<Actual>),
}

/// What has to be known first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum ConnectorNeed {
    /// Whether there is a KafkaConnect of this name, which this operator does not look after.
    ConnectNamed(String),
    /// The topics of the connector.
    Topics,
}

/// The answer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorAnswer {
    /// Whether it exists.
    Exists(bool),
    /// The topics; `None`: they are not known.
    Topics(Option<Vec<String>>),
}

/// A KafkaConnector and what is known of it.
#[derive(Debug, Clone)]
pub struct ObservedConnector {
    /// The resource.
    pub connector: Arc<KafkaConnector>,
    /// Where it is to run.
    pub cluster: Cluster,
    /// What Connect says.
    pub seen: SeenInConnect,
    /// What was done before.
    pub past: Past,
    /// Annotations whose work is done and that are still there.
    pub answered: Vec<Annotation>,
    /// Whether it is this connector's turn to be asked for its topics.
    pub topics_wanted: bool,
    /// Its topics, once they were asked for.
    pub topics: Option<Option<Vec<String>>>,
}

/// What the plan of a connector has in common with those of other kinds. It has one call at most.
type Common = plan::Plan<ConnectorNeed, Doing, Option<KafkaConnectorStatus>>;

/// What a pass does. Annotations are taken off after the call.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ConnectorPlan {
    /// What it has in common with the plans of other kinds.
    #[serde(flatten)]
    pub common: Common,
    /// Annotations to take off, since what they ask for was done.
    pub take_off: Vec<Annotation>,
    /// Whether it waits for a Connect that is away.
    pub waits_for_connect: bool,
}

plan_with_common!(ConnectorPlan, Common);

impl ConnectorPlan {
    fn asking(need: ConnectorNeed) -> Self {
        Common::asking(vec![need]).into()
    }

    fn saying(status: KafkaConnectorStatus) -> Self {
        Common { status: Some(status), ..Common::default() }.into()
    }
}

impl Observation for ObservedConnector {
    type Plan = ConnectorPlan;
    type Answer = ConnectorAnswer;

    fn prepare(&mut self, now: Timestamp) {
        let SeenInConnect::Here(actual) = &self.seen else { return };
        self.past.see(actual.as_ref().map(|actual| &actual.connector.state), now);
        let has_failed = actual.as_ref().is_some_and(Actual::has_failed);
        self.forget_restarts(has_failed, now);
    }

    fn plan(&self, now: Timestamp) -> ConnectorPlan {
        if is_paused(&*self.connector) {
            return ConnectorPlan::saying(paused(&*self.connector, now));
        }
        let name = match &self.cluster {
            Cluster::Usable { name } => name,
            Cluster::Unknown { name, exists: None } => {
                return ConnectorPlan::asking(ConnectorNeed::ConnectNamed(name.clone()));
            }
            // Another operator looks after it, or this one will in a moment.
            Cluster::Unknown { exists: Some(true), .. } => return ConnectorPlan::default(),
            Cluster::WithoutService { name, why } => {
                let message = format!(
                    "Kafka Connect cluster {name} cannot be asked: {why}; see the status of the KafkaConnect resource {name}"
                );
                return self.away(&message, now);
            }
            other => return self.unusable(reasons::NO_SUCH_RESOURCE, &cluster_words(other), now),
        };
        match &self.seen {
            SeenInConnect::Here(actual) => self.plan_here(actual.as_ref(), now),
            SeenInConnect::Unusable(why) => {
                let plan = self.unusable(reasons::CONNECT_REST, why, now);
                ConnectorPlan { waits_for_connect: true, ..plan }
            }
            SeenInConnect::Away { since } => self.plan_away(name, *since, now),
            SeenInConnect::Unasked => ConnectorPlan { waits_for_connect: true, ..ConnectorPlan::default() },
        }
    }

    fn answer(&mut self, _: ConnectorNeed, answer: ConnectorAnswer) {
        match answer {
            ConnectorAnswer::Topics(topics) => self.topics = Some(topics),
            ConnectorAnswer::Exists(exists) => {
                if let Cluster::Unknown { exists: known, .. } = &mut self.cluster {
                    *known = Some(exists);
                }
            }
        }
    }
}

impl ObservedConnector {
    /// Restarts are remembered until the status shows them, and no longer than they count: the status says of them what is known.
    fn forget_restarts(&mut self, has_failed: bool, now: Timestamp) {
        let Some(remembered) = &self.past.restarted else { return };
        let told = self.connector.status.as_ref().and_then(|status| status.auto_restart.as_ref());
        let policy = Policy::of(self.connector.spec.auto_restart.as_ref());
        let is_told = told.is_some() && later(Some(remembered), told) == told;
        if is_told || auto_restart::decide(policy, Some(remembered), has_failed, now) == Verdict::Nothing {
            self.past.restarted = None;
        }
    }

    fn unusable(&self, reason: &str, message: &str, now: Timestamp) -> ConnectorPlan {
        ConnectorPlan::saying(status::unusable(&self.connector, reason, message, now))
    }

    fn plan_away(&self, cluster: &str, since: Timestamp, now: Timestamp) -> ConnectorPlan {
        let told_at = since + AWAY;
        let status = self.connector.status.as_ref();
        let is_ready = status.is_some_and(|status| {
            let mut conditions = status.conditions.iter().flatten();
            status.observed_generation == self.connector.metadata.generation
                && conditions.any(|condition| condition.is(types::READY))
        });
        if is_ready && now < told_at {
            let mut plan = ConnectorPlan { waits_for_connect: true, ..ConnectorPlan::default() };
            plan.look_again_after(Duration::try_from(told_at.duration_since(now)).unwrap_or_default());
            return plan;
        }
        let message = format!(
            "no worker of Kafka Connect cluster {cluster} answers: the connector is looked after when one does; see the KafkaConnect \
             resource {cluster} and its pods"
        );
        self.away(&message, now)
    }

    /// Connect cannot be asked: the status says so, and what was known of the connector stays.
    fn away(&self, message: &str, now: Timestamp) -> ConnectorPlan {
        let mut status = status::unusable(&self.connector, reasons::CONNECT_AWAY, message, now);
        // What was known of it is the best that there is.
        let old = self.connector.status.clone().unwrap_or_default();
        (status.connector_status, status.tasks_max, status.topics) =
            (old.connector_status, old.tasks_max, old.topics);
        ConnectorPlan { waits_for_connect: true, ..ConnectorPlan::saying(status) }
    }

    fn plan_here(&self, actual: Option<&Actual>, now: Timestamp) -> ConnectorPlan {
        let mut findings = Findings::default();
        let asked = asked::of(&self.connector, &mut findings);
        let wanted = wanted::of(&self.connector, &mut findings);
        let is_answered = |annotation: &Annotation| self.answered.contains(annotation);
        let (done, asked): (Vec<_>, Vec<_>) =
            asked.into_iter().partition(|asked| is_answered(&asked.annotation));
        let take_off = done.into_iter().map(|asked| asked.annotation).collect();
        let Some(wanted) = wanted else {
            let message: Vec<String> = findings.problems.iter().map(Problem::to_string).collect();
            let standing = Standing::Wrong { reason: reasons::INVALID_RESOURCE, message: message.join("; ") };
            let details = Details { actual, warnings: &findings.warnings, topics: None, waits_since: None };
            let status = status::of(&self.connector, &standing, &details, now);
            return ConnectorPlan { take_off, ..Common { status, ..Common::default() }.into() };
        };
        let before = self.connector.status.as_ref().and_then(|status| status.auto_restart.as_ref());
        let mut step = transition::step(&Situation {
            wanted: &wanted,
            actual,
            asked: &asked,
            restarts: later(before, self.past.restarted.as_ref()),
            past: &self.past,
            now,
        });
        let runs = actual.is_some_and(|actual| actual.connector.state == State::Running);
        if self.topics_wanted && runs && step.doing.is_none() && self.topics.is_none() {
            return ConnectorPlan::asking(ConnectorNeed::Topics);
        }
        step.warnings.splice(0..0, findings.warnings);
        self.carry(actual, step, take_off, now)
    }

    fn carry(
        &self,
        actual: Option<&Actual>,
        step: Step,
        take_off: Vec<Annotation>,
        now: Timestamp,
    ) -> ConnectorPlan {
        let details = Details {
            actual,
            warnings: &step.warnings,
            topics: self.topics.as_ref().and_then(Option::as_deref),
            waits_since: self.past.waits_since(),
        };
        let mut status = status::of(&self.connector, &step.standing, &details, now);
        let made = step.doing.as_ref().and_then(|doing| doing.restarts.clone());
        if let Some(status) = &mut status {
            status.auto_restart = made.or(step.restarts);
        }
        let look_again =
            step.look_at.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        let name = self.connector.metadata.name.as_deref().unwrap_or_default();
        let events = step.doing.iter().filter_map(|doing| doing.event(name, 0)).collect();
        let calls = step.doing.into_iter().collect();
        ConnectorPlan { take_off, ..Common { calls, status, events, look_again, ..Common::default() }.into() }
    }
}

/// The restarts that the status says, or later ones that it does not say yet.
pub(crate) fn later<'a>(
    told: Option<&'a AutoRestartStatus>,
    remembered: Option<&'a AutoRestartStatus>,
) -> Option<&'a AutoRestartStatus> {
    let at = |status: &&AutoRestartStatus| {
        status.last_restart_timestamp.as_deref().and_then(|at| at.parse::<Timestamp>().ok())
    };
    [told, remembered].into_iter().flatten().max_by_key(at)
}

fn cluster_words(cluster: &Cluster) -> String {
    match cluster {
        Cluster::Unnamed => format!(
            "the label {} is missing: write the name of a KafkaConnect resource of this namespace",
            api::labels::CLUSTER
        ),
        Cluster::Unknown { name, .. } => format!(
            "there is no KafkaConnect resource {name} in this namespace, which the label {} names: make it, or correct the label",
            api::labels::CLUSTER
        ),
        Cluster::WithoutResources { name } => format!(
            "KafkaConnect resource {name} is not set up for connector resources: give it the annotation {}: \"true\" (connectors that were \
             made by its REST API and have no KafkaConnector are removed then)",
            annotations::USE_CONNECTOR_RESOURCES
        ),
        Cluster::WithoutWorkers { name } => {
            format!("Kafka Connect cluster {name} has 0 replicas: the connector runs when it has some")
        }
        Cluster::WithoutService { name, .. } | Cluster::Usable { name } => {
            format!("Kafka Connect cluster {name} can be asked")
        }
    }
}
