//! What is kept of a Certificate of cert-manager for a user.

use api::KafkaUser;
use api::cert_manager::{IssuedCertificate, IssuedCertificateSpec, IssuedCertificateStatus};
use kube::ResourceExt;
use operator_runtime::memory;

/// What is kept of a Certificate.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CertificateView {
    /// What it asks for.
    pub spec: IssuedCertificateSpec,
    /// UID of the KafkaUser that owns it.
    pub owner: Option<String>,
    /// Why it is not ready, in cert-manager's words.
    pub not_ready: Option<String>,
    /// Its UID.
    pub uid: String,
    /// About how many bytes of memory it takes. Who may write Certificates could have the operator keep very much of them.
    pub bytes: usize,
}

impl CertificateView {
    /// What a Certificate says.
    pub(crate) fn of(certificate: IssuedCertificate) -> Self {
        let owner = certificate.owner_references().iter().find(|owner| owner.kind == api::kinds::KAFKA_USER);
        Self {
            owner: owner.map(|owner| owner.uid.clone()),
            not_ready: certificate.status.as_ref().and_then(IssuedCertificateStatus::not_ready),
            uid: certificate.uid().unwrap_or_default(),
            bytes: memory::size_of(&certificate.spec) + size_of::<Self>(),
            spec: certificate.spec,
        }
    }

    /// Whether it was made for the user as it is now.
    pub(crate) fn is_of(&self, user: &KafkaUser) -> bool {
        self.owner.is_some() && self.owner == user.metadata.uid
    }
}
