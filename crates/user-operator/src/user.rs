//! What a KafkaUser says about its user, in short.

use api::kafka_user::KafkaUserAuthenticationType;
use api::{KafkaUser, annotations, principals};
use kube::ResourceExt;

/// How the user authenticates; `None`: by other means, under the resource's name.
pub(crate) fn authentication(user: &KafkaUser) -> Option<KafkaUserAuthenticationType> {
    user.spec.authentication.as_ref().map(|authentication| authentication.type_)
}

/// The user's name in Kafka.
pub(crate) fn username(user: &KafkaUser) -> String {
    if by_certificate(user) { principals::by_certificate(&user.name_any()) } else { user.name_any() }
}

/// Whether the user shows a certificate, made by the operator or by other means.
pub(crate) fn by_certificate(user: &KafkaUser) -> bool {
    matches!(
        authentication(user),
        Some(KafkaUserAuthenticationType::Tls | KafkaUserAuthenticationType::TlsExternal)
    )
}

/// Whether reconciliation is paused by annotation.
pub(crate) fn is_paused(user: &KafkaUser) -> bool {
    annotations::is_true(user.metadata.annotations.as_ref(), annotations::PAUSE_RECONCILIATION)
}
