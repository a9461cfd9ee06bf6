//! One of the two authorities of a cluster.

use std::collections::BTreeMap;

use api::{annotations, names, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{AuthorityAction, AuthorityState, CertificatePem, CertificateState, RenewalPolicy};

use super::{generation, text};
use crate::kafka::cluster::{CaSettings, Cluster};
use crate::kafka::objects::secret::{self, Data};
use crate::kafka::observed::Observed;
use crate::kafka::validate::Problem;
use objects::DesiredObject;
use objects::Precondition;
use pki::Material;
use pki::MaterialRequest;
use pki::SecretPem;

/// Which authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of the cluster's own components.
    Cluster,
    /// Of the users.
    Clients,
}

impl Role {
    /// For instance `cluster-ca`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "cluster-ca",
            Self::Clients => "clients-ca",
        }
    }

    fn names(self, cluster: &str) -> (String, String) {
        match self {
            Self::Cluster => (names::cluster_ca_cert_secret(cluster), names::cluster_ca_key_secret(cluster)),
            Self::Clients => (names::clients_ca_cert_secret(cluster), names::clients_ca_key_secret(cluster)),
        }
    }

    fn common_name(self, key_generation: i64) -> String {
        format!("{} v{key_generation}", self.name())
    }

    fn settings(self, cluster: &Cluster) -> &CaSettings {
        match self {
            Self::Cluster => &cluster.cluster_ca,
            Self::Clients => &cluster.clients_ca,
        }
    }
}

/// An authority that is there.
#[derive(Debug, Clone)]
pub struct Authority {
    role: Role,
    /// Current certificate, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: SecretPem,
    /// Counts certificates.
    pub cert_generation: i64,
    /// Counts keys.
    pub key_generation: i64,
    /// Certificates of former keys that are still trusted, by their key in the Secret.
    pub old: BTreeMap<String, String>,
    /// PKCS #12 store and password.
    store: Option<(Vec<u8>, String)>,
    /// Whether the user supplies it: then the Secrets are not written.
    supplied: bool,
    cert_precondition: Precondition,
    key_precondition: Precondition,
    clear_force_renew: bool,
    clear_force_replace: bool,
}

/// How far an authority is.
#[derive(Debug)]
pub enum Step {
    /// This must be made first.
    Missing(MaterialRequest),
    /// It is there.
    Ready(Box<Authority>),
}

/// Whether an authority has its certificate and key.
pub fn is_there(role: Role, cluster: &Cluster, observed: &Observed) -> bool {
    let (cert_name, key_name) = role.names(&cluster.name);
    let has =
        |secret: &str, key: &str| observed.secrets.get(secret).and_then(|secret| text(secret, key)).is_some();
    has(&cert_name, names::keys::CA_CRT) && has(&key_name, names::keys::CA_KEY)
}

