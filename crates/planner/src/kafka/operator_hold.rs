//! The roll that a new version of the operator brings, held until a user approves it, a maintenance window opens or its turn comes: where
//! the Kafka resource or the settings of the operator ask for that.
//!
//! Each pod set remembers with which operator, and for which generation of the resources, its pods run; or were let go, where a held plan may
//! go. Pods that differ from their pod set while the resources are the same and the operator is another one differ because of the operator. A
//! change of the resources is remembered only when every pod has it: what an operator has begun of it, the next one brings to its end.

use api::annotations;
use api::conditions::{Condition, format_time, reasons};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube_core::ResourceExt;
use serde::{Deserialize, Serialize};

use super::cluster::{Cluster, OperatorRolls};
use super::need::Need;
use super::observed::Observed;
use super::operator_turns::{Turn, TurnState};
use super::restart::Restart;
use crate::fingerprint;
use crate::pod_words::is_long_unready;
use crate::restart_reason::RestartReason;
use crate::words::{first, quoted};

/// Seconds until it is looked again whether a maintenance window is open.
const WINDOW_LOOK_SECONDS: u64 = 30;

/// Pods that the status names.
const NAMED: usize = 5;

/// Length of the fingerprints.
const SUM: usize = 8;

/// Longest version of an operator that is believed.
const LONGEST_VERSION: usize = 100;

/// For what pods were let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Basis {
    /// Version of the operator.
    operator: String,
    /// Fingerprint of the images that it gives to pods.
    images: String,
    /// Fingerprint of the generations of the Kafka resource and its pools.
    resources: String,
}

impl Basis {
    fn of(kafka: &api::Kafka, cluster: &Cluster, observed: &Observed) -> Self {
        let settings = &observed.settings;
        let images = format!("{} {:?}", settings.operator_image, settings.kafka_images);
        let pools: Vec<_> = cluster.pools.iter().map(|pool| (&pool.name, pool.generation)).collect();
        let resources = format!("{:?} {pools:?}", kafka.metadata.generation);
        Self {
            operator: settings.operator_version.clone(),
            images: fingerprint::short(images.as_bytes()),
            resources: fingerprint::short(resources.as_bytes()),
        }
    }

    /// What a pod set remembers; a note that is none of the operator's is none.
    fn remembered(observed: &Observed, pod_set: &str) -> Option<Self> {
        let text = observed.pod_sets.get(pod_set)?.annotations().get(annotations::LET_GO_FOR)?;
        let found: Self = serde_json::from_str(text).ok()?;
        let is_own = found.operator.len() <= LONGEST_VERSION
            && [&found.images, &found.resources].into_iter().all(|sum| sum.len() == SUM);
        is_own.then_some(found)
    }

    /// Whether pods that were let go for this one differ because of the operator alone.
    fn was_another_operator(&self, now: &Self) -> bool {
        self.resources == now.resources && self != now
    }
}

/// A plan that waits for an approval, a maintenance window or its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldPlan {
    /// The fingerprint with which a user approves it.
    pub plan: String,
    /// Since when it is held, to the second as the status says it.
    pub since: Timestamp,
    /// Which pods would restart and why, and how to approve it.
    pub why: String,
}

/// Which restarts wait because the operator alone is the reason.
#[derive(Debug)]
pub(super) struct OperatorHold {
    cluster: String,
    namespace: String,
    /// The pod sets.
    sets: Vec<String>,
    /// What the resource asks for.
    asked: OperatorRolls,
    /// The annotation with which a user approves.
    approved: Option<String>,
    /// For what pods are let go now.
    basis: Basis,
    /// For what they were let go, when that was another operator; `None`: nothing is held.
    before: Option<Basis>,
    window: Window,
    /// Whether its turn has come; `None`: that was not asked.
    turn: Option<Turn>,
    /// Restarts that would be held.
    held: Vec<Restart>,
    /// Whether a running pod is not what its pod set says, held or not.
    differs: bool,
    /// Whether what was held goes with this plan.
    let_go: bool,
}

/// How the maintenance windows of the resource are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Window {
    None,
    Open,
    Closed,
}

