//! Whether a certificate that another authority signed is good: its key, the path to a trusted authority with every signature
//! on it, its time and its purposes (RFC 5280, section 6, as webpki does it).

use std::time::Duration;

use jiff::Timestamp;
use pki::{CertificateChain, CertificatePem, PrivateKeyPem, Purposes};
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::key_matches_certificate;

/// Yields the trusted authority that the path ends with, PEM.
///
/// # Errors
/// Why the certificate is of no use, as part of a sentence about it. Nothing of the key is in it.
pub fn verify(
    chain: &str,
    key: &PrivateKeyPem,
    trusted: &str,
    purposes: Purposes,
    now: Timestamp,
) -> Result<String, String> {
    let read = CertificateChain::parse(chain).map_err(|error| error.to_string())?;
    let leaf = &read.first().info;
    match key_matches_certificate(key, leaf) {
        Ok(true) => {}
        Ok(false) => return Err("the key beside it is that of another certificate".to_owned()),
        Err(error) => return Err(format!("of the key beside it: {error}")),
    }
    let ders = |pem: &str| CertificatePem::new(pem).ders().map_err(|error| error.to_string());
    let path: Vec<CertificateDer<'_>> = ders(chain)?.into_iter().map(CertificateDer::from).collect();
    let Some((end, between)) = path.split_first() else { return Err("there is none".to_owned()) };
    let end = EndEntityCert::try_from(end).map_err(|error| format!("it cannot be used: {error}"))?;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0)));
    let mut why = None;
    for authority in CertificateChain::parse(trusted).map_err(|error| error.to_string())?.iter() {
        let ders = ders(authority.pem())?;
        let certificates = ders.into_iter().map(CertificateDer::from).collect::<Vec<_>>();
        let anchors: Vec<_> = certificates
            .iter()
            .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
            .collect();
        let usages: &[KeyUsage] = match purposes {
            Purposes::Client => &[KeyUsage::client_auth()],
            Purposes::ServerAndClient => &[KeyUsage::client_auth(), KeyUsage::server_auth()],
        };
        let refused = usages.iter().find_map(|usage| {
            end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, between, time, *usage, None, None).err()
        });
        match refused {
            None => return Ok(authority.pem().to_owned()),
            // That of an authority with another name says nothing.
            Some(webpki::Error::UnknownIssuer) => {}
            Some(error) => why = Some(error),
        }
    }
    Err(match why {
        None => format!("none of the trusted authorities signed it, its issuer is {:?}", leaf.issuer),
        Some(webpki::Error::RequiredEkuNotFoundContext(_)) => {
            let wanted = match purposes {
                Purposes::Client => "clients (client auth)",
                Purposes::ServerAndClient => "servers and for clients (server auth, client auth)",
            };
            format!("its issuer did not make it for {wanted}")
        }
        Some(error) => error.to_string(),
    })
}
