//! Makes the keys, certificates, passwords and identifiers that a plan asks for. No policy.

use std::collections::BTreeMap;

use operator_runtime::clock;
use pki::{
    Authority, AuthorityRequest, CertificatePem, KeyAlgorithm, LeafRequest, Password, PkiError, PrivateKeyPem,
};
use thiserror::Error;
use tokio::task::JoinSet;

use super::actions::{Material, MaterialRequest, SecretPem};

/// What was made, by identifier.
pub type Made = BTreeMap<String, Material>;

/// What can go wrong while keys are made.
#[derive(Debug, Error)]
pub enum Error {
    /// A key or certificate could not be made.
    #[error("cannot make {id}: {source}")]
    Make {
        /// What was to be made.
        id: String,
        /// Why it failed.
        source: PkiError,
    },
    /// The thread that made it ended early.
    #[error("making keys was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Makes everything that was asked for, on threads of its own: an RSA key takes long enough to hold up other passes.
pub async fn make(requests: Vec<MaterialRequest>) -> Result<Made, Error> {
    let mut tasks = JoinSet::new();
    for request in requests {
        tasks.spawn_blocking(move || {
            let id = request.id().to_owned();
            match make_one(&request) {
                Ok(material) => Ok((id, material)),
                Err(source) => Err(Error::Make { id, source }),
            }
        });
    }
    let mut made = Made::new();
    while let Some(finished) = tasks.join_next().await {
        let (id, material) = finished??;
        made.insert(id, material);
    }
    Ok(made)
}

fn make_one(request: &MaterialRequest) -> Result<Material, PkiError> {
    let now = clock::now();
    match request {
        MaterialRequest::Authority { common_name, organization, validity_days, .. } => {
            let request = authority_request(common_name, organization, *validity_days);
            Ok(of_authority(&Authority::generate(&request, now)?))
        }
        MaterialRequest::RenewedAuthority { common_name, organization, validity_days, key, .. } => {
            let request = authority_request(common_name, organization, *validity_days);
            Ok(of_authority(&Authority::renew(&request, &PrivateKeyPem::new(key.0.as_str()), now)?))
        }
        MaterialRequest::Leaf {
            common_name,
            organization,
            dns_names,
            ip_addresses,
            validity_days,
            authority_certificate,
            authority_key,
            ..
        } => {
            let authority = Authority::load(
                &CertificatePem::new(authority_certificate.as_str()),
                &PrivateKeyPem::new(authority_key.0.as_str()),
            )?;
            let request = LeafRequest {
                common_name: common_name.clone(),
                organization: Some(organization.clone()),
                dns_names: dns_names.iter().cloned().collect(),
                ip_addresses: ip_addresses.iter().copied().collect(),
                validity_days: *validity_days,
                algorithm: KeyAlgorithm::EcdsaP256,
            };
            let issued = authority.issue(&request, now)?;
            Ok(Material::KeyPair {
                certificate: issued.certificate.as_str().to_owned(),
                key: SecretPem(issued.key.expose().to_owned()),
            })
        }
        MaterialRequest::TrustStore { certificates, password, .. } => {
            let password = match password {
                Some(password) => Password::new(password.0.as_str()),
                None => pki::password(12)?,
            };
            let certificates: Vec<(String, CertificatePem)> = certificates
                .iter()
                .map(|(alias, pem)| (alias.clone(), CertificatePem::new(pem.as_str())))
                .collect();
            let entries: Vec<(&str, &CertificatePem)> =
                certificates.iter().map(|(alias, pem)| (alias.as_str(), pem)).collect();
            let store = pki::trust_store(&entries, &password)?;
            Ok(Material::TrustStore { store, password: SecretPem(password.expose().to_owned()) })
        }
        MaterialRequest::Uuid { .. } => Ok(Material::Text(SecretPem(pki::kafka_uuid()?))),
        MaterialRequest::Password { length, .. } => {
            Ok(Material::Text(SecretPem(pki::password(*length)?.expose().to_owned())))
        }
    }
}

fn authority_request(common_name: &str, organization: &str, validity_days: u32) -> AuthorityRequest {
    AuthorityRequest {
        common_name: common_name.to_owned(),
        organization: organization.to_owned(),
        validity_days,
        algorithm: KeyAlgorithm::EcdsaP256,
    }
}

fn of_authority(authority: &Authority) -> Material {
    Material::KeyPair {
        certificate: authority.certificate().as_str().to_owned(),
        key: SecretPem(authority.key().expose().to_owned()),
    }
}