impl OperatorHold {
    /// What the Kafka resource asks for, and what its pod sets remember.
    pub(super) fn of(kafka: &api::Kafka, cluster: &Cluster, observed: &Observed, now: Timestamp) -> Self {
        let asked = cluster.operator_rolls;
        let basis = Basis::of(kafka, cluster, observed);
        let sets: Vec<String> = cluster.pools.iter().map(|pool| cluster.pod_set_name(pool)).collect();
        let before = sets
            .iter()
            .filter(|_| asked != OperatorRolls::AtOnce)
            .filter_map(|set| Basis::remembered(observed, set))
            .find(|before| before.was_another_operator(&basis));
        let windows = &cluster.maintenance_windows;
        let window = if windows.is_empty() {
            Window::None
        } else if pki::in_maintenance_window(windows, now) {
            Window::Open
        } else {
            Window::Closed
        };
        Self {
            cluster: cluster.name.clone(),
            namespace: cluster.namespace.clone(),
            sets,
            asked,
            approved: kafka.annotations().get(annotations::APPROVE_PLAN).cloned(),
            basis,
            before,
            window,
            turn: observed.turn.clone(),
            held: Vec::new(),
            differs: false,
            let_go: false,
        }
    }

    /// Takes a restart that waits for an approval, a window or a turn; `false`: the pod needs it for something else, too, is of no use as it
    /// is, or is a controller that leaves the quorum (`departs`), whose restart is a step of that.
    pub(super) fn takes(&mut self, restart: &Restart, live: &Pod, departs: bool, now: Timestamp) -> bool {
        let is_template = |reason: &RestartReason| {
            reason.is_about_the_pod() || *reason == RestartReason::ConfigChangeRequiresRestart
        };
        self.differs |= restart.reasons.iter().any(is_template);
        let takes = self.before.is_some()
            && !departs
            && restart.reasons.iter().all(is_template)
            && !is_long_unready(live, now);
        if takes {
            self.held.push(restart.clone());
        }
        takes
    }

    /// Lets go what is approved, once the pods are known as they are to be; otherwise returns what is held.
    pub(super) fn decide(
        &mut self,
        pods: &[Pod],
        observed: &Observed,
        waiting_for: &mut Vec<String>,
        now: Timestamp,
    ) -> Option<HeldPlan> {
        self.differs |= !pods.iter().all(|pod| observed.pods.contains_key(&pod.name_any()));
        let before = self.before.as_ref()?;
        let plan = plan_of(pods);
        let goes_by_itself = match self.asked {
            OperatorRolls::Window => self.window == Window::Open,
            OperatorRolls::Turn => self.turn == Some(Turn::Now) || self.has_begun(observed),
            OperatorRolls::AtOnce | OperatorRolls::Approval => false,
        };
        if goes_by_itself || self.approved.as_deref() == Some(plan.as_str()) || !self.differs {
            self.before = None;
            self.let_go = true;
            let restarts = std::mem::take(&mut self.held).into_iter();
            waiting_for.extend(restarts.map(|restart| {
                format!("pod {} is to be restarted: {}", restart.pod, restart.notes.join(", "))
            }));
            return None;
        }
        let why = (!self.held.is_empty()).then(|| self.words(before, &plan))?;
        Some(HeldPlan { since: held_since(observed, &plan, now), plan, why })
    }

    /// Whether the pods of one of several pod sets were let go already: the pass that did it failed before the next one.
    fn has_begun(&self, observed: &Observed) -> bool {
        self.sets.iter().any(|set| Basis::remembered(observed, set).as_ref() == Some(&self.basis))
    }

    /// What has to be known of other clusters, if that decides.
    pub(super) fn question(&self) -> Option<Need> {
        let decides = self.asked == OperatorRolls::Turn && self.turn.is_none() && !self.held.is_empty();
        decides.then_some(Need::Turn)
    }

    /// How far the cluster is. `is_due`: a pod is to restart, and not only because it answers nothing; `is_ready`: nothing is waited for.
    pub(super) fn state(&self, is_due: bool, is_ready: bool) -> TurnState {
        if self.before.is_some() && !self.held.is_empty() {
            TurnState::Waits
        } else if self.differs || is_due {
            TurnState::Goes
        } else if is_ready {
            TurnState::Done
        } else {
            TurnState::NotReady
        }
    }

