//! What a client is told when its request fails: a code of HTTP and a message.

use http::StatusCode;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::json::JsonError;

/// An answer that says what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct ApiError {
    /// The code, which the body repeats.
    pub code: StatusCode,
    /// What is wrong.
    pub message: String,
    /// Single mistakes in the body of the request.
    pub validation_errors: Vec<String>,
}

impl ApiError {
    /// Of a code and a message.
    pub(crate) fn new(code: StatusCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), validation_errors: Vec::new() }
    }

    /// 400.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }

    /// 422: understood, and not possible.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// 500.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    /// There is no such consumer.
    pub(crate) fn no_consumer() -> Self {
        Self::not_found("The specified consumer instance was not found.")
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = serde_json::json!({"error_code": self.code.as_u16(), "message": self.message});
        if !self.validation_errors.is_empty() {
            body["validation_errors"] = self.validation_errors.clone().into();
        }
        body.to_string().into_bytes()
    }

    /// What Kafka or the client library said while something was done.
    pub(crate) fn kafka(action: &str, error: &KafkaError) -> Self {
        let code = match error {
            KafkaError::AdminOp(code) => Some(*code),
            other => other.rdkafka_error_code(),
        };
        match code {
            Some(code) => Self::new(status_of(code), format!("{action}: {code}")),
            // Such an error may quote the value of an option.
            None => match error {
                KafkaError::ClientConfig(_, _, name, _) => {
                    Self::internal(format!("{action}: option {name} of the client cannot be used"))
                }
                other => Self::internal(format!("{action}: {other}")),
            },
        }
    }
}

impl From<JsonError> for ApiError {
    fn from(error: JsonError) -> Self {
        let message = error.to_string();
        if matches!(error, JsonError::TooMany { .. }) {
            return Self::unprocessable(message);
        }
        Self {
            validation_errors: vec![message.clone()],
            ..Self::bad_request(format!("Validation error on: {message}"))
        }
    }
}

/// The code of HTTP for an error of Kafka.
pub(crate) fn status_of(code: RDKafkaErrorCode) -> StatusCode {
    use RDKafkaErrorCode as Code;
    match code {
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => StatusCode::NOT_FOUND,
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed => StatusCode::FORBIDDEN,
        Code::TopicAlreadyExists => StatusCode::CONFLICT,
        Code::MessageSizeTooLarge
        | Code::InvalidMessageSize
        | Code::InvalidMessage
        | Code::InvalidRecord
        | Code::InvalidTimestamp
        | Code::InvalidTopic
        | Code::InvalidPartitions
        | Code::InvalidReplicationFactor
        | Code::InvalidReplicaAssignment
        | Code::InvalidConfig
        | Code::PolicyViolation
        | Code::InvalidRequest
        | Code::OffsetOutOfRange => StatusCode::UNPROCESSABLE_ENTITY,
        Code::QueueFull
        | Code::AllBrokersDown
        | Code::BrokerTransportFailure
        | Code::ThrottlingQuotaExceeded => StatusCode::SERVICE_UNAVAILABLE,
        Code::MessageTimedOut | Code::OperationTimedOut | Code::RequestTimedOut => {
            StatusCode::GATEWAY_TIMEOUT
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_fields_of_the_api() {
        let body = ApiError::no_consumer().body();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            body,
            serde_json::json!({"error_code": 404, "message": "The specified consumer instance was not found."})
        );
    }

    #[test]
    fn a_wrong_option_is_named_without_its_value() {
        let error = rdkafka::ClientConfig::new()
            .set("linger.ms", "hunter2")
            .create::<rdkafka::consumer::BaseConsumer>()
            .err()
            .unwrap();
        let told = ApiError::kafka("make a consumer", &error);
        assert!(told.message.contains("linger.ms") && !told.message.contains("hunter2"), "{told:?}");
    }
}
