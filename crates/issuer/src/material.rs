//! Makes, or verifies, what a plan asks for. No policy.

use jiff::Timestamp;
use pki::{
    CertificatePem, KeyAlgorithm, Material, MaterialRequest, Password, PkiError, PrivateKeyPem, SecretPem,
};

use crate::{Authority, AuthorityRequest, LeafRequest, kafka_uuid, trust_store, verify};

/// Makes what was asked for, with certificates that are valid from `now` on.
pub fn make(request: &MaterialRequest, now: Timestamp) -> Result<Material, PkiError> {
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
            algorithm,
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
                algorithm: *algorithm,
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
                None => crate::password(12)?,
            };
            let certificates: Vec<(String, CertificatePem)> = certificates
                .iter()
                .map(|(alias, pem)| (alias.clone(), CertificatePem::new(pem.as_str())))
                .collect();
            let entries: Vec<(&str, &CertificatePem)> =
                certificates.iter().map(|(alias, pem)| (alias.as_str(), pem)).collect();
            let store = trust_store(&entries, &password)?;
            Ok(Material::TrustStore { store, password: SecretPem(password.expose().to_owned()) })
        }
        MaterialRequest::Verification { chain, key, trusted, purposes, .. } => {
            let key = PrivateKeyPem::new(key.0.as_str());
            Ok(Material::Verified(verify(chain, &key, trusted, *purposes, now)))
        }
        MaterialRequest::Password { length, .. } => {
            Ok(Material::Text(SecretPem(crate::password(*length)?.expose().to_owned())))
        }
        MaterialRequest::Uuid { .. } => Ok(Material::Text(SecretPem(kafka_uuid()?))),
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