    fn words(&self, before: &Basis, plan: &str) -> String {
        let pods = self.held.iter().map(|restart| format!("{} ({})", restart.pod, restart.notes.join(", ")));
        let versions = if before.operator == self.basis.operator {
            "gives pods other images than before".to_owned()
        } else {
            format!("is now version {}, and was {}", self.basis.operator, quoted(&before.operator))
        };
        let key = annotations::APPROVE_PLAN;
        // The command comes first: an event has room for a part of what may follow.
        let mut words = format!(
            "{}to approve it: kubectl annotate kafka {} -n {} --overwrite {key}={plan}; the operator {versions}, and would restart {}",
            beginning(plan),
            self.cluster,
            self.namespace,
            first(pods, NAMED, ", "),
        );
        if self.asked == OperatorRolls::Window && self.window == Window::Closed {
            words.push_str("; it goes by itself in the next maintenance window");
        }
        if self.asked == OperatorRolls::Turn {
            let waits = match &self.turn {
                Some(turn) => turn.waits_for(&self.namespace),
                None => Some("it is known how other clusters are".to_owned()),
            };
            words.extend(waits.map(|waits| format!("; it goes by itself once {waits}")));
        }
        if let Some(other) = &self.approved {
            let wrong =
                format!("; metadata.annotations.{key}: {} is another plan: write {plan}", quoted(other));
            words.push_str(&wrong);
        }
        words
    }

    /// What a pod set is to remember; `None`: nothing, as nothing is ever held.
    pub(super) fn memory(&self, observed: &Observed, pod_set: &str) -> Option<String> {
        if self.asked == OperatorRolls::AtOnce {
            return None;
        }
        let stays = self.differs && !self.let_go;
        let former = Some(pod_set).filter(|_| stays).and_then(|set| Basis::remembered(observed, set));
        // A pod set that has lost its note, or never got it, says the same as the others: its pods were not let go either.
        let former = former.or_else(|| self.before.clone().filter(|_| stays));
        Some(objects::json(former.as_ref().unwrap_or(&self.basis)).to_string())
    }

    /// Takes what is held out of the restarts that are to come. Returns the seconds until it is looked again whether it may go.
    pub(super) fn keep_back(&self, wanted: &mut Vec<Restart>) -> Option<u64> {
        wanted.retain(|restart| !self.held.iter().any(|held| held.pod == restart.pod));
        let waits = self.asked == OperatorRolls::Window && self.window == Window::Closed;
        (waits && !self.held.is_empty()).then_some(WINDOW_LOOK_SECONDS)
    }
}

/// How the words about a plan that is held begin.
fn beginning(plan: &str) -> String {
    format!("plan {plan} is held: ")
}

/// Since when the status says that a plan is held. Which of its pods wait may change meanwhile.
fn held_since(observed: &Observed, plan: &str, now: Timestamp) -> Timestamp {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    let said = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is_of_it = |condition: &&Condition| {
        condition.reason.as_deref() == Some(reasons::PLAN_HELD)
            && condition.message.as_deref().is_some_and(|message| message.starts_with(&beginning(plan)))
    };
    let since = said.iter().find(is_of_it).and_then(|condition| condition.last_transition_time.clone());
    since.unwrap_or_else(|| format_time(now)).parse().unwrap_or(now)
}

/// What identifies a plan: the pods as they are to be, as far as they restart for it. Pods that restart meanwhile for another reason
/// leave it as it is.
fn plan_of(pods: &[Pod]) -> String {
    let started_with =
        [annotations::REVISION, annotations::RESOURCE_REVISION, annotations::CONFIGURATION_HASH];
    let mut text = String::new();
    for pod in pods {
        text.push_str(&pod.name_any());
        for key in started_with {
            text.push(' ');
            text.push_str(pod.annotations().get(key).map(String::as_str).unwrap_or_default());
        }
        text.push('\n');
    }
    fingerprint::short(text.as_bytes())
}
