//! Gathers what planning one user depends on. Reads only: the caches, and past them just a Secret with a password that
//! the resource refers to, when that Secret is new or was changed.

use std::sync::Arc;

use api::KafkaUser;
use jiff::Timestamp;
use operator_runtime::apply::Applier;
use operator_runtime::env::LabelSelector;
use operator_runtime::watch::{Cache, ObjectRef};
use pki::Password;
use tokio::sync::{Semaphore, watch};

use crate::authority::Current;
use crate::kafka::{Snapshot, UserInKafka};
use crate::passwords::Passwords;
use crate::plan::{self, Observed, Problem, Whereabouts};
use crate::secret::SecretView;
use crate::user_secrets::UserSecrets;

/// Observes users. One for the whole process.
pub struct Observer {
    /// Namespace of the users.
    pub namespace: String,
    /// Labels a KafkaUser must carry.
    pub selector: LabelSelector,
    /// The KafkaUsers that carry them.
    pub users: Cache<KafkaUser>,
    /// Their Secrets.
    pub secrets: Arc<UserSecrets>,
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
pub struct Seen {
    /// Its resource; `None`: there is none any more.
    pub user: Option<Arc<KafkaUser>>,
    /// Its Secret.
    pub secret: Option<Arc<SecretView>>,
    kafka: Option<UserInKafka>,
    authority: Option<Result<u64, String>>,
    authority_ends: Option<Timestamp>,
    untrusted_yet: bool,
    desired_password: Option<Result<Password, Problem>>,
    acknowledged: Option<Password>,
}

impl Observer {
    /// Whether there is a resource for the user of this name that cannot be read.
    pub fn is_unreadable(&self, name: &str) -> bool {
        self.users.unreadable(&ObjectRef::new(self.namespace.as_str(), name)).is_some()
    }

    /// Looks at the user of this name.
    pub async fn observe(&self, name: &str) -> Seen {
        let key = ObjectRef::new(self.namespace.as_str(), name);
        let user = self.users.get(&key).filter(|user| user.metadata.deletion_timestamp.is_none());
        let desired_password = match &user {
            Some(user) if !plan::is_paused(user) => self.passwords.desired(user).await,
            _ => None,
        };
        let current = self.authority.borrow().clone();
        let untrusted_yet = matches!(&current, Some(Ok(ca)) if !ca.trusted);
        let authority_ends = match &current {
            Some(Ok(ca)) => Some(ca.authority.info().not_after),
            _ => None,
        };
        let authority = current.map(|current| current.map(|ca| ca.hash));
        Seen {
            user,
            secret: self.secrets.of(name),
            kafka: self.snapshot.user(name),
            authority,
            authority_ends,
            untrusted_yet,
            desired_password,
            acknowledged: self.snapshot.password(name),
        }
    }

    /// Looks past the watch for a resource that it does not show.
    pub async fn whereabouts(&self, name: &str) -> Whereabouts {
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

impl Seen {
    /// Whether it was seen what Kafka has.
    pub fn knows_kafka(&self) -> bool {
        self.kafka.is_some()
    }

    /// In the form that planning takes.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            secret: self.secret.as_deref(),
            kafka: self.kafka.clone(),
            authority: self.authority.clone(),
            authority_ends: self.authority_ends,
            untrusted_yet: self.untrusted_yet,
            desired_password: self.desired_password.clone(),
            acknowledged: self.acknowledged.as_ref(),
        }
    }
}
