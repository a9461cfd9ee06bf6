//! Options that change at run time: what Kafka must be told so that it runs with what the resource says.

pub mod memory;
mod option;
mod overrides;
pub(crate) mod taken_out;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use jiff::{SignedDuration, Timestamp};

use crate::fingerprint;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::{Cluster, Warning};
use crate::kafka::observed::{BrokerConfigs, Observed};

use self::memory::{OptionMemory, Override, SettledOptions};
use self::option::{Goal, Look, Steps};
use super::model::Model;
use super::{plug_in_lines, server};

/// How long a look at the brokers' options counts. A periodic pass comes later than that, so each of them looks.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(10);
/// How long brokers may take to take up what Kafka has stored.
const TIME_TO_TAKE_UP: SignedDuration = SignedDuration::from_secs(10);

/// Everything about the options that change at run time.
#[derive(Debug, Default)]
pub struct OptionPlan {
    /// Fingerprint of the wanted options.
    pub fingerprint: String,
    /// Whether the brokers' options should be looked at before this plan is carried out.
    pub look: bool,
    /// Changes at run time.
    pub calls: Vec<AdminCall>,
    /// Brokers that have to restart for an option, and why, in words.
    pub restarts: BTreeMap<i32, Vec<String>>,
    /// Options that left the resource and have not left Kafka yet.
    pub taken_out: BTreeSet<String>,
    /// Run-time values set by other people that the calls take away.
    pub undone: Vec<Override>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// Whether every broker runs with the wanted options.
    pub settled: bool,
    /// Whether something changes without an event that would tell.
    pub look_again: bool,
    /// What the next pass should know.
    pub memory: OptionMemory,
}

/// Options that all nodes are to have with the same value and that Kafka can change at run time. A value that the pod
/// resolves is known only to the pod, and what only some nodes are to have needs their files: both need a restart.
pub(super) fn live_options<'a>(cluster: &'a Cluster, model: &Model) -> BTreeMap<&'a str, &'a str> {
    let mut options = server::shared_options(cluster);
    options.retain(|name, value| {
        let is_the_agents = plug_in_lines::is_the_agents(cluster.metrics.as_ref(), name);
        model.is_live(name) && !is_the_agents && !value.contains("${")
    });
    options
}

/// Fingerprint of every option that can change at run time.
fn live_fingerprint(cluster: &Cluster, live: &BTreeMap<&str, &str>) -> String {
    let mut text = String::new();
    for (name, value) in live {
        add(&mut text, name, value);
    }
    for id in cluster.broker_ids() {
        text.push_str(&id.to_string());
        text.push(' ');
    }
    fingerprint::short(text.as_bytes())
}

pub(super) fn add(text: &mut String, name: &str, value: &str) {
    for part in [name, "=", value, "\n"] {
        text.push_str(part);
    }
}

/// Plans what Kafka is told, as far as the brokers' options are known.
pub fn plan_options(cluster: &Cluster, observed: &Observed, now: Timestamp) -> OptionPlan {
    let model = cluster.version.model();
    let live = live_options(cluster, model);
    let fingerprint = live_fingerprint(cluster, &live);
    let mut memory = observed.options.clone();
    if memory.about != fingerprint {
        (memory.refused, memory.not_taken_up) = (BTreeMap::new(), BTreeMap::new());
        memory.about.clone_from(&fingerprint);
    }
    let wanted = server::shared_options(cluster);
    let was_settled = memory.settled.as_ref().is_some_and(|settled| settled.fingerprint == fingerprint);
    let all: BTreeSet<&str> =
        cluster.nodes().into_iter().flat_map(|node| server::options_of(cluster, node).into_keys()).collect();
    let mut plan = OptionPlan {
        taken_out: taken_out::candidates(cluster, observed, |name| all.contains(name)),
        fingerprint,
        settled: was_settled,
        memory,
        ..OptionPlan::default()
    };
    if let Some(view) = &observed.view {
        if view.broker_configs.is_empty() {
            let is_fresh = |settled: &SettledOptions| now.duration_since(settled.at).abs() < LOOK_AGAIN;
            plan.look = !was_settled || !plan.memory.settled.as_ref().is_some_and(is_fresh);
            plan.look_again = !was_settled;
        } else {
            let configs = &view.broker_configs;
            let looking = Looking {
                cluster,
                model,
                live: &live,
                wanted: &wanted,
                names: &all,
                configs,
                was_settled,
                now,
            };
            looking.fill(&mut plan);
        }
    }
    plan.warnings.extend(overrides::warning(&plan.memory.foreign));
    plan
}

/// A look at the options of the brokers that answered.
struct Looking<'a> {
    cluster: &'a Cluster,
    model: &'a Model,
    live: &'a BTreeMap<&'a str, &'a str>,
    /// Everything that a broker is to have.
    wanted: &'a BTreeMap<&'a str, &'a str>,
    /// The names of everything that some node is to have.
    names: &'a BTreeSet<&'a str>,
    configs: &'a BrokerConfigs,
    was_settled: bool,
    now: Timestamp,
}

