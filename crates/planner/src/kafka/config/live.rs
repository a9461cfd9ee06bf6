//! Options that change at run time: what Kafka must be told so that it runs with what the resource says.

mod cordon;
mod foreign_values;
pub mod memory;
mod option;
mod own_value;
pub(crate) mod taken_out;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use jiff::{SignedDuration, Timestamp};

use crate::fingerprint;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::{Cluster, Warning};
use crate::kafka::need::Need;
use crate::kafka::observed::{BrokerConfigs, Observed};
use crate::words::{first, shortened};

pub(crate) use self::cordon::is_possible as can_cordon;
use self::memory::{OptionChange, OptionMemory, RunTimeValue, SettledOptions};
use self::option::{Goal, Look, Steps};
use self::own_value::OwnValue;
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
    pub undone: Vec<RunTimeValue>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// Whether every broker runs with the wanted options.
    pub settled: bool,
    /// Whether something changes without an event that would tell.
    pub look_again: bool,
    /// What the next pass should know.
    pub memory: OptionMemory,
}

impl OptionPlan {
    /// With which options the brokers that are up run, if that is to be looked at: it is told of their present pods alone.
    pub fn question(&self, cluster: &Cluster, observed: &Observed) -> Option<Need> {
        let view = observed.view.as_ref().filter(|_| self.look)?;
        let nodes = cluster.nodes().into_iter().filter(|node| view.active_brokers.contains(&node.id));
        let pods: BTreeMap<i32, String> = nodes
            .filter_map(|node| {
                Some((node.id, observed.pods.get(&cluster.pod_name(node))?.metadata.uid.clone()?))
            })
            .collect();
        let need = (!pods.is_empty()).then_some(Need::BrokerConfigs(pods))?;
        observed.silence(&need).is_none().then_some(need)
    }
}

/// Options that Kafka can change at run time.
#[derive(Debug, Default)]
pub(super) struct LiveOptions<'a> {
    /// The value of every node that has none of its own.
    shared: BTreeMap<&'a str, &'a str>,
    /// The values that single brokers have of their own.
    own: BTreeMap<&'a str, BTreeMap<i32, &'a str>>,
}

impl<'a> LiveOptions<'a> {
    /// A value that the pod resolves is known only to the pod, and a node without the role `broker` is told nothing at run time. An
    /// option of which some node has such a value needs restarts on all nodes: a run-time value would win over the files.
    pub(super) fn of(cluster: &'a Cluster, model: &Model) -> Self {
        let is_plain = |name: &str, value: &str| {
            let is_the_agents = plug_in_lines::is_the_agents(cluster.metrics.as_ref(), name);
            model.is_live(name) && !is_the_agents && !value.contains("${")
        };
        let mut live = Self { shared: server::shared_options(cluster), own: BTreeMap::new() };
        live.shared.retain(|name, value| is_plain(name, value));
        let mut in_files = BTreeSet::new();
        let brokers = if cluster.node_config.is_empty() { BTreeSet::new() } else { cluster.broker_ids() };
        for (id, options) in &cluster.node_config {
            for (name, value) in options {
                let is_resolved = cluster.config.get(name).is_some_and(|shared| shared.contains("${"));
                if is_plain(name, value) && brokers.contains(id) && !is_resolved {
                    live.own.entry(name).or_default().insert(*id, value);
                } else {
                    in_files.insert(name.as_str());
                }
            }
        }
        live.shared.retain(|name, _| !in_files.contains(name));
        live.own.retain(|name, _| !in_files.contains(name));
        live
    }

    /// Whether a node gets the value at run time.
    pub(super) fn has(&self, id: i32, name: &str, value: &str) -> bool {
        let own = self.own.get(name).and_then(|own| own.get(&id));
        own.or_else(|| self.shared.get(name)).is_some_and(|live| *live == value)
    }

    /// The names of all of them.
    fn names(&self) -> BTreeSet<&'a str> {
        self.shared.keys().chain(self.own.keys()).copied().collect()
    }
}

/// Fingerprint of every option that can change at run time.
fn live_fingerprint(cluster: &Cluster, live: &LiveOptions<'_>) -> String {
    let mut text = String::new();
    for (name, value) in &live.shared {
        add(&mut text, name, value);
    }
    for (name, own) in &live.own {
        for (id, value) in own {
            add(&mut text, &format!("{id} {name}"), value);
        }
    }
    for id in cluster.broker_ids() {
        text.push_str(&id.to_string());
        text.push(' ');
    }
    for id in cluster.pools.iter().flat_map(|pool| &pool.drained) {
        add(&mut text, cordon::OPTION, &id.to_string());
    }
    for (pool, id) in cluster.pools.iter().flat_map(|pool| pool.nodes.iter().map(move |id| (pool, *id))) {
        for path in pool.removal.cordoned(id) {
            add(&mut text, cordon::OPTION, &path);
        }
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
    let live = LiveOptions::of(cluster, model);
    let fingerprint = live_fingerprint(cluster, &live);
    let mut memory = observed.options.clone();
    memory.own_values.extend(taken_out::of_brokers(observed));
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
                level: view.metadata_level,
                was_settled,
                now,
            };
            looking.fill(&mut plan);
        }
    }
    plan.warnings.extend(foreign_values::warning(&plan.memory.foreign));
    plan
}

