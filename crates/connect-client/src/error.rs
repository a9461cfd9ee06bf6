//! What can go wrong with a call.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;
use thiserror::Error;

/// Characters of Connect's own words that are kept.
const LONGEST_MESSAGE: usize = 2000;

/// A call to Kafka Connect failed. `action` is what was tried, for instance `configure connector 'a'`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConnectError {
    /// No connection, or a connection that broke.
    #[error("cannot {action}: Kafka Connect at {address} cannot be reached: {reason}")]
    Unreachable {
        /// What was tried.
        action: String,
        /// Host and port.
        address: String,
        /// Why.
        reason: String,
    },
    /// No answer in time. What was asked for may be done all the same.
    #[error("cannot {action}: Kafka Connect at {address} has not answered within {} s", after.as_secs())]
    Late {
        /// What was tried.
        action: String,
        /// Host and port.
        address: String,
        /// The deadline.
        after: Duration,
    },
    /// The answer is longer than what is read.
    #[error("cannot {action}: the answer of Kafka Connect is longer than {limit} bytes")]
    TooLong {
        /// What was tried.
        action: String,
        /// The bound.
        limit: usize,
    },
    /// The answer would take more memory than one may.
    #[error(
        "cannot {action}: the answer of Kafka Connect would take more than {limit} bytes of memory: it has too many items"
    )]
    TooLarge {
        /// What was tried.
        action: String,
        /// The bound.
        limit: usize,
    },
    /// The answer is not what Kafka Connect says to such a request.
    #[error("cannot {action}: the answer of Kafka Connect cannot be read: {reason}")]
    Malformed {
        /// What was tried.
        action: String,
        /// Why.
        reason: String,
    },
    /// 404: there is no such connector, task, class or logger.
    #[error("cannot {action}: {message}")]
    NotFound {
        /// What was tried.
        action: String,
        /// Connect's words.
        message: String,
    },
    /// 409, since a connector of this name exists.
    #[error("cannot {action}: {message}")]
    Exists {
        /// What was tried.
        action: String,
        /// Connect's words.
        message: String,
    },
    /// 409, since the workers divide connectors and tasks among themselves: it is to be tried again in a moment.
    #[error("cannot {action} at the moment: {message}")]
    Rebalancing {
        /// What was tried.
        action: String,
        /// Connect's words.
        message: String,
    },
    /// 400 or 422: Connect does not take what was sent.
    #[error("cannot {action}: {message}")]
    Invalid {
        /// What was tried.
        action: String,
        /// Connect's words.
        message: String,
    },
    /// Any other status.
    #[error("cannot {action}: Kafka Connect answers with {status}: {message}")]
    Failed {
        /// What was tried.
        action: String,
        /// The status of the answer.
        status: u16,
        /// Connect's words.
        message: String,
    },
}

impl ConnectError {
    /// Whether nobody said anything: the call may have been carried out.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Late { .. })
    }

    /// What an answer with a bad status means.
    pub(crate) fn of_answer(action: String, status: StatusCode, body: &[u8]) -> Self {
        let message = message(status, body);
        match status {
            StatusCode::NOT_FOUND => Self::NotFound { action, message },
            // Connect has one status for two situations; only its words tell them apart.
            StatusCode::CONFLICT if message.contains("already exists") => Self::Exists { action, message },
            StatusCode::CONFLICT => Self::Rebalancing { action, message },
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Self::Invalid { action, message },
            _ => Self::Failed { action, status: status.as_u16(), message },
        }
    }
}

/// Connect's words, or those of whatever stands in front of it.
fn message(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        message: Option<String>,
    }
    let said = serde_json::from_slice::<Said>(body).ok().and_then(|said| said.message);
    let text = said.unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
    let mut short: String = text.trim().chars().take(LONGEST_MESSAGE).collect();
    if short.len() < text.trim().len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> ConnectError {
        ConnectError::of_answer("try it".to_owned(), StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn what_callers_treat_apart_is_told_apart() {
        let exists = of(409, r#"{"error_code":409,"message":"Connector a already exists"}"#);
        assert!(matches!(exists, ConnectError::Exists { .. }), "{exists}");
        let rebalancing = of(
            409,
            r#"{"error_code":409,"message":"Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)"}"#,
        );
        assert!(matches!(rebalancing, ConnectError::Rebalancing { .. }), "{rebalancing}");
        assert!(matches!(of(404, "{}"), ConnectError::NotFound { .. }));
        for status in [400, 422] {
            let invalid = of(status, r#"{"error_code":400,"message":"Connector configuration is invalid"}"#);
            assert_eq!(invalid.to_string(), "cannot try it: Connector configuration is invalid");
            assert!(matches!(invalid, ConnectError::Invalid { .. }));
        }
        let failed = of(500, "<html>no JSON</html>");
        assert_eq!(
            failed.to_string(),
            "cannot try it: Kafka Connect answers with 500: Internal Server Error"
        );
        assert!(
            matches!(of(302, ""), ConnectError::Failed { status: 302, .. }),
            "redirects are not followed"
        );
    }

    #[test]
    fn long_words_are_cut() {
        let body = format!(r#"{{"message":"{}"}}"#, "ä".repeat(5000));
        assert!(of(500, &body).to_string().chars().count() < LONGEST_MESSAGE + 100);
    }
}
