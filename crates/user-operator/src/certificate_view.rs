//! What is kept of a Certificate of cert-manager for a user.

use api::KafkaUser;
use api::cert_manager::{IssuedCertificate, IssuedCertificateSpec};
use kube::ResourceExt;

/// What is kept of a Certificate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CertificateView {
    /// What it asks for.
    pub spec: IssuedCertificateSpec,
    /// UID of the KafkaUser that owns it.
    pub owner: Option<String>,
    /// Why it is not ready, in cert-manager's words.
    pub not_ready: Option<String>,
}

impl CertificateView {
    /// What a Certificate says.
    pub(crate) fn of(certificate: IssuedCertificate) -> Self {
        let owner = certificate.owner_references().iter().find(|owner| owner.kind == api::kinds::KAFKA_USER);
        Self {
            owner: owner.map(|owner| owner.uid.clone()),
            not_ready: certificate.status.as_ref().and_then(|status| status.not_ready()).map(str::to_owned),
            spec: certificate.spec,
        }
    }

    /// Whether it was made for the user as it is now.
    pub(crate) fn is_of(&self, user: &KafkaUser) -> bool {
        self.owner.is_some() && self.owner == user.metadata.uid
    }
}
