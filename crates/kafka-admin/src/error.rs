//! What can go wrong: for one item of a call ([`KafkaError`]) and for a call as a whole ([`AdminError`]).

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::protocol::StrBytes;
use thiserror::Error;

use crate::ErrorCode;
use crate::values::shortened;

/// The answer of a call that carries many items: one result for each.
pub type Outcomes<K, T = ()> = BTreeMap<K, Result<T, KafkaError>>;

/// Kafka's answer that it did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{}{message}", code.exception(), if message.is_empty() { "" } else { ": " })]
pub struct KafkaError {
    /// Kafka's error code.
    pub code: ErrorCode,
    /// Kafka's explanation; may be empty.
    pub message: String,
}

impl KafkaError {
    /// An error with a code and an explanation, of which at most [`crate::LONGEST_WORDS`] characters are kept.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: shortened(message, crate::LONGEST_WORDS) }
    }

    /// Kafka's name of the error code, for example `INVALID_PARTITIONS`.
    pub fn name(&self) -> &'static str {
        self.code.name()
    }

    /// Simple name of the Java exception, for example `InvalidPartitionsException`.
    pub fn exception(&self) -> &'static str {
        self.code.exception()
    }

    /// Whether the same request may succeed later.
    pub fn is_retriable(&self) -> bool {
        self.code.is_retriable()
    }
}

/// Turns the pair of fields that every response has into a result; `0` is success.
pub(crate) fn check(code: i16, message: Option<&StrBytes>) -> Result<(), KafkaError> {
    if code == 0 {
        return Ok(());
    }
    Err(KafkaError::new(ErrorCode(code), message.map_or("", |text| text.as_str())))
}

/// A call that could not be carried out as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AdminError {
    /// The client's own settings are wrong; nothing was sent.
    #[error("invalid kafka client configuration: {0}")]
    Config(String),
    /// No TCP connection, or it ended before it was ready for use.
    #[error("cannot connect to kafka at {address}: {reason}")]
    Connect {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The TLS handshake failed: trust, host name, client certificate or protocol.
    #[error("tls with kafka at {address} failed: {reason}")]
    Tls {
        /// `host:port`.
        address: String,
        /// What happened and what to look at.
        reason: String,
    },
    /// Kafka does not accept the user name and password, or its proof is wrong.
    #[error("kafka at {address} refused the login with {mechanism}: {reason}")]
    Authentication {
        /// `host:port`.
        address: String,
        /// SASL mechanism.
        mechanism: &'static str,
        /// What happened.
        reason: String,
    },
    /// The connection ended while an answer was awaited.
    #[error("connection to kafka at {address} was lost: {reason}")]
    Disconnected {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
    /// No (successful) answer within the time limit of the call.
    #[error("kafka call {call} was not answered within {}{}", seconds(*after), reason(last.as_deref()))]
    Timeout {
        /// Name of the call.
        call: &'static str,
        /// The time limit.
        after: Duration,
        /// Why the last attempt failed, if it did.
        last: Option<Box<AdminError>>,
    },
    /// The answer is longer than the client reads ([`crate::AdminConfig::max_answer_bytes`]).
    #[error("the answer of kafka at {address} is too long: {reason}")]
    TooLong {
        /// `host:port`.
        address: String,
        /// How long it is.
        reason: String,
    },
    /// Bytes that are not what the protocol says.
    #[error("kafka at {address} sent or got something that the protocol does not allow: {reason}")]
    Protocol {
        /// `host:port`.
        address: String,
        /// What happened.
        reason: String,
    },
    /// The server knows no version of the request that this client can speak.
    #[error("kafka at {address} does not support {call} in a version that this client knows")]
    Unsupported {
        /// `host:port`.
        address: String,
        /// Name of the call.
        call: &'static str,
    },
    /// The address leads to a node of another Kafka cluster. The node was asked for nothing else.
    #[error(
        "kafka at {address} belongs to the cluster with the id {found:?}, not to the one with the id {wanted:?}"
    )]
    OtherCluster {
        /// `host:port`.
        address: String,
        /// The id of its cluster.
        found: String,
        /// The id of the cluster that is meant.
        wanted: String,
    },
    /// A node id that the cluster does not list.
    #[error("kafka node {0} is not registered in the cluster")]
    UnknownNode(i32),
    /// Kafka answered, and the answer is an error for the whole call.
    #[error("kafka call {call} failed: {error}")]
    Api {
        /// Name of the call.
        call: &'static str,
        /// Kafka's answer.
        error: KafkaError,
    },
}

