//! From PEM texts to what rustls needs.

use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::AdminError;
use crate::config::TlsConfig;

/// Builds the settings of TLS connections; checks every PEM text.
pub fn client_config(tls: &TlsConfig) -> Result<Arc<ClientConfig>, AdminError> {
    let provider = provider();
    let verifier = verifier(tls, provider)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| AdminError::Config(format!("tls versions: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = certificates("client certificate", &identity.certificate_chain_pem)?;
            // Errors of the parser quote what they read, which may be a whole key.
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).map_err(|_| {
                AdminError::Config(
                    "client key is not an unencrypted pem private key, with BEGIN and END on lines of their own".to_owned(),
                )
            })?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                AdminError::Config(format!("client certificate and key do not belong together: {error}"))
            })?
        }
    };
    // Connections stay open. Sessions that could be resumed would take more memory than the connections themselves.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// Cipher suites and algorithms, once for all clients.
fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

fn verifier(tls: &TlsConfig, provider: &Arc<CryptoProvider>) -> Result<ServerVerifier, AdminError> {
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(trusted(tls)?), Arc::clone(provider))
        .build()
        .map_err(|error| AdminError::Config(format!("trusted certificates cannot be used: {error}")))?;
    Ok(ServerVerifier { chain, verify_hostname: tls.verify_hostname })
}

fn trusted(tls: &TlsConfig) -> Result<RootCertStore, AdminError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("trusted certificates", &tls.trusted_certificates_pem)? {
        roots
            .add(certificate)
            .map_err(|error| AdminError::Config(format!("a trusted certificate cannot be used: {error}")))?;
    }
    Ok(roots)
}

fn certificates(what: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, AdminError> {
    let mut found = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        found.push(certificate.map_err(|_| {
            AdminError::Config(format!("{what}: not valid pem, with BEGIN and END on lines of their own"))
        })?);
    }
    if found.is_empty() {
        return Err(AdminError::Config(format!("{what}: no pem certificate found")));
    }
    Ok(found)
}

/// The usual verification of the chain; the host name is checked on top of it unless switched off
/// (`STRIMZI_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM` set to an empty value).
#[derive(Debug)]
struct ServerVerifier {
    chain: Arc<WebPkiServerVerifier>,
    verify_hostname: bool,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is the last thing that is looked at: an error about it means that the chain is good.
        match self.chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.verify_hostname => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Says what went wrong and what to look at.
pub(crate) fn explain(error: &rustls::Error) -> String {
    let hint = match error {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "; the server's certificate was not signed by a trusted certificate authority",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "; the server's certificate names other hosts",
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "; the server's certificate has expired",
        rustls::Error::AlertReceived(_) => "; the server refused this client, check the client certificate",
        rustls::Error::InvalidMessage(_) => "; is this a listener with tls?",
        _ => "",
    };
    format!("{error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_is_checked_unless_switched_off_and_the_authority_always() {
        let authority = test_support::kafka::Authority::new("ca").unwrap();
        let server = authority.server(&["kafka.example"]).unwrap();
        let stranger = test_support::kafka::Authority::new("ca").unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let accepts = |trusted: &str, verify, host: &'static str| {
            let tls = TlsConfig::new(trusted).with_verify_hostname(verify);
            let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap();
            let name = ServerName::try_from(host).unwrap();
            let verifier = verifier(&tls, &provider).unwrap();
            verifier.verify_server_cert(&certificate, &[], &name, &[], UnixTime::now()).is_ok()
        };
        assert!(accepts(authority.certificate(), true, "kafka.example"));
        assert!(!accepts(authority.certificate(), true, "other.example"));
        assert!(accepts(authority.certificate(), false, "other.example"));
        assert!(accepts(authority.certificate(), false, "10.0.0.1"));
        assert!(!accepts(stranger.certificate(), false, "kafka.example"));
    }

    #[test]
    fn text_that_is_no_certificate_is_refused_before_any_connection() {
        let error = client_config(&TlsConfig::new("hello")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid kafka client configuration: trusted certificates: no pem certificate found"
        );
    }

    #[test]
    fn an_error_about_a_text_on_one_line_quotes_nothing_of_it() {
        let authority = test_support::kafka::Authority::new("ca").unwrap();
        let bytes = |text: &str| format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
        let key = authority.key().replace('\n', "");
        let certificate = authority.certificate().replace('\n', "");
        let good = TlsConfig::new(authority.certificate());
        for tls in [
            good.clone().with_identity(authority.certificate(), key.as_str()),
            good.with_identity(certificate.as_str(), authority.key()),
            TlsConfig::new(key.replace("PRIVATE KEY", "CERTIFICATE")),
        ] {
            let error = client_config(&tls).unwrap_err().to_string();
            assert!(error.contains("lines of their own"), "{error}");
            for body in [&key[30..60], &certificate[30..60]] {
                assert!(!error.contains(body) && !error.contains(&bytes(body)), "{error}");
            }
        }
    }
}