impl Looking<'_> {
    fn fill(&self, plan: &mut OptionPlan) {
        let (mut changes, mut hopeless) = (Vec::new(), Vec::new());
        let waited = std::mem::take(&mut plan.memory.not_taken_up);
        // Only the operator writes the files. What it sets to cover a line must not be taken for a value of a user's.
        plan.taken_out.extend(self.in_files_only());
        let removed = plan.taken_out.clone();
        let goals = self.live.iter().map(|(name, value)| (*name, Goal::Value(value)));
        for (name, goal) in goals.chain(removed.iter().map(|name| (name.as_str(), Goal::Unset))) {
            let since = waited.get(name).copied().unwrap_or(self.now);
            let steps = self.steps(name, goal, since, &plan.memory);
            if steps.not_taken_up {
                plan.memory.not_taken_up.insert(name.to_owned(), since);
            }
            self.note_set_by_hand(name, goal, &steps, plan);
            changes.extend(steps.changes);
            plan.undone.extend(steps.undone);
            hopeless.extend(steps.hopeless);
            for (id, why) in steps.restarts {
                plan.restarts.entry(id).or_default().push(why);
            }
        }
        let is_handled = |name: &str| self.live.contains_key(name) || removed.contains(name);
        let found = overrides::find(self.cluster, self.configs, &plan.memory, is_handled);
        changes.extend(found.changes);
        plan.undone.extend(found.undone);
        // What a broker that does not answer runs with is not known to have changed.
        plan.memory.foreign.retain(|old| old.broker.is_some_and(|id| !self.configs.contains_key(&id)));
        plan.memory.foreign.extend(found.foreign);

        let everybody = self.cluster.broker_ids().iter().all(|id| self.configs.contains_key(id));
        if everybody {
            plan.taken_out.retain(|name| self.has_trace(name));
        }
        plan.look_again =
            !changes.is_empty() || !plan.memory.not_taken_up.is_empty() || !everybody && !self.was_settled;
        plan.settled = !plan.look_again
            && plan.restarts.is_empty()
            && hopeless.is_empty()
            && (everybody || self.was_settled);
        plan.warnings.extend(
            hopeless
                .into_iter()
                .map(|message| Warning { reason: reasons::CONFIGURATION_NOT_IN_FORCE.to_owned(), message }),
        );
        plan.memory.settled =
            plan.settled.then(|| SettledOptions { fingerprint: plan.fingerprint.clone(), at: self.now });
        plan.calls = calls(changes);
    }

    /// Options in the file of some broker that are wanted no more.
    fn in_files_only(&self) -> impl Iterator<Item = String> {
        let all = self.configs.values().flatten();
        let of_files = all.filter(|(name, view)| view.in_file.is_some() && self.model.is_live(name));
        of_files.map(|(name, _)| name).filter(|name| !self.names.contains(name.as_str())).cloned()
    }

    fn steps(&self, name: &str, goal: Goal<'_>, since: Timestamp, memory: &OptionMemory) -> Steps {
        let none = crate::kafka::observed::ConfigView::default();
        let brokers = self.configs.iter().map(|(id, options)| (*id, options.get(name).unwrap_or(&none)));
        let look = Look {
            model: self.model,
            wanted: self.wanted,
            memory,
            name,
            brokers: brokers.collect(),
            had_time: self.now.duration_since(since) >= TIME_TO_TAKE_UP,
        };
        look.steps(goal)
    }

    /// Notes a value that was right at the last look and that a user has changed since.
    fn note_set_by_hand(&self, name: &str, goal: Goal<'_>, steps: &Steps, plan: &mut OptionPlan) {
        let sets = steps.changes.iter().any(|change| change.broker.is_none());
        if !(self.was_settled && sets && matches!(goal, Goal::Value(_))) {
            return;
        }
        let stored = self.configs.values().find_map(|options| options.get(name)?.everywhere.clone());
        plan.undone.extend(stored.map(|value| Override { broker: None, option: name.to_owned(), value }));
    }

    fn has_trace(&self, name: &str) -> bool {
        let mut views = self.configs.values().filter_map(|options| options.get(name));
        views.any(|view| view.is_changed() || view.in_file.is_some())
    }
}

/// The changes as calls: first those for all brokers.
fn calls(changes: Vec<memory::OptionChange>) -> Vec<AdminCall> {
    let mut calls: BTreeMap<Option<i32>, BTreeMap<String, Option<String>>> = BTreeMap::new();
    for change in changes {
        calls.entry(change.broker).or_default().insert(change.option, change.value);
    }
    calls.into_iter().map(|(broker, changes)| AdminCall::AlterBrokerConfig { broker, changes }).collect()
}
