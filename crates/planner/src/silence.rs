//! Why something that a plan asked for has no answer.

use std::fmt;

use serde::Serialize;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// What kind of silence.
    pub kind: SilenceKind,
    /// In words.
    pub why: String,
}

/// The kinds of silence: they differ in what a restart can do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum SilenceKind {
    /// No container runs that could be asked.
    Nobody,
    /// No node that was asked accepts a connection.
    Unreachable,
    /// The nodes that were asked and the operator do not agree on TLS: certificates or trust.
    Tls,
    /// There was no answer in time.
    Late,
    /// The answer is an error, or cannot be read.
    Refused,
    /// There is no answer yet, and there is still time for it: nothing is wrong.
    UnderWay,
}

/// Characters that are kept of why there is no answer.
const LONGEST_WORDS: usize = 2000;

impl Silence {
    /// A silence of a kind. Of very long words the first are kept: they go into statuses.
    pub fn new(kind: SilenceKind, why: impl Into<String>) -> Self {
        let mut why = why.into();
        if let Some((end, _)) = why.char_indices().nth(LONGEST_WORDS) {
            why.truncate(end);
            why.push('…');
        }
        Self { kind, why }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.why)
    }
}
