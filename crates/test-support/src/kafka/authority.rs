//! An authority for the certificates of test brokers and clients.

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Certificate.
    pub certificate: String,
    /// Private key, PKCS #8.
    pub key: String,
}

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// A new authority with this common name.
    pub fn new(common_name: &str) -> anyhow::Result<Self> {
        let key = KeyPair::generate().context("make a key")?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name(common_name, None);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let certificate = params.self_signed(&key).context("sign the authority")?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The authority's private key, PKCS #8 PEM: for operators under test that sign certificates themselves.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A client certificate. Kafka's principal of it is `User:CN=<common name>`.
    pub fn client(&self, common_name: &str) -> anyhow::Result<Identity> {
        self.sign(name(common_name, None), &[])
    }

    /// A client certificate with an organization. Kafka's principal of it is `User:CN=<common name>,O=<organization>`.
    pub fn client_of(&self, common_name: &str, organization: &str) -> anyhow::Result<Identity> {
        self.sign(name(common_name, Some(organization)), &[])
    }

    /// A server certificate for these host names and IP addresses.
    pub fn server(&self, names: &[&str]) -> anyhow::Result<Identity> {
        self.sign(name("kafka", None), names)
    }

    fn sign(&self, subject: DistinguishedName, names: &[&str]) -> anyhow::Result<Identity> {
        let key = KeyPair::generate().context("make a key")?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).context("describe a certificate")?;
        params.distinguished_name = subject;
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).context("sign a certificate")?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn name(common: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    // Kafka writes the parts in reverse order.
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common);
    name
}
