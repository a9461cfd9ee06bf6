//! Certificates and keys of a test API server.

use std::path::Path;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// PEM texts.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority that signed both certificates.
    pub ca: String,
    /// Certificate of a member of `system:masters`.
    pub admin_certificate: String,
    /// Its key.
    pub admin_key: String,
}

/// Makes an authority, the server's certificate, an administrator's certificate and the key that signs service account tokens, and writes
/// what the server reads to `folder`: `ca.crt`, `server.crt`, `server.key`, `sa.key`, `sa.pub`.
pub fn make(folder: &Path) -> anyhow::Result<Certificates> {
    let ca_key = KeyPair::generate().context("make a key")?;
    let mut ca = CertificateParams::default();
    ca.distinguished_name = name("kastellan-test-ca", None);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_certificate = ca.self_signed(&ca_key).context("sign the authority")?;
    let issuer = Issuer::new(ca, ca_key);

    let server_key = KeyPair::generate().context("make a key")?;
    let names =
        ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default.svc"].map(str::to_owned).to_vec();
    let mut server = CertificateParams::new(names).context("describe the server's certificate")?;
    server.distinguished_name = name("kube-apiserver", None);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let server_certificate =
        server.signed_by(&server_key, &issuer).context("sign the server's certificate")?;

    let admin_key = KeyPair::generate().context("make a key")?;
    let mut admin = CertificateParams::default();
    admin.distinguished_name = name("test-admin", Some("system:masters"));
    admin.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let admin_certificate =
        admin.signed_by(&admin_key, &issuer).context("sign the administrator's certificate")?;

    let tokens_key = KeyPair::generate().context("make a key")?;
    for (file, text) in [
        ("ca.crt", ca_certificate.pem()),
        ("server.crt", server_certificate.pem()),
        ("server.key", server_key.serialize_pem()),
        ("sa.key", tokens_key.serialize_pem()),
        ("sa.pub", tokens_key.public_key_pem()),
    ] {
        std::fs::write(folder.join(file), text).with_context(|| format!("write {file}"))?;
    }
    Ok(Certificates {
        ca: ca_certificate.pem(),
        admin_certificate: admin_certificate.pem(),
        admin_key: admin_key.serialize_pem(),
    })
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name
}

/// Certificate and key, PEM, of an authority that another one signed, of which certificate and key are given.
///
/// # Panics
/// When these are none.
#[allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
pub fn authority_below_pem(certificate: &str, key: &str, name: &str) -> (String, String) {
    let issuer = Issuer::from_ca_cert_pem(certificate, KeyPair::from_pem(key).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    let own = KeyPair::generate().unwrap();
    let signed = params.signed_by(&own, &issuer).unwrap();
    (signed.pem(), own.serialize_pem())
}
