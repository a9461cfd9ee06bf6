//! What can end a pass early, of whatever kind.

use api::conditions::reasons;
use operator_runtime::apply::ApplyError;
use operator_runtime::leader::Lapsed;
use planner::completion::NeverComplete;
use thiserror::Error;

use crate::carry_out;

/// What can end a pass early. The pass is repeated with back-off.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// Kubernetes refused something.
    #[error(transparent)]
    Kubernetes(#[from] ApplyError),
    /// A plan could not be carried out.
    #[error(transparent)]
    Apply(#[from] carry_out::Error),
    /// Kafka, Kafka Connect or a rule of the operator refused something.
    #[error("{why}")]
    Refused {
        /// Reason of the condition that tells of it.
        reason: &'static str,
        /// Why, in words.
        why: String,
    },
    /// The status says so already.
    #[error("{0}")]
    Told(String),
    /// The plan asks again and again.
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
    /// Another process may lead.
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
}

impl Error {
    /// Kafka refused something: why.
    pub(crate) fn of_kafka(why: String) -> Self {
        Self::Refused { reason: reasons::KAFKA_ERROR, why }
    }

    /// Reason of the condition that tells of it.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Kubernetes(_) | Self::Apply(_) => reasons::KUBERNETES_ERROR,
            Self::Refused { reason, .. } => reason,
            Self::Told(_) | Self::NeverComplete(_) | Self::Lapsed(_) => reasons::INTERNAL_ERROR,
        }
    }

    /// Whether another process may lead, which writes the statuses then.
    pub(super) fn has_lapsed(&self) -> bool {
        matches!(self, Self::Lapsed(_) | Self::Apply(carry_out::Error::Lapsed(_)))
    }
}
