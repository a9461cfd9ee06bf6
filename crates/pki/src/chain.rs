//! Certificates that were read, and nothing else of the text in which they stood.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::{CertificateInfo, CertificatePem, PkiError, parse_der};

/// One certificate that was read. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// What it says.
    pub info: Arc<CertificateInfo>,
    pem: Arc<str>,
}

impl Certificate {
    /// The certificate alone, encoded anew.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, {})", self.info.subject, self.info.short_thumbprint())
    }
}

/// At least one certificate, in the order of the text that held them.
///
/// The text itself is forgotten: comments, keys and whatever else stood in it go nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateChain {
    first: Certificate,
    rest: Vec<Certificate>,
}

impl CertificateChain {
    /// Reads every certificate of a PEM text. An error if there is none, or one of them cannot be read.
    pub fn parse(text: &str) -> Result<Self, PkiError> {
        let mut all = Vec::new();
        for der in CertificatePem::new(text).ders()? {
            let pem = CertificatePem::from_der(&der).as_str().into();
            all.push(Certificate { info: Arc::new(parse_der(&der)?), pem });
        }
        let mut all = all.into_iter();
        match all.next() {
            Some(first) => Ok(Self { first, rest: all.collect() }),
            None => Err(PkiError::ParseCertificate("no CERTIFICATE block found".to_owned())),
        }
    }

    /// The first certificate: of a leaf's chain the leaf, of an authority's the one that signs.
    pub fn first(&self) -> &Certificate {
        &self.first
    }

    /// The certificates behind the first one.
    pub fn rest(&self) -> &[Certificate] {
        &self.rest
    }

    /// All certificates.
    pub fn iter(&self) -> impl Iterator<Item = &Certificate> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    /// When the first of the certificates ends: a path is no longer good then.
    pub fn ends(&self) -> Timestamp {
        self.iter().map(|one| one.info.not_after).min().unwrap_or(self.first.info.not_after)
    }

    /// All certificates as one PEM text, encoded anew.
    pub fn pem(&self) -> String {
        self.iter().map(Certificate::pem).collect()
    }

    /// This chain followed by another.
    #[must_use]
    pub fn followed_by(mut self, behind: &Self) -> Self {
        self.rest.extend(behind.iter().cloned());
        self
    }

    /// What the certificates are as authorities: [`CertificateInfo::authority_id`] of each.
    pub fn authority_ids(&self) -> BTreeSet<String> {
        self.iter().map(|one| one.info.authority_id()).collect()
    }

    /// The first certificate that is not signed by the one behind it, by name; `None`: the order is that of a chain.
    pub fn out_of_order(&self) -> Option<&Certificate> {
        self.iter()
            .zip(&self.rest)
            .find(|(one, next)| !next.info.may_have_issued(&one.info))
            .map(|(one, _)| one)
    }
}

/// Chains that were read, by their texts: a text that is asked for again is not read again. It keeps every text that it is
/// asked for, so it lives no longer than one look at one cluster. Cheap to clone; all clones share what was read.
#[derive(Clone, Default)]
pub struct ReadChains(Arc<Mutex<BTreeMap<String, CertificateChain>>>);

impl ReadChains {
    /// As [`CertificateChain::parse`].
    pub fn parse(&self, text: &str) -> Result<CertificateChain, PkiError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(text).cloned();
        if let Some(chain) = known {
            return Ok(chain);
        }
        let chain = CertificateChain::parse(text)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned(), chain.clone());
        Ok(chain)
    }
}

impl fmt::Debug for ReadChains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        write!(f, "ReadChains({known})")
    }
}