fn seconds(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}

fn reason(last: Option<&AdminError>) -> String {
    last.map(|error| format!("; last attempt: {error}")).unwrap_or_default()
}

impl AdminError {
    /// Kafka's own answer, when there is one.
    pub fn kafka_error(&self) -> Option<&KafkaError> {
        match self {
            Self::Api { error, .. } => Some(error),
            Self::Timeout { last: Some(last), .. } => last.kafka_error(),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without a change of the configuration.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Disconnected { .. } | Self::Timeout { .. } => true,
            Self::Api { error, .. } => error.is_retriable(),
            Self::Config(_)
            | Self::TooLong { .. }
            | Self::Tls { .. }
            | Self::Authentication { .. }
            | Self::Protocol { .. }
            | Self::Unsupported { .. }
            | Self::OtherCluster { .. }
            | Self::UnknownNode(_) => false,
        }
    }

    /// Whether another node may be free of it: certificate, login, protocol and cluster are those of the node that was asked.
    pub(crate) fn is_of_one_node(&self) -> bool {
        matches!(
            self,
            Self::Tls { .. }
                | Self::Authentication { .. }
                | Self::Protocol { .. }
                | Self::Unsupported { .. }
                | Self::OtherCluster { .. }
        )
    }

    /// The error as the result of one item, where the failure of one node must not hide the others.
    pub(crate) fn into_item(self) -> KafkaError {
        match self {
            Self::Api { error, .. } => error,
            Self::UnknownNode(_) => KafkaError::new(ErrorCode::BROKER_NOT_AVAILABLE, self.to_string()),
            other => KafkaError::new(ErrorCode::NETWORK_EXCEPTION, other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_named_as_javas_exception_is() {
        let error = KafkaError::new(ErrorCode(38), "Replication factor: 5 larger than available brokers: 1.");
        assert_eq!(error.name(), "INVALID_REPLICATION_FACTOR");
        assert_eq!(error.exception(), "InvalidReplicationFactorException");
        assert!(!error.is_retriable());
        assert_eq!(
            error.to_string(),
            "InvalidReplicationFactorException: Replication factor: 5 larger than available brokers: 1."
        );
        assert_eq!(KafkaError::new(ErrorCode::NOT_CONTROLLER, "").to_string(), "NotControllerException");
        assert!(ErrorCode::NOT_CONTROLLER.is_retriable());
    }

    #[test]
    fn an_unknown_code_is_kept_and_never_retried() {
        let error = check(9999, None).unwrap_err();
        assert_eq!(error.code, ErrorCode(9999));
        assert_eq!(error.exception(), "UnknownServerException");
        assert!(!error.is_retriable());
        assert_eq!(check(0, None), Ok(()));
    }

    #[test]
    fn a_timeout_tells_why_the_last_attempt_failed() {
        let last = AdminError::Connect { address: "k:9091".into(), reason: "connection refused".into() };
        let error = AdminError::Timeout {
            call: "create topics",
            after: Duration::from_secs(30),
            last: Some(Box::new(last)),
        };
        assert_eq!(
            error.to_string(),
            "kafka call create topics was not answered within 30 s; last attempt: cannot connect to kafka at k:9091: connection refused"
        );
        assert!(error.is_retriable());
    }
}
