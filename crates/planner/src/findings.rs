//! What is found while resources are looked at: problems, for which they are refused, warnings, and parts that are held back.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::words;

/// Whose fault a problem is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Culprit {
    /// The resource that is planned.
    #[default]
    Resource,
    /// A node pool of it, or that there is none.
    NodePool,
}

/// Something that is wrong with a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Whose fault it is.
    pub culprit: Culprit,
    /// Path of the field, `spec.kafka.version`, for people: that of a node pool has the name of the pool before it.
    pub field: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Problem {
    /// Of the resource that is planned.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { culprit: Culprit::Resource, field: field.into(), message: message.into() }
    }

    /// The problem of a resource that cannot be understood where nothing else says why.
    pub(crate) fn not_understood() -> Self {
        Self::new("spec", "cannot be understood")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// Problems that a message names: the API server stores no status of megabytes.
const NAMED_PROBLEMS: usize = 100;

/// The problems as one message, of very many the first and how many more there are.
pub(crate) fn words(problems: &[Problem]) -> String {
    words::first(problems, NAMED_PROBLEMS, "; ")
}

/// A condition of type `Warning`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// CamelCase reason.
    pub reason: String,
    /// What is the matter and what to do.
    pub message: String,
}

/// A part of what the resources ask for that a plan does not carry out: what is there stays as it is until the obstacle is
/// gone, or a user approves the loss.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// What is held back.
    pub part: HeldPart,
    /// CamelCase reason of the condition that says so.
    pub reason: String,
    /// Why it is held back, and what to do.
    pub message: String,
    /// The annotation of the Kafka resource with which a user approves it, set to `true`; `None`: nothing but the removal of
    /// the obstacle lets it go on.
    pub approval: Option<&'static str>,
}

impl Held {
    /// The warning that says so in the status.
    pub fn warning(&self) -> Warning {
        Warning { reason: self.reason.clone(), message: self.message.clone() }
    }
}

/// What is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum HeldPart {
    /// The removal of nodes from a pool.
    NodeRemoval {
        /// The pool.
        pool: String,
        /// The nodes.
        nodes: BTreeSet<i32>,
    },
    /// New nodes of a pool.
    NewNodes {
        /// The pool.
        pool: String,
        /// How many.
        count: usize,
    },
    /// The removal of a role from the nodes of a pool.
    RoleRemoval {
        /// The pool.
        pool: String,
        /// The role.
        role: String,
    },
    /// A new role of the nodes of a pool.
    Role {
        /// The pool.
        pool: String,
        /// The role.
        role: String,
    },
    /// A change of the storage of a pool.
    Storage {
        /// The pool.
        pool: String,
    },
}

/// Problems that are kept: each is compared with all of them.
const MOST_PROBLEMS: usize = 1000;

/// Everything found while looking at the resources.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is wrong; nothing is in it twice.
    pub problems: Vec<Problem>,
    /// What works but deserves a look.
    pub warnings: Vec<Warning>,
    /// What is asked for and not carried out.
    pub held: Vec<Held>,
    /// Whose problems are noted now.
    culprit: Culprit,
}

impl Findings {
    /// Brings what was found of a resource in order. Where the resource could not be understood (`is_read` says no), there is at least
    /// one problem.
    pub(crate) fn settle(&mut self, is_read: bool) {
        if !is_read && self.problems.is_empty() {
            self.problems.push(Problem::not_understood());
        }
        self.warnings.sort();
        self.warnings.dedup();
    }

    /// Notes something wrong, once. Of more problems than anybody reads, the later ones are left out.
    pub fn problem(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let problem = Problem { culprit: self.culprit, ..Problem::new(field, message) };
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }

    /// Looks at node pools: what is wrong then is the fault of these.
    pub fn of_node_pools<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.culprit, Culprit::NodePool);
        let found = look(self);
        self.culprit = before;
        found
    }

    /// Whether something is wrong with node pools.
    pub fn blame_node_pools(&self) -> bool {
        self.problems.iter().any(|problem| problem.culprit == Culprit::NodePool)
    }

    /// Notes something that deserves a look.
    pub fn warn(&mut self, reason: &str, message: impl Into<String>) {
        self.warnings.push(Warning { reason: reason.to_owned(), message: message.into() });
    }

    /// Holds a part back.
    pub fn hold(&mut self, held: Held) {
        self.held.push(held);
    }
}
