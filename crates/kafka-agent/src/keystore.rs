//! Puts PEM key stores together: the private key followed by its certificate chain, as Kafka reads them.

use std::path::PathBuf;

use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::KeyStore;
use crate::files::{self, FileError};

/// A key store could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key is not usable.
    #[error(
        "{path} holds no private key that Kafka reads: {reason}; it has to be PKCS #8 (`BEGIN PRIVATE KEY`), which `openssl pkcs8 -topk8 -nocrypt` makes of other keys"
    )]
    Key {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The certificates are not usable.
    #[error("{path} holds no certificate: {reason}")]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Key and certificate do not belong together.
    #[error("the key {key} does not belong to the certificate {certificates}: {reason}")]
    Mismatch {
        /// File of the key.
        key: PathBuf,
        /// File of the certificates.
        certificates: PathBuf,
        /// Why.
        reason: String,
    },
}

/// What is wrong with a PEM text. Errors of the parser quote what they read, which may be a whole key.
pub(crate) fn pem_flaw(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "it has none".to_owned(),
        _ => "it is not PEM, with BEGIN and END on lines of their own".to_owned(),
    }
}

/// The content of a key store: key and chain in PEM.
///
/// The two files change together but are read one after the other, so that a new key could meet an old certificate:
/// the pair is checked.
pub fn render(store: &KeyStore) -> Result<String, KeyStoreError> {
    let key_text = files::read(&store.key)?;
    let chain_text = files::read(&store.certificates)?;
    let key_error = |reason: String| KeyStoreError::Key { path: store.key.clone(), reason };
    let key =
        PrivateKeyDer::from_pem_slice(key_text.as_bytes()).map_err(|error| key_error(pem_flaw(&error)))?;
    if !matches!(key, PrivateKeyDer::Pkcs8(_)) {
        return Err(key_error("it is in an older format".to_owned()));
    }
    let chain = CertificateDer::pem_slice_iter(chain_text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        Ok(_) => {
            return Err(KeyStoreError::Certificates {
                path: store.certificates.clone(),
                reason: "no `BEGIN CERTIFICATE` in it".to_owned(),
            });
        }
        Err(error) => {
            return Err(KeyStoreError::Certificates {
                path: store.certificates.clone(),
                reason: pem_flaw(&error),
            });
        }
    };
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| {
        KeyStoreError::Mismatch {
            key: store.key.clone(),
            certificates: store.certificates.clone(),
            reason: error.to_string(),
        }
    })?;
    Ok(format!("{}\n{}\n", key_text.trim_end(), chain_text.trim_end()))
}

/// Writes the key store if its content differs from the file's. Returns whether it wrote.
pub fn update(store: &KeyStore) -> Result<bool, KeyStoreError> {
    let content = render(store)?;
    if files::read_optional(&store.target)?.as_ref() == Some(&content) {
        return Ok(false);
    }
    files::write(&store.target, content.as_bytes(), 0o600)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn pair() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["node".to_owned()]).unwrap();
        (made.signing_key.serialize_pem(), made.cert.pem())
    }

    fn store_in(folder: &std::path::Path) -> KeyStore {
        KeyStore {
            target: folder.join("node.pem"),
            key: folder.join("p.key"),
            certificates: folder.join("p.crt"),
        }
    }

    #[test]
    fn a_key_store_is_written_once_privately_and_again_when_the_secret_changes() {
        let at = tempfile::tempdir().unwrap();
        let store = store_in(at.path());
        assert!(update(&store).unwrap_err().to_string().contains("cannot read"));
        let (key, certificate) = pair();
        std::fs::write(&store.key, &key).unwrap();
        std::fs::write(&store.certificates, &certificate).unwrap();
        assert!(update(&store).unwrap());
        assert!(!update(&store).unwrap());
        let text = std::fs::read_to_string(&store.target).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----") && text.contains("BEGIN CERTIFICATE"));
        assert_eq!(std::fs::metadata(&store.target).unwrap().permissions().mode() & 0o777, 0o600);
        let (new_key, new_certificate) = pair();
        std::fs::write(&store.key, new_key).unwrap();
        assert!(matches!(update(&store), Err(KeyStoreError::Mismatch { .. })));
        std::fs::write(&store.certificates, new_certificate).unwrap();
        assert!(update(&store).unwrap());
    }

    #[test]
    fn an_error_about_a_key_on_one_line_quotes_nothing_of_it() {
        let at = tempfile::tempdir().unwrap();
        let store = store_in(at.path());
        let (key, certificate) = pair();
        let line = key.replace('\n', "");
        let bytes = format!("{:?}", &line.as_bytes()[30..60]);
        for (key, chain) in [(&line, &certificate), (&key, &line.replace("PRIVATE KEY", "CERTIFICATE"))] {
            std::fs::write(&store.key, key).unwrap();
            std::fs::write(&store.certificates, chain).unwrap();
            let error = render(&store).unwrap_err().to_string();
            assert!(error.contains("lines of their own"), "{error}");
            assert!(
                !error.contains(&line[30..60]) && !error.contains(bytes.trim_matches(['[', ']'])),
                "{error}"
            );
        }
    }

    #[test]
    fn a_key_in_an_old_format_is_refused_with_the_command_that_converts_it() {
        let at = tempfile::tempdir().unwrap();
        let store = store_in(at.path());
        std::fs::write(&store.key, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n")
            .unwrap();
        std::fs::write(&store.certificates, pair().1).unwrap();
        assert!(render(&store).unwrap_err().to_string().contains("openssl pkcs8"));
    }
}
