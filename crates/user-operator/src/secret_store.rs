//! The users' Secrets as they are now: what the watch told, corrected by the operator's own writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::names;
use operator_runtime::watch::{Cache, Event, ObjectRef};

use crate::secret_view::SecretView;

/// The users' Secrets. One for the whole process.
#[derive(Debug)]
pub(crate) struct SecretStore {
    cache: Cache<SecretView>,
    namespace: String,
    prefix: String,
    /// Whether cert-manager keeps certificates of users in Secrets beside them.
    offers: bool,
    own: Mutex<Own>,
}

/// What the watch did not tell of yet, by user.
#[derive(Debug, Default)]
struct Own {
    /// Secrets as they were written, or read past the watch.
    known: HashMap<String, Arc<SecretView>>,
    /// Writes under way, each with the Secret that went meanwhile: its news must not outlive it.
    writing: HashMap<String, Option<String>>,
}

impl SecretStore {
    /// From the watch of the Secrets in `namespace`, whose names begin with `prefix`.
    pub(crate) fn new(cache: Cache<SecretView>, namespace: &str, prefix: &str, offers: bool) -> Self {
        let (namespace, prefix) = (namespace.to_owned(), prefix.to_owned());
        Self { cache, namespace, prefix, offers, own: Mutex::default() }
    }

    /// Namespace and name of a user's Secret.
    pub(crate) fn key(&self, user: &str) -> ObjectRef {
        ObjectRef::new(self.namespace.as_str(), format!("{}{user}", self.prefix))
    }

    /// Namespace and name of the Secret in which cert-manager keeps the certificate of a user.
    pub(crate) fn key_of_offer(&self, user: &str) -> ObjectRef {
        let key = self.key(user);
        ObjectRef::new(key.namespace, names::issued_secret(&key.name))
    }

    /// The Secret in which cert-manager keeps the certificate of a user.
    pub(crate) fn offer_to(&self, user: &str) -> Option<Arc<SecretView>> {
        if self.offers { self.cache.get(&self.key_of_offer(user)) } else { None }
    }

    /// A user's Secret.
    pub(crate) fn of(&self, user: &str) -> Option<Arc<SecretView>> {
        let cached = self.cache.get(&self.key(user));
        let own = self.lock().known.get(user).cloned();
        match (cached, own) {
            (Some(cached), Some(own)) => Some(if own.version > cached.version { own } else { cached }),
            (cached, own) => own.or(cached),
        }
    }

    /// A write begins: until its end, deletions are remembered.
    pub(crate) fn begin(&self, user: &str) {
        self.lock().writing.insert(user.to_owned(), None);
    }

    /// The write is over.
    pub(crate) fn end(&self, user: &str) {
        self.lock().writing.remove(user);
    }

    /// Takes note of an own write, or of a Secret that was read past the watch.
    pub(crate) fn note(&self, user: &str, view: SecretView) {
        // The watch may have told of it before the answer came: then there is nothing to remember.
        let known = self.cache.get(&self.key(user)).is_some_and(|cached| cached.version >= view.version);
        let mut own = self.lock();
        let gone = own.writing.get(user).is_some_and(|gone| gone.as_ref() == Some(&view.uid));
        if !known && !gone {
            own.known.insert(user.to_owned(), Arc::new(view));
        }
    }

    /// Takes note that a Secret is gone.
    pub(crate) fn deleted(&self, user: &str) {
        self.lock().known.remove(user);
    }

    /// Takes note of a change that the watch tells of; says whose Secret it is, unless it is the operator's own write.
    pub(crate) fn changed(&self, event: &Event<'_, SecretView>) -> Option<String> {
        let name = event.key().name.strip_prefix(self.prefix.as_str())?;
        if let Some(user) = name.strip_suffix(names::ISSUED_SUFFIX).filter(|_| self.offers) {
            return Some(user.to_owned());
        }
        let name = name.to_owned();
        let mut state = self.lock();
        match event {
            Event::Applied { new, .. } => {
                let own = state.known.get(&name).map(|view| view.version);
                if own.is_some_and(|own| new.version >= own) {
                    state.known.remove(&name);
                }
                if own.is_some_and(|own| new.version <= own) { None } else { Some(name) }
            }
            Event::Deleted { old, .. } => {
                state.known.remove(&name);
                if let Some(gone) = state.writing.get_mut(&name) {
                    *gone = Some(old.uid.clone());
                }
                Some(name)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::*;
    use crate::secret_view::Certificate;

    fn view(version: u64) -> SecretView {
        SecretView {
            version,
            uid: "uid".to_owned(),
            owner: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            own_metadata: None,
            keys: 0,
            certificate: Certificate::Missing,
            since: None,
            mark: None,
            offer: Certificate::Missing,
            offer_mark: None,
            authority: None,
            password: None,
            jaas_fits: false,
        }
    }

    fn deleted(secrets: &SecretStore) -> Option<String> {
        let (key, old) = (secrets.key("a"), Arc::new(view(5)));
        secrets.changed(&Event::Deleted { key: &key, old: &old, told: None })
    }

    #[test]
    fn a_secret_that_goes_before_the_answer_to_its_write_arrives_is_not_known() {
        let secrets = SecretStore::new(Cache::fixed([]), "ns", "", false);
        secrets.begin("a");
        assert_eq!(deleted(&secrets).as_deref(), Some("a"));
        secrets.note("a", view(5));
        secrets.end("a");
        assert!(secrets.of("a").is_none());
        // The next one of that name is another one.
        secrets.begin("a");
        secrets.note("a", view(6));
        secrets.end("a");
        assert_eq!(secrets.of("a").unwrap().version, 6);
        deleted(&secrets);
        assert!(secrets.of("a").is_none());
    }
}
