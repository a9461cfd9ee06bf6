//! Private keys: making them, reading what others made.

use aws_lc_rs::encoding::AsDer;
use rcgen::{KeyPair, PublicKeyData, RsaKeySize};
use rustls_pki_types::PrivateKeyDer;

use pki::{CertificateInfo, KeyAlgorithm, PkiError, PrivateKeyPem};

/// A new private key in PKCS #8 PEM form.
pub fn generate_key(algorithm: KeyAlgorithm) -> Result<PrivateKeyPem, PkiError> {
    Ok(PrivateKeyPem::from_pkcs8_der(generate(algorithm)?.serialized_der()))
}

/// Whether a private key is the one of a certificate. An error if the key cannot be read.
pub fn key_matches_certificate(key: &PrivateKeyPem, certificate: &CertificateInfo) -> Result<bool, PkiError> {
    Ok(load(key)?.der_bytes() == certificate.public_key.as_slice())
}

pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<KeyPair, PkiError> {
    let made = match algorithm {
        KeyAlgorithm::EcdsaP256 => KeyPair::generate(),
        KeyAlgorithm::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyAlgorithm::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
    };
    made.map_err(|error| PkiError::GenerateKey(error.to_string()))
}

pub(crate) fn load(key: &PrivateKeyPem) -> Result<KeyPair, PkiError> {
    KeyPair::try_from(&key.der()?).map_err(|error| PkiError::ParseKey(error.to_string()))
}

/// The key in PKCS #8, whatever form the text has: key stores hold nothing else.
pub(crate) fn pkcs8_der(key: &PrivateKeyPem) -> Result<Vec<u8>, PkiError> {
    let failed = |what: &str| PkiError::ParseKey(what.to_owned());
    match key.der()? {
        PrivateKeyDer::Pkcs8(der) => Ok(der.secret_pkcs8_der().to_vec()),
        PrivateKeyDer::Pkcs1(der) => {
            let pair = aws_lc_rs::rsa::KeyPair::from_der(der.secret_pkcs1_der())
                .map_err(|_| failed("not a valid RSA key"))?;
            let out = pair.as_der().map_err(|_| failed("the RSA key cannot be converted"))?;
            Ok(out.as_ref().to_vec())
        }
        PrivateKeyDer::Sec1(der) => {
            use aws_lc_rs::signature::{
                ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
                ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
            };
            for algorithm in [
                &ECDSA_P256_SHA256_ASN1_SIGNING,
                &ECDSA_P384_SHA384_ASN1_SIGNING,
                &ECDSA_P521_SHA512_ASN1_SIGNING,
            ] {
                if let Ok(pair) = EcdsaKeyPair::from_private_key_der(algorithm, der.secret_sec1_der()) {
                    let out = pair
                        .to_pkcs8v1()
                        .map_err(|_| failed("the elliptic curve key cannot be converted"))?;
                    return Ok(out.as_ref().to_vec());
                }
            }
            Err(failed("an elliptic curve key must be on P-256, P-384 or P-521"))
        }
        _ => Err(failed("unknown form of private key")),
    }
}
