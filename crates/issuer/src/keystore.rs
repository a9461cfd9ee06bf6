//! PKCS #12 stores that both Java and OpenSSL read.

use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

use crate::keys;
use pki::{CertificatePem, Password, PkiError, PrivateKeyPem};

/// Rounds of key derivation. The stores' passwords are random and stand beside them in the same Secret, so more rounds
/// would protect nothing; this is OpenSSL's and Strimzi's number.
const ITERATIONS: u32 = 2048;

/// A trust store: the certificates under their aliases (the first of each text), without private keys.
pub fn trust_store(
    certificates: &[(&str, &CertificatePem)],
    password: &Password,
) -> Result<Vec<u8>, PkiError> {
    let mut store = KeyStore::new();
    for (alias, pem) in certificates {
        for (position, certificate) in read(pem)?.into_iter().enumerate() {
            let alias = if position == 0 { (*alias).to_owned() } else { format!("{alias}-{position}") };
            store.add_entry(&alias, KeyStoreEntry::Certificate(certificate));
        }
    }
    write(&store, password)
}

/// A key store with one private key and its chain (leaf first) under an alias; the key's password is the store's.
pub fn key_store(
    alias: &str,
    key: &PrivateKeyPem,
    chain: &CertificatePem,
    password: &Password,
) -> Result<Vec<u8>, PkiError> {
    let key = PrivateKey::from_der(&keys::pkcs8_der(key)?)
        .map_err(|error| PkiError::KeyStore(error.to_string()))?;
    let mut store = KeyStore::new();
    store.add_entry(alias, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(alias, key, read(chain)?)));
    write(&store, password)
}

fn read(pem: &CertificatePem) -> Result<Vec<Certificate>, PkiError> {
    let mut all = Vec::new();
    for der in pem.ders()? {
        all.push(Certificate::from_der(&der).map_err(|error| PkiError::KeyStore(error.to_string()))?);
    }
    Ok(all)
}

fn write(store: &KeyStore, password: &Password) -> Result<Vec<u8>, PkiError> {
    store
        .writer(password.expose())
        .encryption_iterations(ITERATIONS)
        .mac_iterations(ITERATIONS)
        .write()
        .map_err(|error| PkiError::KeyStore(error.to_string()))
}
