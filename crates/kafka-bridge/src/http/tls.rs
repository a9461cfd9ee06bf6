//! The certificate of the API, read again when its files change.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::{ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::placeholders;
use crate::settings::Tls;

/// Between two looks at the files. The kubelet itself takes up to a minute to bring a change.
const LOOK: Duration = Duration::from_secs(5);

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("use {path} for TLS: {reason}")]
pub struct TlsError {
    path: String,
    reason: String,
}

impl TlsError {
    fn new(path: &Path, reason: &dyn std::fmt::Display) -> Self {
        Self { path: path.display().to_string(), reason: reason.to_string() }
    }
}

/// The present certificate.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "the configuration has a key in it")]
pub(crate) struct Certificate {
    files: Tls,
    current: Arc<Mutex<(Texts, Arc<ServerConfig>)>>,
}

/// The texts of both files.
type Texts = (String, String);

impl Certificate {
    /// Reads the files.
    pub(crate) fn read(files: &Tls) -> Result<Self, TlsError> {
        let texts = texts(files)?;
        let config = configure(files, &texts)?;
        Ok(Self { files: files.clone(), current: Arc::new(Mutex::new((texts, Arc::new(config)))) })
    }

    /// For the next connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current.1))
    }

    /// Looks at the files until the end.
    pub(crate) async fn follow(self, shutdown: CancellationToken) {
        let mut told = String::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            match self.look() {
                Ok(true) => {
                    tracing::info!("the certificate of the API has changed: new connections get the new one");
                }
                Ok(false) => {}
                // Half of a change is seen as a key that does not belong to the certificate.
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        tracing::warn!("the certificate of the API stays as it is: {error}");
                        told = error;
                    }
                }
            }
        }
    }

    /// Whether there is a new certificate.
    fn look(&self) -> Result<bool, TlsError> {
        let texts = texts(&self.files)?;
        if self.current.lock().unwrap_or_else(PoisonError::into_inner).0 == texts {
            return Ok(false);
        }
        let config = Arc::new(configure(&self.files, &texts)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = (texts, config);
        Ok(true)
    }
}

fn texts(files: &Tls) -> Result<Texts, TlsError> {
    let read = |path: &Path| placeholders::read(path).map_err(|error| TlsError::new(path, &error));
    Ok((read(&files.certificate)?, read(&files.key)?))
}

fn configure(files: &Tls, (certificate, key): &Texts) -> Result<ServerConfig, TlsError> {
    let chain: Result<Vec<CertificateDer<'static>>, _> =
        CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.map_err(|_| TlsError::new(&files.certificate, &"it is not PEM"))?;
    if chain.is_empty() {
        return Err(TlsError::new(&files.certificate, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| TlsError::new(&files.key, &"there is no private key in PEM in it"))?;
    let mut versions: Vec<&'static SupportedProtocolVersion> = Vec::new();
    if files.tls13 {
        versions.push(&rustls::version::TLS13);
    }
    if files.tls12 {
        versions.push(&rustls::version::TLS12);
    }
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&versions)
        .map_err(|error| TlsError::new(&files.certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::new(&files.certificate, &error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use test_support::kafka::Authority;

    use super::*;

    #[test]
    fn a_changed_certificate_is_taken_and_half_a_change_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new("test").unwrap();
        let write = |certificate: &str, key: &str| {
            std::fs::write(path("c"), certificate).unwrap();
            std::fs::write(path("k"), key).unwrap();
        };
        let (one, other) =
            (authority.server(&["localhost"]).unwrap(), authority.server(&["localhost"]).unwrap());
        write(&one.certificate, &one.key);
        let files = Tls { certificate: path("c"), key: path("k"), tls12: true, tls13: true };
        let certificate = Certificate::read(&files).unwrap();
        assert!(!certificate.look().unwrap());
        write(&other.certificate, &one.key);
        let error = certificate.look().unwrap_err().to_string();
        assert!(error.contains("/c for TLS"), "{error}");
        write(&other.certificate, &other.key);
        assert!(certificate.look().unwrap());
        write("nothing", &other.key);
        assert!(certificate.look().is_err());
    }
}
