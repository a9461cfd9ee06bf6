//! What is to be done about one option, so that all brokers run with what the resource says about it.
//!
//! Three layers of a broker may say something: a run-time value of its own, a run-time value of all brokers, and the
//! file that it was started with. The operator uses the second one, and the file for the next start.

use std::collections::{BTreeMap, BTreeSet};

use super::memory::{OptionChange, OptionMemory, RunTimeValue};
use super::value::{self, same};
use crate::kafka::config::model::Model;
use crate::kafka::observed::ConfigView;

/// What the resource says about an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal<'a> {
    /// It has this value.
    Value(&'a str),
    /// It left the resource: Kafka is to be as if it had never been there.
    Unset,
}

/// What is to be done about an option.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    /// Changes at run time, in this order.
    pub changes: Vec<OptionChange>,
    /// Brokers that have to restart, and why, in words.
    pub restarts: BTreeMap<i32, String>,
    /// Values on single brokers that are taken away.
    pub undone: Vec<RunTimeValue>,
    /// Kafka has stored the value, and not every broker has taken it up.
    pub not_taken_up: bool,
    /// Why the option stays different although neither a change nor a restart helps, in words.
    pub hopeless: Option<String>,
}

/// An option and what is known of it.
pub(super) struct Look<'a> {
    /// The configuration model.
    pub model: &'a Model,
    /// The options that the brokers are to have.
    pub wanted: &'a BTreeMap<&'a str, &'a str>,
    /// What former passes found out.
    pub memory: &'a OptionMemory,
    /// Name of the option.
    pub name: &'a str,
    /// The option on each broker that answered and is to have what all have.
    pub brokers: Vec<(i32, &'a ConfigView)>,
    /// The run-time value of all brokers.
    pub stored: Option<&'a str>,
    /// Whether the brokers had their time to take up what Kafka has stored.
    pub had_time: bool,
}

