//! What can go wrong with a call to Kafka, and what that says of it.

use kafka_admin::{AdminError, KafkaError};
use planner::silence::{Silence, SilenceKind};
use thiserror::Error;

/// What can go wrong with a call to Kafka.
#[derive(Debug, Error)]
pub enum Error {
    /// The call as a whole failed.
    #[error("cannot {action}: {source}")]
    Call {
        /// What was tried.
        action: String,
        /// What happened.
        source: AdminError,
    },
    /// Kafka refused one item.
    #[error("cannot {action}: {source}")]
    Refused {
        /// What was tried.
        action: String,
        /// What Kafka said.
        source: KafkaError,
    },
    /// Kafka names more brokers than a cluster has.
    #[error("kafka names more than {most} brokers that hold replicas")]
    TooManyBrokers {
        /// How many are read.
        most: usize,
    },
    /// More partitions are being moved than are looked at.
    #[error("more than {most} partitions are being moved: no other is moved off nodes until there are fewer")]
    TooManyMoves {
        /// How many are looked at.
        most: usize,
    },
    /// What a broker knows is out of date.
    #[error(
        "broker {broker} knows the cluster up to offset {known} of the metadata log, of which {committed} are committed"
    )]
    Behind {
        /// The broker.
        broker: i32,
        /// The last offset that it knows.
        known: i64,
        /// How much is committed.
        committed: i64,
    },
    /// An identifier of the plan is no Kafka uuid.
    #[error("cannot {action}: {id} is not a Kafka uuid")]
    NoUuid {
        /// What was tried.
        action: String,
        /// The identifier.
        id: String,
    },
}

impl From<Error> for Silence {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Call { source, .. } => kind_of(source),
            Error::Behind { .. } => SilenceKind::Late,
            Error::Refused { .. }
            | Error::NoUuid { .. }
            | Error::TooManyBrokers { .. }
            | Error::TooManyMoves { .. } => SilenceKind::Refused,
        };
        Self::new(kind, error.to_string())
    }
}

impl Error {
    /// Whether Kafka did not answer, so that it is of no use to ask it for something else.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Call { source, .. } => kind_of(source) != SilenceKind::Refused,
            Self::Behind { .. } => true,
            Self::Refused { .. }
            | Self::TooManyBrokers { .. }
            | Self::TooManyMoves { .. }
            | Self::NoUuid { .. } => false,
        }
    }
}

/// What kind of silence a failed call is.
pub(crate) fn kind_of(error: &AdminError) -> SilenceKind {
    match error {
        AdminError::Connect { .. } => SilenceKind::Unreachable,
        AdminError::Tls { .. } => SilenceKind::Tls,
        AdminError::OtherCluster { .. } => SilenceKind::OtherCluster,
        AdminError::Timeout { last: Some(last), .. } => match kind_of(last) {
            SilenceKind::Refused => SilenceKind::Late,
            kind => kind,
        },
        AdminError::Disconnected { .. } | AdminError::Timeout { last: None, .. } => SilenceKind::Late,
        AdminError::Config(_)
        | AdminError::Authentication { .. }
        | AdminError::Protocol { .. }
        | AdminError::TooLong { .. }
        | AdminError::Unsupported { .. }
        | AdminError::UnknownNode(_)
        | AdminError::Api { .. } => SilenceKind::Refused,
    }
}

/// The error of a call that failed as a whole while this was tried.
pub(super) fn call(action: &str) -> impl FnOnce(AdminError) -> Error {
    let action = action.to_owned();
    move |source| Error::Call { action, source }
}
