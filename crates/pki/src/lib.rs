//! Certificates and keys as values: reading certificates, deciding about renewal, maintenance windows, PEM.
//!
//! Pure: nothing in here talks to a network, to Kubernetes, to a clock or to a random source: the present time is a
//! parameter of every function that needs it. Keys, signatures and passwords are made by the crate `issuer`.

mod certificate;
mod chain;
mod decision;
mod error;
mod material;
mod pem;
mod public_key;
mod window;

pub use certificate::{CertificateInfo, parse_certificate, parse_certificates, parse_der, without_expired};
pub use chain::{Certificate, CertificateChain, ReadChains};
pub use decision::{
    AuthorityAction, AuthorityDecision, AuthorityReason, AuthorityState, CertificateState, LeafDecision,
    LeafReason, LeafState, LeafWanted, RenewalPolicy, authority_decision, dated_certificate_key,
    leaf_decision,
};
pub use error::PkiError;
pub use material::{KeyAlgorithm, Material, MaterialRequest, Purposes, SecretPem, Unverified, VerifiedPath};
pub use pem::{CertificatePem, Password, PrivateKeyPem};
pub use public_key::KeyFit;
pub use window::{MaintenanceWindow, in_maintenance_window};

/// Whether two secrets are equal, in a time that depends on their lengths only.
pub fn secrets_equal(left: &[u8], right: &[u8]) -> bool {
    use subtle::ConstantTimeEq;
    left.ct_eq(right).into()
}
