//! The public half of a private key, as far as the key's own encoding holds it.
//!
//! Deriving it takes cryptography that this crate does without. The tools that make keys write it beside the private
//! half: always for RSA, and for elliptic curves all but Java.

use rustls_pki_types::PrivateKeyDer;
use x509_parser::asn1_rs::{Any, Class, FromDer, Tag};

use crate::{CertificateInfo, PrivateKeyPem};

/// Algorithm `rsaEncryption`, 1.2.840.113549.1.1.1.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Algorithm `ecPublicKey`, 1.2.840.10045.2.1.
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];

/// Whether a private key is the one of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFit {
    /// It is.
    Fits,
    /// It is another one's, or it cannot be read.
    Differs,
    /// The key does not tell its public half: it shows when something is signed with it.
    Unknown,
}

impl PrivateKeyPem {
    /// Whether the key can be read as one.
    pub fn is_readable(&self) -> bool {
        self.der().is_ok()
    }

    /// Whether this is the private key of a certificate.
    pub fn fits(&self, certificate: &CertificateInfo) -> KeyFit {
        let Ok(key) = self.der() else { return KeyFit::Differs };
        let Some(public) = public_half(&key) else { return KeyFit::Unknown };
        if public == certificate.public_key {
            KeyFit::Fits
        } else if is_compressed(&public) != is_compressed(&certificate.public_key) {
            KeyFit::Unknown
        } else {
            KeyFit::Differs
        }
    }
}

/// Whether a point of an elliptic curve is written in its short form.
fn is_compressed(point: &[u8]) -> bool {
    matches!(point.first(), Some(2 | 3))
}

/// The content of the `subjectPublicKey` that goes with the key.
fn public_half(key: &PrivateKeyDer<'_>) -> Option<Vec<u8>> {
    match key {
        PrivateKeyDer::Pkcs1(der) => of_pkcs1(der.secret_pkcs1_der()),
        PrivateKeyDer::Sec1(der) => of_sec1(der.secret_sec1_der()),
        PrivateKeyDer::Pkcs8(der) => of_pkcs8(der.secret_pkcs8_der()),
        _ => None,
    }
}

/// The elements of a DER sequence.
fn elements(sequence: &[u8]) -> Option<Vec<Any<'_>>> {
    let (_, outer) = Any::from_der(sequence).ok()?;
    outer.header.assert_tag(Tag::Sequence).ok()?;
    let mut rest = outer.data;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (after, element) = Any::from_der(rest).ok()?;
        found.push(element);
        rest = after;
    }
    Some(found)
}

/// `PrivateKeyInfo { version, algorithm { oid, … }, key, [0] attributes, [1] public key }`.
fn of_pkcs8(der: &[u8]) -> Option<Vec<u8>> {
    let parts = elements(der)?;
    if let Some(public) = tagged(&parts, 1) {
        // IMPLICIT: the content of a BIT STRING.
        return bits(public.data);
    }
    let mut algorithm = parts.get(1)?.data;
    let (_, oid) = Any::from_der(algorithm).ok()?;
    algorithm = oid.data;
    let inner = parts.get(2)?.data;
    match algorithm {
        RSA => of_pkcs1(inner),
        ELLIPTIC_CURVE => of_sec1(inner),
        _ => None,
    }
}

/// `ECPrivateKey { version, key, [0] curve, [1] public key }`.
fn of_sec1(der: &[u8]) -> Option<Vec<u8>> {
    let parts = elements(der)?;
    // EXPLICIT: a BIT STRING inside.
    let (_, public) = Any::from_der(tagged(&parts, 1)?.data).ok()?;
    public.header.assert_tag(Tag::BitString).ok()?;
    bits(public.data)
}

/// `RSAPrivateKey { version, modulus, public exponent, … }`; the public half is a sequence of the second and third.
fn of_pkcs1(der: &[u8]) -> Option<Vec<u8>> {
    let parts = elements(der)?;
    let mut content = Vec::new();
    for number in [parts.get(1)?, parts.get(2)?] {
        number.header.assert_tag(Tag::Integer).ok()?;
        content.extend(with_header(2, number.data));
    }
    Some(with_header(0x30, &content))
}

fn tagged<'a, 'b>(parts: &'b [Any<'a>], tag: u32) -> Option<&'b Any<'a>> {
    parts.iter().find(|part| part.class() == Class::ContextSpecific && part.tag() == Tag(tag))
}

/// The bytes of a BIT STRING, whose first one counts unused bits.
fn bits(content: &[u8]) -> Option<Vec<u8>> {
    match content.split_first() {
        Some((0, bytes)) => Some(bytes.to_vec()),
        _ => None,
    }
}

/// An element in DER: tag, length, content.
fn with_header(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => element.push(short),
        _ => {
            let length: Vec<u8> =
                content.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            // At most eight bytes of length.
            element.push(0x80 | u8::try_from(length.len()).unwrap_or(8));
            element.extend(length);
        }
    }
    element.extend_from_slice(content);
    element
}
