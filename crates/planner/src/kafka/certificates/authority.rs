//! One of the two authorities of a cluster: what it is and what its Secrets hold.

use std::collections::{BTreeMap, BTreeSet};

use api::kafka::IssuerRef;
use api::{annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use pki::{Certificate, CertificateChain, Material, MaterialRequest, SecretPem};

use super::role::Role;
use crate::kafka::cluster::Cluster;
use crate::kafka::objects::secret::{self, Data};
use crate::kafka::observed::Observed;
use crate::workload::secret::text;
use objects::{DesiredObject, Pairs, Precondition};

/// An authority that is there.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Which one.
    pub role: Role,
    /// Its certificate; behind it those that lead to its root, if it is not its own.
    pub certificate: CertificateChain,
    /// Who signs for it.
    pub signer: Signer,
    /// Counts certificates.
    pub cert_generation: i64,
    /// Counts keys.
    pub key_generation: i64,
    /// Certificates that are trusted beside it, by their key in the Secret.
    pub old: BTreeMap<String, CertificateChain>,
    /// Whether the user supplies it: then the Secrets are not written.
    pub supplied: bool,
    /// What must hold when the Secret with the certificate is written.
    pub cert_precondition: Precondition,
    /// What must hold when the Secret with the key is written.
    pub key_precondition: Precondition,
    /// Whether `strimzi.io/force-renew` was taken up.
    pub clear_force_renew: bool,
    /// Whether `strimzi.io/force-replace` was taken up.
    pub clear_force_replace: bool,
    /// Thumbprint of the certificate that every pod trusts, the present one if it is; empty: of none. `None`: it
    /// was not determined, as it matters for the clients CA alone.
    pub trusted_by_all: Option<String>,
    /// PKCS #12 store and its password.
    store: Option<(Vec<u8>, String)>,
}

/// Who signs for an authority.
#[derive(Debug, Clone)]
pub enum Signer {
    /// The operators, with this key, PEM.
    Key(SecretPem),
    /// An issuer of cert-manager. The certificates of the authority are those of `caCert`; which of them signs is not known.
    Issuer(IssuerRef),
}

/// How far an authority is.
#[derive(Debug)]
pub(crate) enum AuthorityStep {
    /// This must be made first.
    Missing(MaterialRequest),
    /// It is there.
    Ready(Box<Authority>),
}

/// What must hold when freshly made keys are written into a Secret.
pub(crate) fn precondition(present: Option<&Secret>) -> Precondition {
    match present {
        None => Precondition::Absent,
        Some(secret) => match &secret.metadata.resource_version {
            Some(version) => Precondition::ResourceVersion(version.clone()),
            None => Precondition::None,
        },
    }
}

impl Authority {
    /// An authority for which nothing has to be made.
    pub fn new(role: Role, certificate: CertificateChain, signer: Signer) -> Self {
        Self {
            role,
            certificate,
            signer,
            cert_generation: 0,
            key_generation: 0,
            old: BTreeMap::new(),
            supplied: false,
            cert_precondition: Precondition::None,
            key_precondition: Precondition::None,
            clear_force_renew: false,
            clear_force_replace: false,
            trusted_by_all: None,
            store: None,
        }
    }

    /// Whether a pod that trusts these trusts what is signed for the authority. Which of several certificates an issuer signs with
    /// is not known beforehand, so all of them are needed; a chain leads from each of its certificates to the next.
    pub fn is_trusted_by(&self, trusted: &BTreeSet<String>) -> bool {
        let own = self.certificate.authority_ids();
        match self.signer {
            Signer::Key(_) => !own.is_disjoint(trusted),
            Signer::Issuer(_) => own.is_subset(trusted),
        }
    }

    /// Every trusted certificate, the present one first, each once.
    pub fn trusted(&self) -> String {
        let mut seen = BTreeSet::new();
        let all = self.certificate.iter().chain(self.old.values().flat_map(CertificateChain::iter));
        all.filter(|one| seen.insert(&one.info.sha256_thumbprint)).map(Certificate::pem).collect()
    }

    /// What is trusted, by [`pki::CertificateInfo::authority_id`].
    pub fn trusted_ids(&self) -> BTreeSet<String> {
        let mut ids = self.certificate.authority_ids();
        ids.extend(self.old.values().flat_map(CertificateChain::authority_ids));
        ids
    }

    /// What is trusted, by short thumbprint.
    pub fn trusted_thumbprints(&self) -> BTreeSet<String> {
        let all = self.certificate.iter().chain(self.old.values().flat_map(CertificateChain::iter));
        all.map(|one| one.info.short_thumbprint()).collect()
    }

