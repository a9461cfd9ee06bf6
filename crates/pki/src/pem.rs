//! PEM texts and passwords as types, so that a key cannot be taken for a certificate or be printed by mistake.

use std::fmt;

use base64::Engine;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::PkiError;

/// One or more PEM-encoded certificates, leaf first.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertificatePem(String);

impl CertificatePem {
    /// Takes a text as it is; it is read when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The PEM text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This chain followed by another.
    #[must_use]
    pub fn followed_by(&self, rest: &CertificatePem) -> CertificatePem {
        let mut text = self.0.clone();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&rest.0);
        Self(text)
    }

    /// Every certificate of the text in DER form, in order. An error if there is none or one is broken.
    pub fn ders(&self) -> Result<Vec<CertificateDer<'static>>, PkiError> {
        let mut all = Vec::new();
        for item in CertificateDer::pem_slice_iter(self.0.as_bytes()) {
            all.push(item.map_err(|error| PkiError::ParseCertificate(flaw(&error).to_owned()))?);
        }
        if all.is_empty() {
            return Err(PkiError::ParseCertificate("no CERTIFICATE block found".to_owned()));
        }
        Ok(all)
    }

    /// One certificate from its DER form.
    pub fn from_der(der: &[u8]) -> Self {
        Self(encode("CERTIFICATE", der))
    }
}

impl fmt::Debug for CertificatePem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificatePem({} bytes)", self.0.len())
    }
}

/// A PEM-encoded private key. `Debug` shows nothing of it, and there is no `Display`.
#[derive(Clone)]
pub struct PrivateKeyPem(String);

impl PrivateKeyPem {
    /// Takes a text as it is; it is read when it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The PEM text, for a Secret or a file; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The key in DER form, in whichever of the three encodings the text has.
    pub fn der(&self) -> Result<PrivateKeyDer<'static>, PkiError> {
        PrivateKeyDer::from_pem_slice(self.0.as_bytes())
            .map_err(|error| PkiError::ParseKey(flaw(&error).to_owned()))
    }

    /// The same key, encoded anew, without anything else of the text. An error if it is not in PKCS #8, the only form
    /// that Kafka reads.
    pub fn in_pkcs8(&self) -> Result<Self, PkiError> {
        match self.der()? {
            PrivateKeyDer::Pkcs8(der) => Ok(Self::from_pkcs8_der(der.secret_pkcs8_der())),
            _ => Err(PkiError::NotPkcs8),
        }
    }

    /// A key from its PKCS #8 DER form.
    pub fn from_pkcs8_der(der: &[u8]) -> Self {
        Self(encode("PRIVATE KEY", der))
    }
}

impl fmt::Debug for PrivateKeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKeyPem(hidden)")
    }
}

/// A password. `Debug` shows nothing of it, and there is no `Display`.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes a text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for a Secret; never for a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        crate::secrets_equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

/// What is wrong with a PEM text. Errors of the parser quote what they read, which may be a whole key.
fn flaw(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "it has no END line that fits its BEGIN line, each of which has to be a line of its own"
        }
        pem::Error::IllegalSectionStart { .. } => "its BEGIN line does not end with five hyphens",
        pem::Error::Base64Decode(_) => "what is between its BEGIN and END lines is not Base64",
        pem::Error::NoItemsFound => "it has no BEGIN line of the kind that is looked for",
        pem::Error::SectionTooLarge => "it is too long",
        _ => "it is not PEM",
    }
}

fn encode(label: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let mut text = String::with_capacity(body.len() + body.len() / 64 + 64);
    text.push_str("-----BEGIN ");
    text.push_str(label);
    text.push_str("-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str("-----END ");
    text.push_str(label);
    text.push_str("-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_wrong_with_a_text_and_quotes_nothing_of_it() {
        const BODY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsecretsecret";
        for (text, expected) in [
            (format!("-----BEGIN PRIVATE KEY-----{BODY}-----END PRIVATE KEY-----"), "a line of its own"),
            (format!("-----BEGIN PRIVATE KEY-----{BODY}-----END PRIVATE KEY-----\n"), "a line of its own"),
            (format!("-----BEGIN PRIVATE KEY-----\n{BODY}\n"), "no END line"),
            (format!("-----BEGIN PRIVATE KEY{BODY}\n-----END PRIVATE KEY-----\n"), "five hyphens"),
            (format!("-----BEGIN PRIVATE KEY-----\n{BODY}*\n-----END PRIVATE KEY-----\n"), "not Base64"),
            (BODY.to_owned(), "no BEGIN line"),
        ] {
            let key = PrivateKeyPem::new(text.as_str()).der().unwrap_err().to_string();
            assert!(key.contains(expected), "{key}");
            let certificate = CertificatePem::new(text.replace("PRIVATE KEY", "CERTIFICATE")).ders();
            let certificate = certificate.unwrap_err().to_string();
            for error in [key, certificate] {
                let bytes = format!("{:?}", BODY.as_bytes());
                assert!(!error.contains(BODY) && !error.contains(bytes.trim_matches(['[', ']'])), "{error}");
            }
        }
    }
}
