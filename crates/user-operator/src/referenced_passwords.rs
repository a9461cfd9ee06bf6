//! Passwords that people or tools put into Secrets and that KafkaUsers refer to. A change of such a Secret is known at
//! once; a look at its users that finds it unchanged costs no request.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::conditions::reasons;
use api::env::own::{MAX_CACHE_MIB, MAX_SECRET_KIB};
use api::kafka_user::KafkaUserAuthenticationType;
use api::{KafkaUser, cert_manager, labels};
use k8s_openapi::api::core::v1::{Secret, SecretKeySelector};
use kafka_admin::MAX_TEXT_BYTES;
use kube::{Client, ResourceExt};
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::env::Namespaces;
use operator_runtime::limits::Largest;
use operator_runtime::named_object::Named;
use operator_runtime::referenced_objects::{self, Referenced, Remembered};
use operator_runtime::refusal::Refusal;
use operator_runtime::watch::{Cache, Event, ObjectRef};
use pki::Password;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// What a Secret says under the keys that are referred to.
type Entries = BTreeMap<String, Result<Password, Flaw>>;

/// Why an entry is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Missing,
    NotText,
    Empty,
    /// So many bytes, which the operator would have to keep for each user.
    TooLong(usize),
    /// The Secret was made for something else than passwords of users.
    OtherUse,
    /// The Secret is larger than the operator reads.
    TooLarge,
    /// There is no memory for the passwords of the Secret.
    NoRoom,
}

/// What an entry of [`Entries`] takes beside its key and its password.
const ENTRY: usize = 128;

/// What the entries of a Secret take beside them: their place among those that are kept.
const PLACES: usize = 400;

/// Memory that the entries of a Secret take.
fn bytes_of(entries: &Entries) -> usize {
    let texts = entries
        .iter()
        .map(|(key, entry)| ENTRY + key.len() + entry.as_ref().map_or(0, |password| password.expose().len()));
    PLACES + texts.sum::<usize>()
}

/// Types of Secrets of which nothing is a password of a user.
const OTHER_TYPES: [&str; 7] = [
    "kubernetes.io/service-account-token",
    "bootstrap.kubernetes.io/token",
    "kubernetes.io/dockercfg",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/ssh-auth",
    "kubernetes.io/tls",
    "helm.sh/release.v1",
];

/// The passwords. One for the whole process.
pub(crate) struct Passwords {
    namespace: String,
    /// Of all Secrets that are not those of users.
    versions: Cache<String>,
    applier: Applier,
    requests: Arc<Semaphore>,
    /// Largest Secret that is read.
    largest: Largest,
    copies: Remembered<Entries>,
    references: Arc<Mutex<References>>,
    /// Put before the names of the users' Secrets.
    prefix: String,
    /// Secrets with the keys of the operator and of the authority that it signs with, by name.
    operators_own: Vec<String>,
}

/// Which user refers to which Secret.
#[derive(Debug, Default)]
struct References {
    /// Secret and key, by user.
    of_users: HashMap<String, (String, String)>,
    /// Users, by Secret.
    users: HashMap<String, Vec<String>>,
}

impl References {
    /// Takes note of what a user refers to now; says which Secret no user refers to any more.
    fn note(&mut self, user: &str, reference: Option<(String, String)>) -> Option<String> {
        let old = match reference.clone() {
            Some(reference) => self.of_users.insert(user.to_owned(), reference),
            None => self.of_users.remove(user),
        };
        if old == reference {
            return None;
        }
        if let Some((secret, _)) = reference {
            self.users.entry(secret).or_default().push(user.to_owned());
        }
        let (secret, _) = old?;
        let users = self.users.get_mut(&secret)?;
        // One entry only: the user may refer to another key of the same Secret now.
        if let Some(index) = users.iter().position(|name| name == user) {
            users.swap_remove(index);
        }
        if !users.is_empty() {
            return None;
        }
        self.users.remove(&secret);
        Some(secret)
    }

    fn keys_of(&self, secret: &str) -> Vec<String> {
        let users = self.users.get(secret).into_iter().flatten();
        users.filter_map(|user| self.of_users.get(user)).map(|(_, key)| key.clone()).collect()
    }
}