    /// Trusts these as well, where nothing of the same subject and key is trusted yet.
    pub fn also_trust<'a>(&mut self, certificates: impl IntoIterator<Item = &'a Certificate>) {
        for certificate in certificates {
            if !self.trusted_ids().contains(&certificate.info.authority_id())
                && let Ok(chain) = CertificateChain::parse(certificate.pem())
            {
                self.keep(chain);
            }
        }
    }

    /// Keeps a certificate trusted under the time of its end. Two that end in the same second get seconds of their own.
    pub fn keep(&mut self, certificate: CertificateChain) {
        let mut info = pki::CertificateInfo::clone(&certificate.first().info);
        loop {
            let key = pki::dated_certificate_key(&info);
            match self.old.get(&key) {
                Some(other) if *other != certificate => {
                    let second = info.not_after.as_second() + 1;
                    let Ok(later) = Timestamp::from_second(second) else { return };
                    info.not_after = later;
                }
                _ => {
                    self.old.insert(key, certificate);
                    return;
                }
            }
        }
    }

    /// Stops trusting certificates of former keys. Those that the user supplied stay: they are the user's.
    pub fn retire_old(&mut self) {
        if !self.supplied {
            self.old.clear();
        }
    }

    /// Puts the PKCS #12 store beside the certificates; yields what must be made first.
    pub fn take_store(&mut self, cluster: &Cluster, observed: &Observed) -> Option<MaterialRequest> {
        if self.supplied || !observed.settings.pkcs12 {
            return None;
        }
        let (cert_name, _) = self.role.names(&cluster.name);
        let secret = observed.secrets.get(&cert_name).map(AsRef::as_ref);
        let present = secret.and_then(|secret: &Secret| {
            let store = secret.data.as_ref()?.get(names::keys::CA_P12)?.0.clone();
            Some((store, text(secret, names::keys::CA_PASSWORD)?))
        });
        let noted = secret
            .and_then(|secret| secret.metadata.annotations.as_ref()?.get(annotations::TRUST_STORE_HOLDS));
        // A store without the annotation holds the certificate that stood beside it when it was made.
        let holds_all = match noted {
            Some(noted) => *noted == self.store_holds(),
            None => self.old.is_empty() && self.cert_precondition == Precondition::None,
        };
        match present {
            Some(present) if holds_all => self.store = Some(present),
            present => {
                let id = format!("{cert_name}/{}", names::keys::CA_P12);
                let Some(Material::TrustStore { store, password }) = observed.made.get(&id) else {
                    let mut certificates = vec![(names::keys::CA_CRT.to_owned(), self.certificate.pem())];
                    certificates.extend(self.old.iter().map(|(key, old)| (key.clone(), old.pem())));
                    return Some(MaterialRequest::TrustStore {
                        id,
                        certificates,
                        password: present.map(|(_, password)| SecretPem(password)),
                    });
                };
                self.store = Some((store.clone(), password.0.clone()));
                self.cert_precondition = precondition(secret);
            }
        }
        None
    }

    /// The identifier of the authority that every pod trusts, as far as one is known.
    pub fn id_trusted_by_all(&self) -> Option<String> {
        let mut all = self.certificate.iter().chain(self.old.values().flat_map(CertificateChain::iter));
        let trusted = all.find(|one| Some(&one.info.sha256_thumbprint) == self.trusted_by_all.as_ref());
        trusted.map(|one| one.info.authority_id())
    }

    fn store_holds(&self) -> String {
        super::joined(&self.trusted_thumbprints())
    }

    /// The Secrets of the authority; none when the user supplies it.
    pub fn objects(&self, cluster: &Cluster) -> Vec<DesiredObject> {
        if self.supplied {
            return Vec::new();
        }
        let settings = self.role.settings(cluster);
        let (cert_name, key_name) = self.role.names(&cluster.name);
        let mut certificates =
            Data::from([(names::keys::CA_CRT.to_owned(), self.certificate.pem().into_bytes())]);
        for (key, old) in &self.old {
            certificates.insert(key.clone(), old.pem().into_bytes());
        }
        if let Some((store, password)) = &self.store {
            certificates.insert(names::keys::CA_P12.to_owned(), store.clone());
            certificates.insert(names::keys::CA_PASSWORD.to_owned(), password.clone().into_bytes());
        }
        let secret = |name: &str, data: Data, annotated: Pairs, precondition: &Precondition| {
            secret::authority(cluster, settings, name, data, annotated, precondition.clone())
        };
        let mut objects = Vec::new();
        let mut annotated = self.cert_annotations();
        match &self.signer {
            Signer::Key(key) => {
                let keys = Data::from([(names::keys::CA_KEY.to_owned(), key.0.clone().into_bytes())]);
                objects.push(secret(&key_name, keys, self.key_annotations(), &self.key_precondition));
            }
            // There is no Secret with a key that could say it.
            Signer::Issuer(_) => {
                let number = self.key_generation.to_string();
                annotated.insert(annotations::CA_KEY_GENERATION.to_owned(), number);
            }
        }
        objects.push(secret(&cert_name, certificates, annotated, &self.cert_precondition));
        objects
    }

    fn key_annotations(&self) -> Pairs {
        let mut all =
            Pairs::from([(annotations::CA_KEY_GENERATION.to_owned(), self.key_generation.to_string())]);
        // The annotation belongs to the user: it cannot be taken away by not applying it, only overwritten.
        if self.clear_force_replace {
            all.insert(annotations::FORCE_REPLACE.to_owned(), "false".to_owned());
        }
        all
    }

    fn cert_annotations(&self) -> Pairs {
        let mut all =
            Pairs::from([(annotations::CA_CERT_GENERATION.to_owned(), self.cert_generation.to_string())]);
        // As with the key.
        if self.clear_force_renew {
            all.insert(annotations::FORCE_RENEW.to_owned(), "false".to_owned());
        }
        if self.store.is_some() {
            all.insert(annotations::TRUST_STORE_HOLDS.to_owned(), self.store_holds());
        }
        if let Some(thumbprint) = &self.trusted_by_all {
            all.insert(annotations::TRUSTED_BY_ALL_PODS.to_owned(), thumbprint.clone());
        }
        all
    }
}