/// Nodes that a message names.
const NAMED: usize = 10;

/// For which options nodes have to restart, because Kafka did not change them at run time: each with the nodes.
fn restarts_in_words(restarts: &BTreeMap<i32, Vec<String>>) -> Vec<String> {
    let mut nodes_of: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (id, options) in restarts {
        for option in options {
            nodes_of.entry(option).or_default().push(*id);
        }
    }
    let text = |(option, nodes): (&str, Vec<i32>)| {
        format!("{}; it takes a restart of the nodes {}", shortened(option), first(nodes, NAMED, ", "))
    };
    nodes_of.into_iter().map(text).collect()
}

/// A look at the options of the brokers that answered.
struct Looking<'a> {
    cluster: &'a Cluster,
    model: &'a Model,
    live: &'a LiveOptions<'a>,
    /// Everything that a broker is to have.
    wanted: &'a BTreeMap<&'a str, &'a str>,
    /// The names of everything that some node is to have.
    names: &'a BTreeSet<&'a str>,
    configs: &'a BrokerConfigs,
    /// Level of the metadata version in use.
    level: Option<i16>,
    was_settled: bool,
    now: Timestamp,
}

impl Looking<'_> {
    fn fill(&self, plan: &mut OptionPlan) {
        let (mut own_changes, mut changes, mut hopeless) = (Vec::new(), Vec::new(), Vec::new());
        let waited = std::mem::take(&mut plan.memory.not_taken_up);
        // Only the operator writes the files. What it sets to cover a line must not be taken for a value of a user's.
        plan.taken_out.extend(self.in_files_only());
        self.remember_own_values(&mut plan.memory);
        plan.taken_out.extend(self.outlived(&plan.memory));
        let removed = plan.taken_out.clone();
        let live = self.live.names();
        let goal = |name| self.live.shared.get(name).map_or(Goal::Unset, |value| Goal::Value(value));
        let goals = live.iter().map(|name| (*name, goal(*name)));
        for (name, goal) in goals.chain(removed.iter().map(|name| (name.as_str(), Goal::Unset))) {
            let since = waited.get(name).copied().unwrap_or(self.now);
            let had_time = self.now.duration_since(since) >= TIME_TO_TAKE_UP;
            let mut steps = self.steps(name, goal, had_time, &plan.memory);
            // What the operator itself once set is no event.
            let own_values = &plan.memory.own_values;
            steps.undone.retain(|undone| {
                !undone.broker.is_some_and(|id| own_values.contains(&(id, undone.option.clone())))
            });
            own_changes.extend(self.own_values(name, had_time, &plan.memory, &mut steps));
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
        own_changes.extend(cordon::changes(self.cluster, self.model, self.level, self.configs, &plan.memory));
        let is_handled = |name: &str| live.contains(name) || removed.contains(name);
        let found = foreign_values::find(self.cluster, self.configs, &plan.memory, is_handled);
        changes.extend(found.changes);
        plan.undone.extend(found.undone);
        // What a broker that does not answer runs with is not known to have changed.
        let brokers = self.cluster.broker_ids();
        let is_silent = |id: i32| brokers.contains(&id) && !self.configs.contains_key(&id);
        plan.memory.foreign.retain(|old| old.broker.is_some_and(is_silent));
        plan.memory.foreign.extend(found.foreign);

        let everybody = brokers.iter().all(|id| self.configs.contains_key(id));
        if everybody {
            plan.taken_out.retain(|name| self.has_trace(name));
        }
        plan.look_again = !own_changes.is_empty()
            || !changes.is_empty()
            || !plan.memory.not_taken_up.is_empty()
            || !everybody && !self.was_settled;
        plan.settled = !plan.look_again
            && plan.restarts.is_empty()
            && hopeless.is_empty()
            && (everybody || self.was_settled);
        let not_in_force =
            |message| Warning { reason: reasons::CONFIGURATION_NOT_IN_FORCE.to_owned(), message };
        plan.warnings.extend(restarts_in_words(&plan.restarts).into_iter().chain(hopeless).map(not_in_force));
        plan.memory.settled =
            plan.settled.then(|| SettledOptions { fingerprint: plan.fingerprint.clone(), at: self.now });
        plan.calls = calls(own_changes, changes);
    }

    /// Options in the file of some broker that are wanted no more.
    fn in_files_only(&self) -> impl Iterator<Item = String> {
        let all = self.configs.values().flatten();
        let of_files = all.filter(|(name, view)| view.in_file.is_some() && self.model.is_live(name));
        of_files.map(|(name, _)| name).filter(|name| !self.names.contains(name.as_str())).cloned()
    }

    /// Options of which a broker still has a value of the operator's, and that no node is to have: the broker was away when they were taken
    /// out of the resource.
    fn outlived(&self, memory: &OptionMemory) -> impl Iterator<Item = String> {
        let here = memory.own_values.iter().filter(|(id, _)| self.configs.contains_key(id));
        here.map(|(_, name)| name).filter(|name| !self.names.contains(name.as_str())).cloned()
    }

    /// What is to be done on the brokers that have no value of their own.
    fn steps(&self, name: &str, goal: Goal<'_>, had_time: bool, memory: &OptionMemory) -> Steps {
        let none = crate::kafka::observed::ConfigView::default();
        let own = self.live.own.get(name);
        let shared = self.configs.iter().filter(|(id, _)| !own.is_some_and(|own| own.contains_key(*id)));
        let brokers = shared.map(|(id, options)| (*id, options.get(name).unwrap_or(&none)));
        let look = Look {
            model: self.model,
            wanted: self.wanted,
            memory,
            name,
            brokers: brokers.collect(),
            stored: self.stored(name),
            had_time,
        };
        look.steps(goal)
    }

    /// Adds what is to be done on the brokers that have a value of their own to the steps for all of them. The changes that it returns
    /// come before those, so that no broker falls back to the value of the others in between.
    fn own_values(
        &self,
        name: &str,
        had_time: bool,
        memory: &OptionMemory,
        steps: &mut Steps,
    ) -> Vec<OptionChange> {
        let none = crate::kafka::observed::ConfigView::default();
        let of_all = steps.changes.iter().rev().find(|change| change.broker.is_none());
        let everywhere =
            of_all.map_or_else(|| self.stored(name).map(str::to_owned), |change| change.value.clone());
        let mut changes = Vec::new();
        for (id, value) in self.live.own.get(name).into_iter().flatten() {
            let Some(options) = self.configs.get(id) else { continue };
            let own = OwnValue {
                model: self.model,
                memory,
                name,
                id: *id,
                value,
                view: options.get(name).unwrap_or(&none),
                everywhere: everywhere.as_deref(),
                had_time,
            };
            let by_hand = own.set_by_hand().filter(|_| self.was_settled);
            steps.undone.extend(by_hand);
            changes.extend(own.add_steps(steps));
        }
        changes
    }

    /// The run-time value of all brokers.
    fn stored(&self, name: &str) -> Option<&str> {
        self.configs.values().find_map(|options| options.get(name)?.everywhere.as_deref())
    }

    /// Remembers which brokers have values of their own, until these values have left Kafka.
    fn remember_own_values(&self, memory: &mut OptionMemory) {
        let is_set = |id: &i32, name: &str| {
            let Some(options) = self.configs.get(id) else { return true };
            options.get(name).is_some_and(|view| view.on_broker.is_some())
        };
        memory.own_values.retain(|(id, name)| is_set(id, name));
        for (name, own) in &self.live.own {
            memory.own_values.extend(own.keys().map(|id| (*id, (*name).to_owned())));
        }
    }

    /// Notes a value that was right at the last look and that a user has changed since.
    fn note_set_by_hand(&self, name: &str, goal: Goal<'_>, steps: &Steps, plan: &mut OptionPlan) {
        let sets = steps.changes.iter().any(|change| change.broker.is_none());
        if !(self.was_settled && sets && matches!(goal, Goal::Value(_))) {
            return;
        }
        let stored = self.configs.values().find_map(|options| options.get(name)?.everywhere.clone());
        plan.undone.extend(stored.map(|value| RunTimeValue { broker: None, option: name.to_owned(), value }));
    }

    fn has_trace(&self, name: &str) -> bool {
        let mut views = self.configs.values().filter_map(|options| options.get(name));
        views.any(|view| view.is_changed() || view.in_file.is_some())
    }
}

/// The changes as calls: first the values of single brokers, then those of all brokers, then what single brokers lose.
fn calls(own: Vec<OptionChange>, changes: Vec<OptionChange>) -> Vec<AdminCall> {
    let mut calls = Vec::new();
    for changes in [own, changes] {
        let mut by_broker: BTreeMap<Option<i32>, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for change in changes {
            by_broker.entry(change.broker).or_default().insert(change.option, change.value);
        }
        let one = |(broker, changes)| AdminCall::AlterBrokerConfig { broker, changes };
        calls.extend(by_broker.into_iter().map(one));
    }
    calls
}
