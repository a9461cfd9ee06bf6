//! Makes keys, certificates, key stores, passwords and identifiers, and verifies certificates that others signed.
//!
//! The half of the project's certificates that needs a random source; what reads certificates and decides about them is
//! the crate `pki`. Making a key is synchronous and takes from 50 µs (ECDSA) to seconds (RSA-4096), so async callers run
//! it on a blocking thread.

mod authority;
mod keys;
mod keystore;
mod material;
mod random;
mod verification;

pub use authority::{Authority, AuthorityRequest, IssuedCertificate, LeafRequest};
pub use keys::{generate_key, key_matches_certificate};
pub use keystore::{key_store, trust_store};
pub use material::make;
pub use pki::KeyAlgorithm;
pub use random::{bytes, kafka_uuid, password};
pub use verification::verify;
