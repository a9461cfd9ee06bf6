//! Whether a certificate that another authority signed is good: its key, the path to a trusted authority with every signature
//! on it, its time and its purposes (RFC 5280, section 6, as webpki does it).

use std::time::Duration;

use jiff::Timestamp;
use pki::{CertificateChain, CertificatePem, PrivateKeyPem, Purposes, Unverified, VerifiedPath};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::key_matches_certificate;

/// Verifies a certificate, with its key, against the trusted authorities; all are PEM. Returns the path that was found good.
///
/// # Errors
/// Why the certificate is of no use.
pub fn verify(
    chain: &str,
    key: &PrivateKeyPem,
    trusted: &str,
    purposes: Purposes,
    now: Timestamp,
) -> Result<VerifiedPath, Unverified> {
    let unusable = |error: &dyn std::fmt::Display| Unverified::Unusable(error.to_string());
    let read = CertificateChain::parse(chain).map_err(|error| unusable(&error))?;
    match key_matches_certificate(key, &read.first().info) {
        Ok(true) => {}
        Ok(false) => return Err(Unverified::OtherKey),
        Err(error) => return Err(Unverified::Unusable(format!("its key cannot be used: {error}"))),
    }
    let path = ders(chain)?;
    let Some((end, between)) = path.split_first() else {
        return Err(Unverified::Unusable("it has no certificate".to_owned()));
    };
    let end = EndEntityCert::try_from(end).map_err(|error| words(&error))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
    let (usages, needed): (&[KeyUsage], _) = match purposes {
        Purposes::Client => (&[KeyUsage::client_auth()], "client auth"),
        Purposes::ServerAndClient => {
            (&[KeyUsage::client_auth(), KeyUsage::server_auth()], "server auth and client auth")
        }
    };
    let mut why = None;
    for authority in CertificateChain::parse(trusted).map_err(|error| unusable(&error))?.iter() {
        let certificates = ders(authority.pem())?;
        let anchors: Vec<_> = certificates
            .iter()
            .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
            .collect();
        // The same path for each usage.
        let mut found: Option<Vec<Vec<u8>>> = None;
        let refused = usages.iter().find_map(|usage| {
            match end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, between, time, *usage, None, None) {
                Ok(path) => {
                    let ders = path.intermediate_certificates().map(|one| one.der().to_vec()).collect();
                    found.get_or_insert(ders);
                    None
                }
                Err(error) => Some(error),
            }
        });
        match refused {
            None => {
                let mut certificates = read.first().pem().to_owned();
                for der in found.iter().flatten() {
                    certificates.push_str(CertificatePem::from_der(der).as_str());
                }
                return Ok(VerifiedPath { certificates, authority: authority.pem().to_owned() });
            }
            // It did not sign the certificate: the next one may have.
            Some(webpki::Error::UnknownIssuer) => {}
            Some(webpki::Error::RequiredEkuNotFoundContext(_)) => {
                why = Some(Unverified::Purposes { needed });
            }
            Some(error) => why = Some(words(&error)),
        }
    }
    let last = read.rest().last().unwrap_or(read.first());
    Err(why.unwrap_or_else(|| Unverified::UnknownAuthority { issuer: last.info.short_issuer() }))
}

fn ders(pem: &str) -> Result<Vec<CertificateDer<'static>>, Unverified> {
    CertificatePem::new(pem).ders().map_err(|error| Unverified::Unusable(error.to_string()))
}

/// What webpki says, for people.
fn words(error: &webpki::Error) -> Unverified {
    use webpki::Error;
    Unverified::Unusable(match error {
        Error::CertExpired { .. } => "it, or an authority on the way to the trusted one, has ended".to_owned(),
        Error::CertNotValidYet { .. } => {
            "it, or an authority on the way to the trusted one, is not valid yet".to_owned()
        }
        Error::InvalidSignatureForPublicKey => {
            "a signature on the way to the trusted authority is wrong: an authority of the same name has another key".to_owned()
        }
        Error::CaUsedAsEndEntity => "it is the certificate of an authority".to_owned(),
        Error::PathLenConstraintViolated => "an authority on the way may not have others below it".to_owned(),
        Error::NameConstraintViolation => "it has names that an authority on the way may not sign for".to_owned(),
        other => format!("it is none that Kafka can use ({other})"),
    })
}
