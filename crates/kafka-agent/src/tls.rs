//! The agent's own TLS: server of its HTTPS endpoint, client of its node's listeners.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::keystore::pem_flaw;

/// The agent's TLS configuration, made of the node's key store.
#[derive(Clone, Debug)]
pub struct Identity {
    /// For the HTTPS endpoint: demands a client certificate of the cluster's authority.
    pub server: Arc<ServerConfig>,
    /// For connections to the node's own listeners.
    pub client: Arc<ClientConfig>,
    /// SHA-256 of the node's certificate (DER), in lower-case hexadecimal.
    pub certificate_hash: String,
}

/// Key material is not usable.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {path} for tls: {reason}")]
pub struct TlsError {
    /// The file.
    path: PathBuf,
    /// Why.
    reason: String,
}

/// Loads the identity from a PEM key store and the authorities of clients from a PEM trust store.
pub fn load(key_store: &Path, client_authorities: &Path) -> Result<Identity, TlsError> {
    let store_error =
        |error: &dyn std::fmt::Display| TlsError { path: key_store.to_owned(), reason: error.to_string() };
    let trust_error = |error: &dyn std::fmt::Display| TlsError {
        path: client_authorities.to_owned(),
        reason: error.to_string(),
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(key_store)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(|error| store_error(&pem_flaw(&error)))?;
    let leaf = chain.first().ok_or_else(|| store_error(&"it has no certificate"))?;
    let certificate_hash = hash(leaf);
    let key = PrivateKeyDer::from_pem_file(key_store).map_err(|error| store_error(&pem_flaw(&error)))?;
    let mut roots = RootCertStore::empty();
    let authorities = CertificateDer::pem_file_iter(client_authorities)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| trust_error(&pem_flaw(&error)))?;
    for authority in authorities {
        roots.add(authority).map_err(|error| trust_error(&error))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| trust_error(&error))?;
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| store_error(&error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| store_error(&error))?;
    let client = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| store_error(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(OwnChild { provider }))
        .with_client_auth_cert(chain, key)
        .map_err(|error| store_error(&error))?;
    Ok(Identity { server: Arc::new(server), client: Arc::new(client), certificate_hash })
}

/// SHA-256 in lower-case hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    let digest = aws_lc_rs_digest(bytes);
    let mut text = String::with_capacity(64);
    for byte in digest {
        text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
        text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
    }
    text
}

fn aws_lc_rs_digest(bytes: &[u8]) -> Vec<u8> {
    ::aws_lc_rs::digest::digest(&::aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// Accepts whatever certificate the node's own listener shows.
///
/// The agent connects over the loopback interface to the process it started itself, and sends nothing but "who are you".
/// Checking names and validity would make the pod unready, and then restarted, for reasons that a restart does not cure;
/// an expired certificate is the business of the cluster operator.
#[derive(Debug)]
struct OwnChild {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OwnChild {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(hash(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