/// Where a resource says its password is; `None` when it leaves the choice to the operator.
fn reference_of(user: &KafkaUser) -> Option<Result<SecretKeySelector, Refusal>> {
    let authentication = user.spec.authentication.as_ref()?;
    if authentication.type_ != KafkaUserAuthenticationType::ScramSha512 {
        return None;
    }
    let reference = authentication.password.as_ref()?.value_from.secret_key_ref.clone();
    let complete = reference.filter(|reference| !reference.name.is_empty() && !reference.key.is_empty());
    Some(complete.ok_or_else(|| {
        Refusal::invalid(
            "spec.authentication.password.valueFrom.secretKeyRef is incomplete: name the Secret and its key",
        )
    }))
}

impl Passwords {
    /// Starts the watch; it ends with `shutdown`.
    pub(crate) fn follow(
        client: &Client,
        settings: &Settings,
        requests: Arc<Semaphore>,
        shutdown: &CancellationToken,
    ) -> Self {
        let namespace = &settings.namespace;
        let namespaces = Namespaces::Some(vec![namespace.clone()]);
        let selector = format!("{}!=KafkaUser", labels::KIND);
        let identity = settings.kafka.tls.as_ref().and_then(|tls| tls.identity.as_ref());
        let own = identity.map(|identity| &identity.secret).into_iter().chain(&settings.ca_key_secret);
        Self {
            prefix: settings.plan.secret_prefix.clone(),
            operators_own: own.filter(|_| settings.ca_namespace == *namespace).cloned().collect(),
            namespace: namespace.clone(),
            versions: referenced_objects::versions::<Secret>(client, &namespaces, &selector, shutdown),
            applier: Applier::new(client.clone()),
            requests,
            largest: settings.limits.largest_secret,
            copies: Remembered::within(
                settings.limits.largest_secret,
                settings.limits.budget.clone(),
                bytes_of,
            ),
            references: Arc::default(),
        }
    }

    /// Waits for the first list.
    pub(crate) async fn ready(&self) {
        self.versions.ready().await;
    }

    /// Takes note of what a resource refers to.
    pub(crate) fn note(&self, event: &Event<'_, KafkaUser>) {
        let reference = match event {
            Event::Applied { new, .. } => reference_of(new).and_then(Result::ok),
            Event::Deleted { .. } => None,
        };
        let reference = reference.map(|reference| (reference.name, reference.key));
        if let Some(secret) = lock(&self.references).note(&event.key().name, reference) {
            self.copies.forget(&ObjectRef::new(self.namespace.as_str(), secret));
        }
    }

    /// Tells of each user whose password may be another one now.
    pub(crate) fn on_change(&self, changed: impl Fn(String) + Send + Sync + 'static) {
        let references = Arc::clone(&self.references);
        self.versions.on_change(move |event| {
            let users = lock(&references).users.get(&event.key().name).cloned();
            for user in users.unwrap_or_default() {
                changed(user);
            }
        });
    }

    /// The password that a resource refers to, or what is wrong with the reference; `None` when it refers to none.
    pub(crate) async fn desired(&self, user: &KafkaUser) -> Option<Result<Password, Refusal>> {
        Some(match reference_of(user)? {
            Ok(reference) => self.read(user, &reference).await,
            Err(problem) => Err(problem),
        })
    }