impl Look<'_> {
    /// What is to be done.
    pub(super) fn steps(&self, goal: Goal<'_>) -> Steps {
        let mut steps = Steps::default();
        match goal {
            Goal::Value(value) => self.towards(value, &mut steps),
            Goal::Unset => self.away(&mut steps),
        }
        // After the value for all: no broker falls back to its file in between.
        let target = match goal {
            Goal::Value(value) => Some(value.to_owned()),
            Goal::Unset => value::of_unset(self.model, self.name, self.wanted),
        };
        self.undo_overrides(target.as_deref(), &mut steps);
        steps
    }

    fn towards(&self, target: &str, steps: &mut Steps) {
        let differing: Vec<&(i32, &ConfigView)> =
            self.brokers.iter().filter(|(_, view)| !self.is(self.beneath(view), target)).collect();
        let stored = self.stored;
        if differing.is_empty() {
            // A broker that was restarted has the value from its file, but another one is stored for all of them.
            if stored.is_some_and(|stored| !self.is(Some(stored), target)) {
                self.set(target, steps);
            }
            return;
        }
        let now: Vec<Option<&str>> = self.brokers.iter().map(|(_, view)| self.beneath(view)).collect();
        let Some(next) = value::step(self.name, &now, target) else {
            self.restart(&differing, target, "the brokers differ too much for a change at run time", steps);
            return;
        };
        if let Some(why) = self.refusal(&self.change(Some(&next))) {
            let why = format!("Kafka refuses to change it to {next} at run time: {why}");
            // What is stored would win over the file after the restart.
            if stored.is_some_and(|stored| !self.is(Some(stored), target)) {
                self.delete(steps);
            }
            if steps.hopeless.is_none() {
                self.restart(&differing, target, &why, steps);
            }
        } else if differing.iter().all(|(_, view)| self.is(view.everywhere.as_deref(), &next)) {
            steps.not_taken_up = true;
            if self.had_time {
                self.restart(&differing, target, "it was not taken up at run time", steps);
            }
        } else {
            self.set(&next, steps);
        }
    }

    /// Towards the value with which a broker runs that never had the option.
    fn away(&self, steps: &mut Steps) {
        let target = value::of_unset(self.model, self.name, self.wanted);
        let in_file: Vec<i32> =
            self.brokers.iter().filter(|(_, view)| view.in_file.is_some()).map(|(id, _)| *id).collect();
        let now: Vec<Option<&str>> = self.brokers.iter().map(|(_, view)| self.beneath(view)).collect();
        let (Some(target), true) = (target, self.model.is_live(self.name)) else {
            if self.stored.is_some() {
                self.delete(steps);
            }
            return;
        };
        if in_file.is_empty() {
            if self.stored.is_some() {
                // Kafka checks a deletion as it checks a change.
                match value::step(self.name, &now, &target) {
                    Some(next) if !self.is(Some(&next), &target) => self.set(&next, steps),
                    _ => self.delete(steps),
                }
            }
            return;
        }
        // The files of some brokers have the line until these restart; up to then a value for all of them covers it.
        if now.iter().any(|now| !self.is(*now, &target))
            && let Some(next) = value::step(self.name, &now, &target)
            && !self.brokers.iter().all(|(_, view)| self.is(view.everywhere.as_deref(), &next))
        {
            self.set(&next, steps);
        }
        if !value::has_default(self.model, self.name) {
            for id in in_file {
                let why = format!("{} left the resource, and the broker was started with it", self.name);
                steps.restarts.insert(id, why);
            }
        }
    }

    /// Removes the run-time values of single brokers. A number of threads goes back in steps.
    fn undo_overrides(&self, target: Option<&str>, steps: &mut Steps) {
        for (id, view) in &self.brokers {
            let Some(value) = &view.on_broker else { continue };
            let next = target.and_then(|target| {
                let next = value::step(self.name, &[view.value.as_deref()], target)?;
                (!self.is(Some(&next), target)).then_some(next)
            });
            let change = OptionChange { broker: Some(*id), option: self.name.to_owned(), value: next };
            let is_last = change.value.is_none();
            if let Some(why) = self.refusal(&change) {
                steps.hopeless = Some(format!(
                    "{}={value} stays on broker {id}: Kafka refuses to remove it: {why}",
                    self.name
                ));
                continue;
            }
            steps.changes.push(change);
            if is_last {
                let (option, value) = (self.name.to_owned(), value.clone());
                steps.undone.push(RunTimeValue { broker: Some(*id), option, value });
            }
        }
    }

    /// The value that a broker has, or falls back to without a run-time value of its own.
    fn beneath<'v>(&'v self, view: &'v ConfigView) -> Option<&'v str> {
        if view.on_broker.is_none() {
            return view.value.as_deref();
        }
        let default = || self.model.options.get(self.name).and_then(|option| option.default.as_deref());
        view.everywhere.as_deref().or(view.in_file.as_deref()).or_else(default)
    }

    fn is(&self, now: Option<&str>, wanted: &str) -> bool {
        same(self.model, self.name, now, wanted)
    }

    fn change(&self, value: Option<&str>) -> OptionChange {
        OptionChange { broker: None, option: self.name.to_owned(), value: value.map(str::to_owned) }
    }

    fn refusal(&self, change: &OptionChange) -> Option<&str> {
        self.memory.refused.get(change).map(String::as_str)
    }

    fn set(&self, value: &str, steps: &mut Steps) {
        self.push(self.change(Some(value)), steps);
    }

    fn delete(&self, steps: &mut Steps) {
        self.push(self.change(None), steps);
    }

    fn push(&self, change: OptionChange, steps: &mut Steps) {
        match self.refusal(&change) {
            None => steps.changes.push(change),
            Some(why) => {
                let what = change.value.map_or_else(
                    || "remove its run-time value".to_owned(),
                    |value| format!("change it to {value}"),
                );
                steps.hopeless =
                    Some(format!("{} is not what it should be: Kafka refuses to {what}: {why}", self.name));
            }
        }
    }

    /// Restarts the brokers among these whose file does not have the value yet: only then does a restart help.
    fn restart(&self, differing: &[&(i32, &ConfigView)], target: &str, why: &str, steps: &mut Steps) {
        let helped: BTreeSet<i32> = differing
            .iter()
            .filter(|(_, view)| !self.is(view.in_file.as_deref(), target))
            .map(|(id, _)| *id)
            .collect();
        if helped.is_empty() {
            steps.hopeless = Some(format!("{}={target} is not in force: {why}", self.name));
        }
        for id in helped {
            steps.restarts.insert(id, format!("{}={target}: {why}", self.name));
        }
    }
}

#[cfg(test)]
#[path = "option_tests.rs"]
mod tests;
