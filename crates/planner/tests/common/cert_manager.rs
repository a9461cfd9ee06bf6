//! cert-manager on paper: it has an issuer sign what Certificates ask for, and keeps it in their Secrets.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::cert_manager::IssuedCertificateSpec;
use issuer::{Authority, AuthorityRequest, KeyAlgorithm, LeafRequest};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use pki::{CertificatePem, PrivateKeyPem};
use serde_json::json;
use test_support::certificates::authority_below_pem;

use super::World;

/// cert-manager, with one issuer.
pub(crate) struct CertManager {
    /// The authority of the issuer.
    pub authority: Authority,
    /// Behind each leaf.
    pub intermediates: String,
    /// Whether it works at all.
    pub works: bool,
}

/// A self-signed authority.
pub(crate) fn authority(name: &str, now: Timestamp) -> Authority {
    let request = AuthorityRequest {
        common_name: name.to_owned(),
        organization: "a company".to_owned(),
        validity_days: 3650,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    Authority::generate(&request, now).unwrap()
}

/// An authority that another one signed.
pub(crate) fn authority_below(above: &Authority, name: &str) -> Authority {
    let (pem, key) = authority_below_pem(above.certificate().as_str(), above.key().expose(), name);
    Authority::load(&CertificatePem::new(pem), &PrivateKeyPem::new(key)).unwrap()
}

impl CertManager {
    /// With an issuer of an authority that is below this one. Its leaves come with its certificate.
    pub(crate) fn below(above: &Authority, name: &str) -> Self {
        let authority = authority_below(above, name);
        let intermediates = authority.certificate().as_str().to_owned();
        Self { intermediates, ..Self::of(authority) }
    }

    /// With an issuer of this authority.
    pub(crate) fn of(authority: Authority) -> Self {
        Self { authority, intermediates: String::new(), works: true }
    }

    /// Issues what is missing, asks for other names, or is near its end.
    pub(crate) fn work(&self, world: &mut World) {
        if !self.works {
            return;
        }
        for (name, spec) in certificates(world) {
            let wanted: BTreeSet<String> = spec.dns_names.iter().flatten().cloned().collect();
            let present = world.observed.secrets.get(&spec.secret_name).and_then(|secret| {
                let pem = String::from_utf8(secret.data.as_ref()?.get("tls.crt")?.0.clone()).ok()?;
                pki::CertificateChain::parse(&pem).ok()
            });
            let renewal = spec.renew_before.split('h').next().unwrap().parse::<u32>().unwrap() / 24;
            let is_due = present.is_none_or(|chain| {
                let info = &chain.first().info;
                info.dns_names != wanted || info.expires_within(renewal, world.now)
            });
            if is_due {
                self.issue(world, &name, &spec);
            }
        }
    }

    /// Issues every certificate anew, as `cmctl renew --all` does.
    pub(crate) fn renew(&self, world: &mut World) {
        for (name, spec) in certificates(world) {
            self.issue(world, &name, &spec);
        }
    }

    fn issue(&self, world: &mut World, name: &str, spec: &IssuedCertificateSpec) {
        let hours = spec.duration.split('h').next().unwrap().parse::<u32>().unwrap();
        let organization = spec.subject.as_ref().map(|subject| subject.organizations[0].clone());
        let algorithm = match spec.private_key.algorithm.as_str() {
            "RSA" => KeyAlgorithm::Rsa2048,
            _ => KeyAlgorithm::EcdsaP256,
        };
        let request = LeafRequest {
            common_name: spec.common_name.clone(),
            organization,
            dns_names: spec.dns_names.iter().flatten().cloned().collect(),
            ip_addresses: spec.ip_addresses.iter().flatten().map(|ip| ip.parse().unwrap()).collect(),
            validity_days: hours / 24,
            algorithm,
        };
        let issued = self.authority.issue(&request, world.now).unwrap();
        let chain = format!("{}{}", issued.certificate.as_str(), self.intermediates);
        offer(world, &spec.secret_name, name, &chain, issued.key.expose());
    }
}

/// Puts a certificate and a key into the Secret of a Certificate.
pub(crate) fn offer(world: &mut World, secret: &str, certificate: &str, chain: &str, key: &str) {
    let secrets = &mut world.observed.secrets;
    let live = Arc::make_mut(secrets.entry(secret.to_owned()).or_insert_with(|| {
        let metadata = serde_json::from_value(json!({"name": secret, "namespace": "s1"})).unwrap();
        Arc::new(Secret { metadata, ..Secret::default() })
    }));
    let data = live.data.get_or_insert_default();
    data.insert("tls.crt".to_owned(), ByteString(chain.as_bytes().to_vec()));
    data.insert("tls.key".to_owned(), ByteString(key.as_bytes().to_vec()));
    let annotations = live.metadata.annotations.get_or_insert_default();
    annotations.insert("cert-manager.io/certificate-name".to_owned(), certificate.to_owned());
}

/// The Certificates, by name.
pub(crate) fn certificates(world: &World) -> Vec<(String, IssuedCertificateSpec)> {
    let all = world.observed.others.iter().filter(|(id, _)| id.kind == "Certificate");
    all.map(|(id, live)| {
        let body = live.body.as_ref().unwrap().value();
        (id.name.clone(), serde_json::from_value(body["spec"].clone()).unwrap())
    })
    .collect()
}

/// The Secret with the certificates that are to be trusted for the issuer.
pub(crate) fn trust(world: &mut World, authorities: &[&Authority]) {
    let pem: String = authorities.iter().map(|authority| authority.certificate().as_str()).collect();
    trust_text(world, &pem);
}

/// The same, with any text.
pub(crate) fn trust_text(world: &mut World, pem: &str) {
    let metadata = serde_json::from_value(json!({"name": "issuer-ca", "namespace": "s1"})).unwrap();
    let data = [("roots.pem".to_owned(), ByteString(pem.as_bytes().to_vec()))];
    let secret = Secret { metadata, data: Some(data.into()), ..Secret::default() };
    world.observed.secrets.insert("issuer-ca".to_owned(), Arc::new(secret));
}

/// The section of an authority for which the issuer signs.
pub(crate) fn section() -> serde_json::Value {
    json!({
        "type": "cert-manager.io", "generateCertificateAuthority": false,
        "certManager": {
            "issuerRef": {"name": "company"},
            "caCert": {"secretName": "issuer-ca", "certificate": "roots.pem"},
        },
    })
}