    async fn read(&self, user: &KafkaUser, reference: &SecretKeySelector) -> Result<Password, Refusal> {
        let SecretKeySelector { name, key, .. } = reference;
        let entry = self.entry(user, name, key).await.map_err(|error| Refusal {
            reason: reasons::INTERNAL_ERROR,
            message: format!("the Secret with the password cannot be read: {error}"),
            retry: true,
        })?;
        match entry {
            None => Err(Refusal::invalid(format!("the Secret {name} with the password does not exist"))),
            Some(Ok(password)) => Ok(password),
            Some(Err(Flaw::Missing)) => {
                Err(Refusal::invalid(format!("the Secret {name} with the password has no key {key}")))
            }
            Some(Err(Flaw::NotText)) => {
                Err(Refusal::invalid(format!("the key {key} of Secret {name} is not text in UTF-8")))
            }
            Some(Err(Flaw::Empty)) => {
                Err(Refusal::invalid(format!("the key {key} of Secret {name} is empty")))
            }
            Some(Err(Flaw::TooLarge)) => Err(Refusal::invalid(format!(
                "the Secret {name} with the password is too large to be read ({MAX_SECRET_KIB}): put the password into a smaller one"
            ))),
            Some(Err(Flaw::NoRoom)) => Err(Refusal::invalid(format!(
                "there is no room for what the Secret {name} holds: all KafkaUsers, their Secrets and the passwords that they refer to \
                 take more than {MAX_CACHE_MIB} says; have fewer or shorter ones, or raise the limit"
            ))),
            Some(Err(Flaw::TooLong(bytes))) => Err(Refusal::invalid(format!(
                "the key {key} of Secret {name} has {bytes} bytes: a password has at most {MAX_TEXT_BYTES}, write a shorter one"
            ))),
            Some(Err(Flaw::OtherUse)) => Err(Refusal::invalid(format!(
                "the Secret {name} was not made for passwords of users: nothing of it is taken; put the password into a Secret of type \
                 Opaque without the label {}",
                labels::KIND
            ))),
        }
    }

    async fn entry(
        &self,
        user: &KafkaUser,
        secret: &str,
        key: &str,
    ) -> Result<Option<Result<Password, Flaw>>, ApplyError> {
        let may_be_taken = |found: &Secret| {
            // A user may have what it has already.
            let own = secret == format!("{}{}", self.prefix, user.name_any())
                && found
                    .owner_references()
                    .iter()
                    .any(|owner| Some(&owner.uid) == user.metadata.uid.as_ref());
            own || !self.operators_own.iter().any(|name| name == secret) && is_for_passwords(found)
        };
        let taken = |found: &Secret, key: &str| {
            if may_be_taken(found) { entry_of(found, key) } else { Err(Flaw::OtherUse) }
        };
        let object = ObjectRef::new(self.namespace.as_str(), secret);
        let Some(version) = self.versions.get(&object) else {
            // There is no such Secret; or it is that of a KafkaUser, whose changes this watch does not show: then it is read every time.
            let _permit = self.requests.acquire().await;
            return Ok(match self.applier.get_within::<Secret>(&object, self.largest).await? {
                None => None,
                Some(Named::Readable(found)) => Some(taken(&found, key)),
                Some(Named::Unreadable(_)) => Some(Err(Flaw::TooLarge)),
            });
        };
        for _ in 0..2 {
            let keys = lock(&self.references).keys_of(secret);
            let keep = |found: Secret| {
                let all = keys.iter().map(String::as_str).chain([key]);
                all.map(|key| (key.to_owned(), taken(&found, key))).collect::<Entries>()
            };
            let _permit = self.requests.acquire().await;
            let copy = match self.copies.get(&object, &version, &self.applier, keep).await? {
                None => return Ok(None),
                Some(Referenced::Read { copy, .. }) => copy,
                Some(Referenced::Unreadable(_)) => return Ok(Some(Err(Flaw::TooLarge))),
                Some(Referenced::NoRoom(_)) => return Ok(Some(Err(Flaw::NoRoom))),
            };
            if let Some(entry) = copy.get(key) {
                return Ok(Some(entry.clone()));
            }
            // No user referred to this key when the Secret was read.
            self.copies.forget(&object);
        }
        Ok(None)
    }
}

/// Whether a Secret may hold a password that was chosen for a user. Those of operators hold the keys of authorities and
/// nodes, and the credentials of other users: an account that may write KafkaUsers would get them into a Secret that it can read.
fn is_for_passwords(secret: &Secret) -> bool {
    let of_operators = secret.labels().contains_key(labels::KIND);
    // Its temporary Secrets hold the next key of a certificate, and have the type of any other Secret.
    let keys = secret.labels().keys().chain(secret.annotations().keys());
    let mut domains = keys.filter_map(|key| Some(key.split_once('/')?.0));
    let of_cert_manager = domains.any(|domain| {
        domain == cert_manager::GROUP || domain.ends_with(&format!(".{}", cert_manager::GROUP))
    });
    !of_operators
        && !of_cert_manager
        && secret.type_.as_deref().is_none_or(|kind| !OTHER_TYPES.contains(&kind))
}

