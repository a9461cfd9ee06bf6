//! By what the API server knows the webhook, and the webhook the API server: a certificate with the authorities to trust, and a path that
//! nobody else knows. All of it stands in one Secret, which every process of the operator reads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use api::{labels, names};
use issuer::{Authority, AuthorityRequest, KeyAlgorithm, LeafRequest};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use pki::{CertificatePem, PkiError, PrivateKeyPem, without_expired};
use planner::evictions::certificate::{Upkeep, upkeep};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::lock::lock;

/// Days that a certificate and its authority are good for.
const VALIDITY_DAYS: u32 = 365;

/// Characters of the part of the path that nobody else knows.
const TOKEN: usize = 40;

/// The certificate.
const CERTIFICATE: &str = "tls.crt";
/// Its key.
const KEY: &str = "tls.key";
/// Authorities to trust.
const AUTHORITIES: &str = "ca.crt";
/// The secret part of the path.
const PATH_TOKEN: &str = "path-token";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    /// A key or a certificate could not be made.
    #[error("make a certificate for the webhook for evictions: {0}")]
    Make(#[from] PkiError),
    /// A Secret that others look after lacks a part.
    #[error("the Secret for the webhook for evictions has no usable {0}: {1}")]
    Lacks(&'static str, &'static str),
    /// It cannot be served with.
    #[error("use the certificate of the webhook for evictions: {0}")]
    Use(#[from] rustls::Error),
}

/// What stands in the Secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identity {
    certificate: CertificatePem,
    key: String,
    /// What the API server is to trust.
    pub authorities: CertificatePem,
    token: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads a Secret that others look after.
    pub(super) fn given(secret: &Secret) -> Result<Self, IdentityError> {
        let certificate = text(secret, CERTIFICATE)
            .ok_or(IdentityError::Lacks(CERTIFICATE, "put the certificate there, as PEM"))?;
        let key = text(secret, KEY).ok_or(IdentityError::Lacks(KEY, "put the key there, as PEM"))?;
        let token = text(secret, PATH_TOKEN).filter(|token| is_token(token)).ok_or(IdentityError::Lacks(
            PATH_TOKEN,
            "put 20 to 100 lower-case letters and digits there, the same as in evictionWebhook.pathToken of the chart",
        ))?;
        let found = Self {
            certificate: CertificatePem::new(certificate),
            key,
            authorities: CertificatePem::new(""),
            token,
        };
        found.server_config()?;
        Ok(found)
    }

    /// Reads what is in the Secret; with it comes what is to be done about it. `None`: it cannot be used.
    pub(super) fn read(secret: &Secret, host: &str, now: Timestamp) -> Option<(Self, Upkeep)> {
        let found = Self {
            certificate: CertificatePem::new(text(secret, CERTIFICATE)?),
            key: text(secret, KEY)?,
            authorities: CertificatePem::new(text(secret, AUTHORITIES)?),
            token: text(secret, PATH_TOKEN)?,
        };
        let upkeep = upkeep(found.certificate.as_str(), found.authorities.as_str(), host, now);
        let usable = is_token(&found.token) && upkeep != Upkeep::Replace && found.server_config().is_ok();
        usable.then_some((found, upkeep))
    }

    /// Makes a new one. Its authority signs once: its key is not kept. What trusts the authorities of a former one goes on to trust them.
    pub(super) fn make(host: &str, former: Option<&Self>, now: Timestamp) -> Result<Self, IdentityError> {
        let authority = Authority::generate(
            &AuthorityRequest {
                common_name: names::EVICTION_WEBHOOK.to_owned(),
                organization: "io.strimzi".to_owned(),
                validity_days: VALIDITY_DAYS,
                algorithm: KeyAlgorithm::EcdsaP256,
            },
            now,
        )?;
        let issued = authority.issue(
            &LeafRequest {
                common_name: names::EVICTION_WEBHOOK.to_owned(),
                dns_names: [host.to_owned()].into(),
                validity_days: VALIDITY_DAYS,
                algorithm: KeyAlgorithm::EcdsaP256,
                ..LeafRequest::default()
            },
            now,
        )?;
        let mut authorities = authority.certificate().clone();
        if let Some(old) = former.and_then(|former| without_expired(&former.authorities, now)) {
            authorities = authorities.followed_by(&old);
        }
        let token = match former {
            Some(former) => former.token.clone(),
            None => issuer::password(TOKEN)?.expose().to_ascii_lowercase(),
        };
        let key = issued.key.expose().to_owned();
        Ok(Self { certificate: issued.certificate, key, authorities, token })
    }

    /// As it stands in the Secret.
    pub(super) fn data(&self) -> BTreeMap<String, ByteString> {
        let parts = [
            (CERTIFICATE, self.certificate.as_str()),
            (KEY, self.key.as_str()),
            (AUTHORITIES, self.authorities.as_str()),
            (PATH_TOKEN, self.token.as_str()),
        ];
        parts.map(|(key, value)| (key.to_owned(), ByteString(value.as_bytes().to_vec()))).into()
    }

    /// The Secret.
    pub(super) fn secret(&self, namespace: &str) -> Secret {
        let managed =
            (labels::KUBERNETES_MANAGED_BY.to_owned(), labels::MANAGED_BY_CLUSTER_OPERATOR.to_owned());
        Secret {
            metadata: ObjectMeta {
                name: Some(names::EVICTION_WEBHOOK.to_owned()),
                namespace: Some(namespace.to_owned()),
                labels: Some([managed].into()),
                ..ObjectMeta::default()
            },
            data: Some(self.data()),
            ..Secret::default()
        }
    }

    /// The path on which the API server asks.
    pub(super) fn path(&self) -> String {
        format!("/evictions/{}", self.token)
    }

    fn server_config(&self) -> Result<ServerConfig, IdentityError> {
        let (chain, key) = (self.certificate.ders()?, PrivateKeyPem::new(self.key.as_str()).der()?);
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = secret.data.as_ref()?.get(key)?;
    String::from_utf8(value.0.clone()).ok()
}

/// Lower case: the API server takes no other paths.
fn is_token(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (20..=100).contains(&text.len()) && text.bytes().all(fits)
}

/// What new connections are served with. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<Mutex<Option<Open>>>);

/// A certificate to serve with, and the path that is answered.
#[derive(Clone)]
struct Open {
    config: Arc<ServerConfig>,
    path: Arc<str>,
    identity: Arc<Identity>,
}

impl Door {
    /// Serves with this from now on; `false`: it is what is served with already.
    pub(super) fn open(&self, identity: &Identity) -> Result<bool, IdentityError> {
        let mut open = lock(&self.0);
        if open.as_ref().is_some_and(|open| *open.identity == *identity) {
            return Ok(false);
        }
        let config = Arc::new(identity.server_config()?);
        *open = Some(Open { config, path: identity.path().into(), identity: Arc::new(identity.clone()) });
        Ok(true)
    }

    /// For the next connection; `None`: there is no certificate yet.
    pub(super) fn config(&self) -> Option<Arc<ServerConfig>> {
        lock(&self.0).as_ref().map(|open| Arc::clone(&open.config))
    }

    /// Whether this is the path on which the API server asks.
    pub(super) fn leads(&self, path: &str) -> bool {
        let known = lock(&self.0).as_ref().map(|open| Arc::clone(&open.path));
        known.is_some_and(|known| pki::secrets_equal(known.as_bytes(), path.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const HOST: &str = "kastellan-evictions.kafka.svc";

    fn now() -> Timestamp {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn bundle(identity: &Identity) -> usize {
        identity.authorities.ders().unwrap().len()
    }

    #[test]
    fn what_was_made_is_read_again_and_what_is_broken_is_not() {
        let made = Identity::make(HOST, None, now()).unwrap();
        let secret = made.secret("kafka");
        let (read, upkeep) = Identity::read(&secret, HOST, now()).unwrap();
        assert!(read == made && upkeep == Upkeep::Keep);
        assert!(Identity::read(&secret, "other.kafka.svc", now()).is_none());
        let other = Identity::make(HOST, None, now()).unwrap().secret("kafka").data.unwrap();
        for key in [CERTIFICATE, KEY, AUTHORITIES, PATH_TOKEN] {
            let mut broken = secret.clone();
            broken.data.as_mut().unwrap().remove(key);
            assert!(Identity::read(&broken, HOST, now()).is_none(), "{key} is missing");
            broken.data.as_mut().unwrap().insert(key.to_owned(), ByteString(b"nothing".to_vec()));
            assert!(Identity::read(&broken, HOST, now()).is_none(), "{key} is nothing");
            broken.data.as_mut().unwrap().insert(key.to_owned(), other[key].clone());
            let fits = Identity::read(&broken, HOST, now()).is_some();
            assert_eq!(fits, key == PATH_TOKEN, "{key} of another Secret");
        }
    }

    #[test]
    fn a_renewed_certificate_is_trusted_with_its_former_authority_until_that_ends() {
        let first = Identity::make(HOST, None, now()).unwrap();
        let after = |days: i64| now() + SignedDuration::from_hours(24 * days);
        let due = |identity: &Identity, days: i64| {
            Identity::read(&identity.secret("kafka"), HOST, after(days)).unwrap().1
        };
        assert_eq!((due(&first, 240), due(&first, 250)), (Upkeep::Keep, Upkeep::Renew));
        let second = Identity::make(HOST, Some(&first), after(250)).unwrap();
        assert_eq!((due(&second, 250), bundle(&second)), (Upkeep::Keep, 2));
        assert_eq!(second.path(), first.path(), "other processes still answer on it");
        let third = Identity::make(HOST, Some(&second), after(500)).unwrap();
        assert_eq!(bundle(&third), 2, "the first authority has ended");
        let fresh = Identity::make(HOST, None, now()).unwrap();
        assert_ne!(fresh.path(), first.path());
    }

    #[test]
    fn a_secret_that_others_look_after_needs_a_certificate_its_key_and_a_path() {
        let made = Identity::make(HOST, None, now()).unwrap();
        let mut secret = made.secret("kafka");
        secret.data.as_mut().unwrap().remove(AUTHORITIES);
        assert_eq!(Identity::given(&secret).unwrap().path(), made.path());
        for key in [CERTIFICATE, KEY, PATH_TOKEN] {
            let mut broken = secret.clone();
            broken.data.as_mut().unwrap().remove(key);
            let error = Identity::given(&broken).unwrap_err().to_string();
            assert!(error.contains(key), "{error}");
        }
    }

    #[test]
    fn only_the_path_of_the_secret_leads_in() {
        let (door, identity) = (Door::default(), Identity::make(HOST, None, now()).unwrap());
        assert!(!door.leads(&identity.path()) && door.config().is_none());
        assert!(door.open(&identity).unwrap());
        assert!(!door.open(&identity).unwrap(), "it is open");
        assert!(door.leads(&identity.path()));
        assert!(!door.leads("/evictions") && !door.leads("/evictions/") && !door.leads(""));
    }

    #[test]
    fn nothing_of_it_is_shown() {
        let identity = Identity::make(HOST, None, now()).unwrap();
        let shown = format!("{identity:?}");
        assert!(!shown.contains(&identity.token) && !shown.contains("PRIVATE"), "{shown}");
    }
}
