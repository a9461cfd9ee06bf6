//! What is found while resources are looked at: problems, for which they are refused, and warnings.

use std::fmt;

/// Something that is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Path of the field, `spec.kafka.version`.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// A condition of type `Warning`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// CamelCase reason.
    pub reason: String,
    /// What is the matter and what to do.
    pub message: String,
}

/// Everything found while looking at the resources.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong; nothing is in it twice.
    pub problems: Vec<Problem>,
    /// What works but deserves a look.
    pub warnings: Vec<Warning>,
}

impl Findings {
    /// Notes something wrong, once.
    pub fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let problem = Problem { field: field.into(), message: message.into() };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Notes something that deserves a look.
    pub fn warn(&mut self, reason: &str, message: impl Into<String>) {
        self.warnings.push(Warning { reason: reason.to_owned(), message: message.into() });
    }
}
