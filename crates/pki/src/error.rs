//! What can go wrong with keys and certificates.

/// A key, certificate, key store or maintenance window that cannot be made or read. Messages never hold key material.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PkiError {
    /// The system's random source failed.
    #[error("cannot get random bytes from the system")]
    Random,
    /// A key could not be generated.
    #[error("cannot generate a private key: {0}")]
    GenerateKey(String),
    /// A text that should hold a private key does not.
    #[error(
        "cannot read the private key: {0}; expected PEM in PKCS #8, PKCS #1 or SEC 1 form, not encrypted"
    )]
    ParseKey(String),
    /// A private key is in another form than Kafka reads.
    #[error(
        "the private key is in an older format: convert it to PKCS #8 with openssl pkcs8 -topk8 -nocrypt"
    )]
    NotPkcs8,
    /// A text that should hold a certificate does not.
    #[error("cannot read the certificate: {0}; expected PEM-encoded X.509")]
    ParseCertificate(String),
    /// Key and certificate do not belong together.
    #[error("the private key does not belong to the certificate with subject {subject}")]
    KeyMismatch {
        /// The certificate's subject.
        subject: String,
    },
    /// The certificate of an authority may not sign others.
    #[error(
        "the certificate with subject {subject} is not a certificate authority (basic constraint CA is missing)"
    )]
    NotAnAuthority {
        /// The certificate's subject.
        subject: String,
    },
    /// A certificate could not be signed.
    #[error("cannot issue a certificate for {subject}: {reason}")]
    Issue {
        /// Common name of the certificate wanted.
        subject: String,
        /// What failed.
        reason: String,
    },
    /// A PKCS #12 store could not be written.
    #[error("cannot write the PKCS #12 store: {0}")]
    KeyStore(String),
    /// A maintenance window is not a Quartz cron expression.
    #[error("invalid maintenance window \"{expression}\": {reason}")]
    Window {
        /// The whole expression.
        expression: String,
        /// What is wrong and what to write instead.
        reason: String,
    },
}
