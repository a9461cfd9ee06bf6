//! A value that one broker is to have for itself: it is set on that broker where the broker would run with another one, be it
//! from the run-time value of all brokers or from the file that it was started with.

use super::memory::{OptionChange, OptionMemory, RunTimeValue};
use super::option::Steps;
use super::value::{self, same};
use crate::kafka::config::model::Model;
use crate::kafka::observed::ConfigView;

/// A value of one broker, and what is known of it.
pub(super) struct OwnValue<'a> {
    /// The configuration model.
    pub model: &'a Model,
    /// What former passes found out.
    pub memory: &'a OptionMemory,
    /// Name of the option.
    pub name: &'a str,
    /// The broker.
    pub id: i32,
    /// The value that it is to have.
    pub value: &'a str,
    /// The option on the broker.
    pub view: &'a ConfigView,
    /// The run-time value of all brokers, as this pass leaves it.
    pub everywhere: Option<&'a str>,
    /// Whether the broker had its time to take up what Kafka has stored.
    pub had_time: bool,
}

impl OwnValue<'_> {
    /// The run-time value of the broker, where it is another one than it should be.
    pub(super) fn set_by_hand(&self) -> Option<RunTimeValue> {
        let value = self.view.on_broker.clone().filter(|value| !self.is(Some(value)))?;
        Some(RunTimeValue { broker: Some(self.id), option: self.name.to_owned(), value })
    }

    /// The change of the broker's run-time value; what else follows is added to the steps.
    pub(super) fn add_steps(&self, steps: &mut Steps) -> Option<OptionChange> {
        let runs_with_it = self.is(self.view.value.as_deref());
        let is_set = self.is(self.view.on_broker.as_deref());
        if runs_with_it && (is_set || self.view.on_broker.is_none() && self.is(self.falls_back_to())) {
            return None;
        }
        let Some(next) = value::step(self.name, &[self.view.value.as_deref()], self.value) else {
            self.restart("the broker is too far from it for a change at run time", steps);
            return None;
        };
        let change = self.change(Some(&next));
        if let Some(why) = self.memory.refused.get(&change) {
            self.restart(&format!("Kafka refuses to change it to {next} at run time: {why}"), steps);
            // What is stored would win over the file after the restart.
            let removal = self.change(None);
            let removes = self.view.on_broker.is_some() && !self.memory.refused.contains_key(&removal);
            return removes.then_some(removal);
        }
        if same(self.model, self.name, self.view.on_broker.as_deref(), &next) && self.view.on_broker.is_some()
        {
            steps.not_taken_up = true;
            if self.had_time {
                self.restart("it was not taken up at run time", steps);
            }
            return None;
        }
        Some(change)
    }

    /// The value that the broker has without a run-time value of its own.
    fn falls_back_to(&self) -> Option<&str> {
        let default = || self.model.options.get(self.name).and_then(|option| option.default.as_deref());
        self.everywhere.or(self.view.in_file.as_deref()).or_else(default)
    }

    fn is(&self, now: Option<&str>) -> bool {
        same(self.model, self.name, now, self.value)
    }

    fn change(&self, value: Option<&str>) -> OptionChange {
        let (option, value) = (self.name.to_owned(), value.map(str::to_owned));
        OptionChange { broker: Some(self.id), option, value }
    }

    /// Restarts the broker, where its file does not have the value yet and counts: only then does a restart help.
    fn restart(&self, why: &str, steps: &mut Steps) {
        let (name, value, id) = (self.name, self.value, self.id);
        let file_counts = self.everywhere.is_none_or(|everywhere| self.is(Some(everywhere)));
        if file_counts && !self.is(self.view.in_file.as_deref()) {
            steps.restarts.insert(id, format!("{name}={value}: {why}"));
        } else {
            steps.hopeless = Some(format!("{name}={value} is not in force on broker {id}: {why}"));
        }
    }
}

#[cfg(test)]
#[path = "own_value_tests.rs"]
mod tests;