fn entry_of(secret: &Secret, key: &str) -> Result<Password, Flaw> {
    let bytes = secret.data.as_ref().and_then(|data| data.get(key)).ok_or(Flaw::Missing)?;
    let text = std::str::from_utf8(&bytes.0).map_err(|_| Flaw::NotText)?;
    // No password, whoever made the Secret: perhaps the key of an authority.
    if text.contains("PRIVATE KEY-----") {
        return Err(Flaw::OtherUse);
    }
    match text.len() {
        0 => Err(Flaw::Empty),
        1..=MAX_TEXT_BYTES => Ok(Password::new(text)),
        bytes => Err(Flaw::TooLong(bytes)),
    }
}

fn lock(references: &Mutex<References>) -> MutexGuard<'_, References> {
    references.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn to(secret: &str, key: &str) -> (String, String) {
        (secret.to_owned(), key.to_owned())
    }

    #[test]
    fn a_secret_is_forgotten_with_the_last_user_that_refers_to_it() {
        let mut references = References::default();
        assert_eq!(references.note("a", Some(to("s", "one"))), None);
        assert_eq!(references.note("b", Some(to("s", "two"))), None);
        assert_eq!(references.keys_of("s"), ["one", "two"]);
        assert_eq!(references.note("a", Some(to("s", "three"))), None);
        assert_eq!(references.users["s"].len(), 2);
        assert_eq!(references.note("a", Some(to("t", "one"))), None);
        assert_eq!(references.users["s"], ["b"]);
        assert_eq!(references.note("b", None), Some("s".to_owned()));
        assert_eq!(references.note("b", None), None);
        assert_eq!(references.note("a", None), Some("t".to_owned()));
        assert!(references.users.is_empty() && references.of_users.is_empty());
    }

    #[test]
    fn what_is_no_password_is_told_apart() {
        let secret: Secret = serde_json::from_value(serde_json::json!({
            "data": {"text": "cHc=", "empty": "", "bytes": "/w==", "long": k8s_openapi::ByteString(vec![b'x'; 40_000])}
        }))
        .unwrap();
        assert_eq!(entry_of(&secret, "text"), Ok(Password::new("pw")));
        assert_eq!(entry_of(&secret, "empty"), Err(Flaw::Empty));
        assert_eq!(entry_of(&secret, "bytes"), Err(Flaw::NotText));
        assert_eq!(entry_of(&secret, "long"), Err(Flaw::TooLong(40_000)));
        assert_eq!(entry_of(&secret, "other"), Err(Flaw::Missing));
    }

    #[test]
    fn what_is_kept_of_secrets_is_weighed_by_the_passwords() {
        let entry = |key: &str, bytes: usize| (key.to_owned(), Ok(Password::new("x".repeat(bytes))));
        let entries: Entries =
            [entry("a", 1000), entry("b", 30_000), ("c".to_owned(), Err(Flaw::Missing))].into();
        assert!((31_000..33_000).contains(&bytes_of(&entries)), "{}", bytes_of(&entries));
    }

    #[test]
    fn secrets_of_operators_and_of_kubernetes_hold_no_passwords() {
        let may = |labels: serde_json::Value, kind: &str| {
            let secret = serde_json::json!({"metadata": {"labels": labels}, "type": kind});
            is_for_passwords(&serde_json::from_value(secret).unwrap())
        };
        assert!(
            may(serde_json::json!({"team": "a"}), "Opaque")
                && may(serde_json::json!({}), "kubernetes.io/basic-auth")
        );
        for kind in ["Kafka", "KafkaUser", "KafkaConnect"] {
            assert!(!may(serde_json::json!({labels::KIND: kind}), "Opaque"), "{kind}");
        }
        for kind in OTHER_TYPES {
            assert!(!may(serde_json::json!({}), kind), "{kind}");
        }
        for key in ["cert-manager.io/next-private-key", "controller.cert-manager.io/fao"] {
            assert!(!may(serde_json::json!({key: "true"}), "Opaque"), "{key}");
        }
        let key = serde_json::json!({"stringData": {}, "data": {"tls.key": "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0tCg=="}});
        assert!(matches!(entry_of(&serde_json::from_value(key).unwrap(), "tls.key"), Err(Flaw::OtherUse)));
    }
}
