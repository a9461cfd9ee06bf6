//! The contents of users' Secrets. Synchronous: making keys takes a processor, so callers run it on blocking threads.

use std::collections::BTreeMap;

use api::names::keys;
use api::{cert_manager, principals};
use issuer::{Authority, KeyAlgorithm, LeafRequest};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use pki::{CertificateChain, CertificatePem, Password, PkiError, PrivateKeyPem, Purposes, Unverified};

use crate::secret_view::jaas_config;

/// Length of the password of a PKCS #12 store.
const STORE_PASSWORD_LENGTH: usize = 12;

/// The entries of a Secret.
pub(crate) type Data = BTreeMap<String, ByteString>;

/// A certificate to be made.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The user's name.
    pub user: String,
    /// Days it is valid.
    pub validity_days: u32,
    /// How its key is made.
    pub algorithm: KeyAlgorithm,
    /// Whether a PKCS #12 store is made too.
    pub pkcs12: bool,
}

fn entry(data: &mut Data, key: &str, value: impl Into<Vec<u8>>) {
    data.insert(key.to_owned(), ByteString(value.into()));
}

/// A new key and certificate for a user.
pub(crate) fn issue(
    order: &Order,
    authority: &Authority,
    ca_text: &str,
    now: Timestamp,
) -> Result<Data, PkiError> {
    let request = LeafRequest {
        common_name: order.user.clone(),
        validity_days: order.validity_days,
        algorithm: order.algorithm,
        ..LeafRequest::default()
    };
    let issued = authority.issue(&request, now)?;
    with_certificate(order, ca_text, issued.certificate.as_str(), &issued.key, &issued.chain)
}

/// What cert-manager keeps in a Secret for a user, once it is verified with the authorities that are trusted. An error says why it is of
/// no use.
pub(crate) fn taken(
    order: &Order,
    ca_text: &str,
    offered: &Data,
    now: Timestamp,
) -> Result<Data, Unverified> {
    let text = |key: &str| {
        let bytes = offered.get(key).map(|value| value.0.clone());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        text.ok_or_else(|| Unverified::Unusable(format!("the Secret has no text under {key:?}")))
    };
    let (certificate, key) = (text(cert_manager::TLS_CRT)?, text(cert_manager::TLS_KEY)?);
    let unusable = |error: PkiError| Unverified::Unusable(error.to_string());
    // Encoded anew, as the certificates are: what else stands in the texts goes nowhere.
    let key = PrivateKeyPem::new(key).in_pkcs8().map_err(unusable)?;
    let path = issuer::verify(&certificate, &key, ca_text, Purposes::Client, now)?;
    let read = CertificateChain::parse(&path.certificates).map_err(unusable)?;
    let wanted = principals::by_certificate(&order.user);
    if read.first().info.subject != wanted {
        return Err(Unverified::Unusable(format!(
            "it has the subject {:?} in place of {wanted:?}, by which Kafka knows the user: name an issuer that keeps the common name \
             and adds nothing",
            read.first().info.short_subject()
        )));
    }
    let whole = CertificatePem::new(path.whole());
    with_certificate(order, ca_text, &path.certificates, &key, &whole).map_err(unusable)
}

fn with_certificate(
    order: &Order,
    ca_text: &str,
    certificate: &str,
    key: &PrivateKeyPem,
    chain: &CertificatePem,
) -> Result<Data, PkiError> {
    let mut data = Data::new();
    entry(&mut data, keys::CA_CRT, ca_text);
    entry(&mut data, keys::USER_CRT, certificate);
    entry(&mut data, keys::USER_KEY, key.expose());
    if order.pkcs12 {
        store(&mut data, &order.user, key, chain)?;
    }
    Ok(data)
}

/// What a user's Secret has, with or without a PKCS #12 store.
pub(crate) fn refresh(order: &Order, live: &Data) -> Result<Data, PkiError> {
    let mut data = Data::new();
    for key in [keys::CA_CRT, keys::USER_CRT, keys::USER_KEY] {
        if let Some(value) = live.get(key) {
            data.insert(key.to_owned(), value.clone());
        }
    }
    if !order.pkcs12 {
        return Ok(data);
    }
    if let (Some(one), Some(other)) = (live.get(keys::USER_P12), live.get(keys::USER_PASSWORD)) {
        data.insert(keys::USER_P12.to_owned(), one.clone());
        data.insert(keys::USER_PASSWORD.to_owned(), other.clone());
        return Ok(data);
    }
    let text = |key: &str| {
        let bytes = live.get(key).map(|value| value.0.clone()).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    };
    let chain =
        CertificatePem::new(text(keys::USER_CRT)).followed_by(&CertificatePem::new(text(keys::CA_CRT)));
    store(&mut data, &order.user, &PrivateKeyPem::new(text(keys::USER_KEY)), &chain)?;
    Ok(data)
}

/// The entries of a user with a password.
pub(crate) fn password(user: &str, password: &Password) -> Data {
    let mut data = Data::new();
    entry(&mut data, keys::PASSWORD, password.expose());
    entry(&mut data, keys::SASL_JAAS_CONFIG, jaas_config(user, password.expose()));
    data
}

fn store(data: &mut Data, user: &str, key: &PrivateKeyPem, chain: &CertificatePem) -> Result<(), PkiError> {
    let password = issuer::password(STORE_PASSWORD_LENGTH)?;
    entry(data, keys::USER_P12, issuer::key_store(user, key, chain, &password)?);
    entry(data, keys::USER_PASSWORD, password.expose());
    Ok(())
}