/// Looks at an authority.
pub fn plan(
    role: Role,
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
    may_renew: bool,
) -> Result<Step, Problem> {
    let settings = role.settings(cluster);
    let (cert_name, key_name) = role.names(&cluster.name);
    let cert_secret = observed.secrets.get(&cert_name);
    let key_secret = observed.secrets.get(&key_name);
    let certificate = cert_secret.and_then(|secret| text(secret, names::keys::CA_CRT));
    let key = key_secret.and_then(|secret| text(secret, names::keys::CA_KEY));
    let cert_generation = cert_secret.and_then(|secret| generation(secret, annotations::CA_CERT_GENERATION));
    let key_generation = key_secret.and_then(|secret| generation(secret, annotations::CA_KEY_GENERATION));
    if !settings.generate {
        return supplied(
            (role, &cluster.name),
            (&cert_name, &key_name),
            certificate,
            key,
            cert_generation,
            key_generation,
            cert_secret.map(AsRef::as_ref),
        );
    }
    let forced = |secret: Option<&std::sync::Arc<Secret>>, key| {
        secret.is_some_and(|secret| annotations::is_true(secret.metadata.annotations.as_ref(), key))
    };
    let force_renew = forced(cert_secret, annotations::FORCE_RENEW);
    let force_replace = forced(key_secret, annotations::FORCE_REPLACE);
    let info = certificate.as_deref().map(|pem| pki::parse_certificate(&CertificatePem::new(pem)));
    let state = AuthorityState {
        certificate: match &info {
            None => CertificateState::Missing,
            Some(Err(_)) => CertificateState::Broken,
            Some(Ok(info)) => CertificateState::Present(info),
        },
        has_key: key.is_some(),
        force_renew,
        force_replace,
        renewal_days: settings.renewal_days,
        policy: if settings.replace_key {
            RenewalPolicy::ReplaceKey
        } else {
            RenewalPolicy::RenewCertificate
        },
        in_window: may_renew,
    };
    let action = pki::authority_decision(&state, now).action;
    let old = kept_certificates(cert_secret.map(AsRef::as_ref), now);
    let mut authority = Authority {
        role,
        certificate: certificate.clone().unwrap_or_default(),
        key: SecretPem(key.clone().unwrap_or_default()),
        cert_generation: cert_generation.unwrap_or(0),
        key_generation: key_generation.unwrap_or(0),
        old,
        store: None,
        supplied: false,
        cert_precondition: Precondition::None,
        key_precondition: Precondition::None,
        clear_force_renew: false,
        clear_force_replace: false,
    };
    let id = cert_name.clone();
    let common = |key_generation| (role.common_name(key_generation), principals::ORGANIZATION.to_owned());
    let changed = match action {
        AuthorityAction::None => false,
        AuthorityAction::Create | AuthorityAction::Replace => {
            let next_key = key_generation.map_or(0, |generation| generation + 1);
            let Some(Material::KeyPair { certificate: made, key }) = observed.made.get(&id) else {
                let (common_name, organization) = common(next_key);
                return Ok(Step::Missing(MaterialRequest::Authority {
                    id,
                    common_name,
                    organization,
                    validity_days: settings.validity_days,
                }));
            };
            if let (Some(before), Some(Ok(info))) = (&certificate, &info)
                && !info.is_expired(now)
            {
                authority.old.insert(pki::dated_certificate_key(info), before.clone());
            }
            authority.certificate.clone_from(made);
            authority.key = key.clone();
            authority.key_generation = next_key;
            authority.cert_generation = cert_generation.map_or(0, |generation| generation + 1);
            authority.key_precondition = precondition(key_secret.map(AsRef::as_ref));
            authority.clear_force_replace = force_replace;
            true
        }
        AuthorityAction::Renew => {
            let Some(Material::KeyPair { certificate: made, .. }) = observed.made.get(&id) else {
                let (common_name, organization) = common(authority.key_generation);
                return Ok(Step::Missing(MaterialRequest::RenewedAuthority {
                    id,
                    common_name,
                    organization,
                    validity_days: settings.validity_days,
                    key: authority.key,
                }));
            };
            authority.certificate.clone_from(made);
            authority.cert_generation = cert_generation.map_or(0, |generation| generation + 1);
            authority.clear_force_renew = force_renew;
            true
        }
    };
    if changed {
        authority.cert_precondition = precondition(cert_secret.map(AsRef::as_ref));
    }
    if observed.settings.pkcs12 {
        let present = cert_secret.and_then(|secret| {
            let store = secret.data.as_ref()?.get(names::keys::CA_P12)?.0.clone();
            Some((store, text(secret, names::keys::CA_PASSWORD)?))
        });
        match present {
            Some(present) if !changed => authority.store = Some(present),
            present => {
                let id = format!("{cert_name}/{}", names::keys::CA_P12);
                let Some(Material::TrustStore { store, password }) = observed.made.get(&id) else {
                    return Ok(Step::Missing(MaterialRequest::TrustStore {
                        id,
                        certificates: vec![(names::keys::CA_CRT.to_owned(), authority.certificate)],
                        password: present.map(|(_, password)| SecretPem(password)),
                    }));
                };
                authority.store = Some((store.clone(), password.0.clone()));
                authority.cert_precondition = precondition(cert_secret.map(AsRef::as_ref));
            }
        }
    }
    Ok(Step::Ready(Box::new(authority)))
}

