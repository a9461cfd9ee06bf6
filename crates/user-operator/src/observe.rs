//! Gathers what planning one user depends on. Reads only: the caches, and past them just a Secret with a password that
//! the resource refers to, when that Secret is new or was changed.

use std::sync::Arc;

use api::KafkaUser;
use jiff::Timestamp;
use operator_runtime::apply::Applier;
use operator_runtime::env::LabelSelector;
use operator_runtime::refusal::Refusal;
use operator_runtime::watch::{Cache, ObjectRef};
use pki::Password;
use tokio::sync::{Semaphore, watch};

use crate::authority::Current;
use crate::certificate_view::CertificateView;
use crate::referenced_passwords::Passwords;
use crate::secret_store::SecretStore;
use crate::secret_view::SecretView;
use crate::snapshot::{Snapshot, UserInKafka};
use crate::user;

/// Observes users. One for the whole process.
pub(crate) struct Observer {
    /// Namespace of the users.
    pub namespace: String,
    /// Labels a KafkaUser must carry.
    pub selector: LabelSelector,
    /// The KafkaUsers that carry them.
    pub users: Cache<KafkaUser>,
    /// Their Secrets.
    pub secrets: Arc<SecretStore>,
    /// Their Certificates; `None`: no issuer signs.
    pub certificates: Option<Cache<CertificateView>>,
    /// Passwords that they refer to.
    pub passwords: Arc<Passwords>,
    /// Kafka's side.
    pub snapshot: Arc<Snapshot>,
    /// The clients CA.
    pub authority: watch::Receiver<Option<Current>>,
    /// The API server, for what the watches do not show.
    pub applier: Applier,
    /// Requests to Kubernetes in flight.
    pub requests: Arc<Semaphore>,
}

/// What was seen of one user.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observed {
    /// The resource; `None`: there is none any more.
    pub user: Option<Arc<KafkaUser>>,
    /// The user's Secret.
    pub secret: Option<Arc<SecretView>>,
    /// The Secret in which cert-manager keeps the user's certificate.
    pub offer: Option<Arc<SecretView>>,
    /// The user's Certificate.
    pub issued: Option<Arc<CertificateView>>,
    /// What Kafka has; `None` while Kafka was never reached.
    pub kafka: Option<UserInKafka>,
    /// Hash of the clients CA's certificate, or what is wrong with the CA.
    pub authority: Option<Result<u64, String>>,
    /// When the clients CA ends: no certificate lasts longer, so a certificate that ends with it cannot be prolonged.
    pub authority_ends: Option<Timestamp>,
    /// Whether some node of the cluster does not trust the clients CA yet, as far as that is known.
    pub untrusted_yet: bool,
    /// The password that the resource refers to, or what is wrong with the reference.
    pub desired_password: Option<Result<Password, Refusal>>,
    /// The password that Kafka is known to have.
    pub acknowledged: Option<Password>,
}

/// What became of a resource that the watch does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whereabouts {
    /// There is none, or it is being deleted.
    Gone,
    /// It is there, and its labels are not those that this operator serves.
    Relabelled,
    /// It is there with the labels that this operator serves: the watch is about to show it, or cannot read it.
    Ours,
    /// The API server does not tell.
    Unknown(String),
}

impl Observer {
    /// Whether there is a resource for the user of this name that cannot be read.
    pub(crate) fn is_unreadable(&self, name: &str) -> bool {
        self.users.unreadable(&ObjectRef::new(self.namespace.as_str(), name)).is_some()
    }

    /// Looks at the user of this name.
    pub(crate) async fn observe(&self, name: &str) -> Observed {
        let key = ObjectRef::new(self.namespace.as_str(), name);
        let user = self.users.get(&key).filter(|user| user.metadata.deletion_timestamp.is_none());
        let desired_password = match &user {
            Some(user) if !user::is_paused(user) => self.passwords.desired(user).await,
            _ => None,
        };
        let current = self.authority.borrow().clone();
        let untrusted_yet = matches!(&current, Some(Ok(ca)) if !ca.trusted);
        let authority_ends = match &current {
            Some(Ok(ca)) => Some(ca.ends),
            _ => None,
        };
        let authority = current.map(|current| current.map(|ca| ca.hash));
        Observed {
            user,
            secret: self.secrets.of(name),
            offer: self.secrets.offer_to(name),
            issued: self.certificates.as_ref().and_then(|all| all.get(&self.secrets.key(name))),
            kafka: self.snapshot.user(name),
            authority,
            authority_ends,
            untrusted_yet,
            desired_password,
            acknowledged: self.snapshot.password(name),
        }
    }

    /// Looks past the watch for a resource that it does not show.
    pub(crate) async fn whereabouts(&self, name: &str) -> Whereabouts {
        let mut found = Whereabouts::Gone;
        let only = format!("metadata.name={name}");
        let _permit = self.requests.acquire().await;
        let look = self.applier.each_metadata::<KafkaUser>(&self.namespace, None, Some(&only), |metadata| {
            if metadata.deletion_timestamp.is_none() {
                let ours = self.selector.matches(metadata.labels.as_ref());
                found = if ours { Whereabouts::Ours } else { Whereabouts::Relabelled };
            }
        });
        // A kind that the server does not know, for the moment, is an error too.
        match look.await {
            Ok(()) => found,
            Err(error) => Whereabouts::Unknown(error.to_string()),
        }
    }
}
