//! What a request to the API server failed with, in words that name the action and the object.

use std::fmt;
use std::time::Duration;

use kube::core::Status;

use crate::object_ref::ObjectRef;

/// Kind, namespace and name in a message: `Service ns/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Kind, for example `Service`.
    pub kind: String,
    /// Namespace and name.
    pub key: ObjectRef,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.key)
    }
}

/// A write that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The API server did not answer in time.
    #[error("{action} {subject}: no answer from the API server within {} s", deadline.as_secs())]
    Timeout {
        /// What was tried, for example `apply`.
        action: &'static str,
        /// On which object.
        subject: Subject,
        /// The deadline.
        deadline: Duration,
    },
    /// The API server refused, or could not be reached.
    #[error("{action} {subject}: {}", message(source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// On which object.
        subject: Subject,
        /// The answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// Another client made the object since it was seen that there is none. It is as that client made it.
    #[error("{action} {subject}: another client made it meanwhile")]
    Taken {
        /// What was tried.
        action: &'static str,
        /// On which object.
        subject: Subject,
    },
    /// The object cannot be sent: it lacks its kind or name, or cannot be written as JSON.
    #[error("{action} {subject}: {why}")]
    Malformed {
        /// What was tried.
        action: &'static str,
        /// On which object, as far as it is known.
        subject: Subject,
        /// What is wrong with it.
        why: String,
    },
}

/// The server's own words, without the debug form that the client's error adds.
pub(crate) fn message(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => format!("{} (HTTP {})", status.message, status.code),
        other => other.to_string(),
    }
}

impl ApplyError {
    /// The server's answer, when it answered.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            _ => None,
        }
    }

    /// The HTTP status code, when the server answered.
    pub fn code(&self) -> Option<u16> {
        self.status().map(|status| status.code)
    }

    /// What went wrong, for a message that names the action and the object already.
    pub fn why(&self) -> String {
        match self {
            Self::Timeout { deadline, .. } => {
                format!("no answer from the API server within {} s", deadline.as_secs())
            }
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => status.message.clone(),
                other => other.to_string(),
            },
            Self::Taken { .. } => "another client made it meanwhile".to_owned(),
            Self::Malformed { why, .. } => why.clone(),
        }
    }

    /// Another client changed the object first, or a precondition did not hold.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Taken { .. }) || self.code() == Some(409)
    }

    /// The API server did not answer in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// There is no such object, kind or namespace.
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The object that was named is gone. A 404 that names no object speaks of the kind: an API server that has just started,
    /// or whose definition was deleted, does not serve it, and that tells nothing of the object.
    pub fn is_gone(&self) -> bool {
        let Some(status) = self.status() else { return false };
        status.code == 404 && status.details.as_ref().is_some_and(|details| !details.name.is_empty())
    }

    /// The service account may not do this (a namespace that is being deleted counts too).
    pub fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// The server refuses the content: a wrong value, or a field that cannot be changed.
    pub fn is_invalid(&self) -> bool {
        matches!(self.code(), Some(400 | 422))
    }
}
