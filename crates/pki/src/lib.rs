//! Certificate authorities, leaf certificates, renewal decisions, PEM and PKCS #12.
//!
//! Nothing in here talks to a network, to Kubernetes or to a clock: the present time is a parameter of every
//! function that needs it. Key generation is synchronous and takes from 50 µs (ECDSA) to seconds (RSA-4096), so async
//! callers run it on a blocking thread.

mod authority;
mod certificate;
mod decision;
mod error;
mod keys;
mod keystore;
mod pem;
mod random;
mod window;

pub use authority::{Authority, AuthorityRequest, IssuedCertificate, LeafRequest};
pub use certificate::{CertificateInfo, parse_certificate, parse_certificates, without_expired};
pub use decision::{
    AuthorityAction, AuthorityDecision, AuthorityReason, AuthorityState, CertificateState, LeafDecision,
    LeafReason, LeafState, LeafWanted, RenewalPolicy, authority_decision, dated_certificate_key,
    leaf_decision,
};
pub use error::PkiError;
pub use keys::{KeyAlgorithm, generate_key, key_matches_certificate};
pub use keystore::{key_store, trust_store};
pub use pem::{CertificatePem, Password, PrivateKeyPem};
pub use random::{bytes, kafka_uuid, password};
pub use window::{MaintenanceWindow, in_maintenance_window};

/// Whether two secrets are equal, in a time that depends on their lengths only.
pub fn secrets_equal(left: &[u8], right: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(left, right).is_ok()
}