/// An authority of the user's own.
fn supplied(
    (role, cluster): (Role, &str),
    (cert_name, key_name): (&str, &str),
    certificate: Option<String>,
    key: Option<String>,
    cert_generation: Option<i64>,
    key_generation: Option<i64>,
    cert_secret: Option<&Secret>,
) -> Result<Step, Problem> {
    let section = if role == Role::Cluster { "clusterCa" } else { "clientsCa" };
    let missing = |secret: &str, key: &str| Problem {
        field: format!("spec.{section}.generateCertificateAuthority"),
        message: format!(
            "is false, but the Secret {secret:?} with the key {key:?} does not exist: create it with the \
             labels strimzi.io/kind: Kafka and strimzi.io/cluster: {cluster} and the annotation of its generation, or \
             set the field to true"
        ),
    };
    let certificate = certificate.ok_or_else(|| missing(cert_name, names::keys::CA_CRT))?;
    let key = key.ok_or_else(|| missing(key_name, names::keys::CA_KEY))?;
    let mut old = BTreeMap::new();
    for key in cert_secret.and_then(|secret| secret.data.as_ref()).into_iter().flat_map(BTreeMap::keys) {
        if is_certificate_key(key)
            && key != names::keys::CA_CRT
            && let Some(pem) = cert_secret.and_then(|secret| text(secret, key))
        {
            old.insert(key.clone(), pem);
        }
    }
    Ok(Step::Ready(Box::new(Authority {
        role,
        certificate,
        key: SecretPem(key),
        cert_generation: cert_generation.unwrap_or(0),
        key_generation: key_generation.unwrap_or(0),
        old,
        store: None,
        supplied: true,
        cert_precondition: Precondition::None,
        key_precondition: Precondition::None,
        clear_force_renew: false,
        clear_force_replace: false,
    })))
}

/// Keys of Secrets are compared as they are.
fn is_certificate_key(key: &str) -> bool {
    key.strip_suffix(".crt").is_some()
}

/// What must hold when freshly made keys are written into a Secret.
pub fn precondition(present: Option<&Secret>) -> Precondition {
    match present {
        None => Precondition::Absent,
        Some(secret) => match &secret.metadata.resource_version {
            Some(version) => Precondition::ResourceVersion(version.clone()),
            None => Precondition::None,
        },
    }
}

/// The certificates of former keys that have not ended.
fn kept_certificates(secret: Option<&Secret>, now: Timestamp) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let Some(secret) = secret else { return kept };
    for key in secret.data.iter().flat_map(BTreeMap::keys) {
        if !key.starts_with("ca-") || !is_certificate_key(key) {
            continue;
        }
        if let Some(pem) = text(secret, key)
            && pki::parse_certificate(&CertificatePem::new(pem.as_str()))
                .is_ok_and(|info| !info.is_expired(now))
        {
            kept.insert(key.clone(), pem);
        }
    }
    kept
}

impl Authority {
    /// Every trusted certificate, the current one first.
    pub fn trusted(&self) -> String {
        let mut bundle = self.certificate.trim_end().to_owned();
        bundle.push('\n');
        for old in self.old.values() {
            bundle.push_str(old.trim_end());
            bundle.push('\n');
        }
        bundle
    }

    /// Stops trusting certificates of former keys. Those that the user supplied stay: they are the user's.
    pub fn retire_old(&mut self) {
        if !self.supplied {
            self.old.clear();
        }
    }

    /// The Secrets of the authority; none when the user supplies it.
    pub fn objects(&self, cluster: &Cluster) -> Vec<DesiredObject> {
        if self.supplied {
            return Vec::new();
        }
        let settings = self.role.settings(cluster);
        let (cert_name, key_name) = self.role.names(&cluster.name);
        let mut certificates =
            Data::from([(names::keys::CA_CRT.to_owned(), self.certificate.clone().into_bytes())]);
        for (key, old) in &self.old {
            certificates.insert(key.clone(), old.clone().into_bytes());
        }
        if let Some((store, password)) = &self.store {
            certificates.insert(names::keys::CA_P12.to_owned(), store.clone());
            certificates.insert(names::keys::CA_PASSWORD.to_owned(), password.clone().into_bytes());
        }
        let keys = Data::from([(names::keys::CA_KEY.to_owned(), self.key.0.clone().into_bytes())]);
        let cert_generation = (annotations::CA_CERT_GENERATION, self.cert_generation);
        let key_generation = (annotations::CA_KEY_GENERATION, self.key_generation);
        let mut key_object = secret::authority(
            cluster,
            settings,
            &key_name,
            &keys,
            key_generation,
            self.key_precondition.clone(),
        );
        let mut cert_object = secret::authority(
            cluster,
            settings,
            &cert_name,
            &certificates,
            cert_generation,
            self.cert_precondition.clone(),
        );
        // The annotation belongs to the user: it cannot be taken away by not applying it, only overwritten.
        if self.clear_force_renew {
            cert_object.object["metadata"]["annotations"][annotations::FORCE_RENEW] = "false".into();
        }
        if self.clear_force_replace {
            key_object.object["metadata"]["annotations"][annotations::FORCE_REPLACE] = "false".into();
        }
        vec![key_object, cert_object]
    }
}
