//! The users' Secrets as they are now: what the watch told, corrected by the operator's own writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use operator_runtime::watch::{Cache, Event, ObjectRef};

use crate::secret::SecretView;

/// The users' Secrets. One for the whole process.
#[derive(Debug)]
pub struct UserSecrets {
    cache: Cache<SecretView>,
    namespace: String,
    prefix: String,
    /// Own writes that the watch did not tell of yet, by user.
    written: Mutex<HashMap<String, Arc<SecretView>>>,
}

impl UserSecrets {
    /// From the watch of the Secrets in `namespace`, whose names begin with `prefix`.
    pub fn new(cache: Cache<SecretView>, namespace: &str, prefix: &str) -> Self {
        Self { cache, namespace: namespace.to_owned(), prefix: prefix.to_owned(), written: Mutex::default() }
    }

    /// Namespace and name of a user's Secret.
    pub fn key(&self, user: &str) -> ObjectRef {
        ObjectRef::new(self.namespace.as_str(), format!("{}{user}", self.prefix))
    }

    /// A user's Secret.
    pub fn of(&self, user: &str) -> Option<Arc<SecretView>> {
        let cached = self.cache.get(&self.key(user));
        let own = self.lock().get(user).cloned();
        match (cached, own) {
            (Some(cached), Some(own)) => Some(if own.version > cached.version { own } else { cached }),
            (cached, own) => own.or(cached),
        }
    }

    /// Takes note of an own write.
    pub fn wrote(&self, user: &str, view: SecretView) {
        // The watch may have told of it before the answer came: then there is nothing to remember.
        let known = self.cache.get(&self.key(user)).is_some_and(|cached| cached.version >= view.version);
        if !known {
            self.lock().insert(user.to_owned(), Arc::new(view));
        }
    }

    /// Takes note of an own deletion.
    pub fn deleted(&self, user: &str) {
        self.lock().remove(user);
    }

    /// Takes note of a change that the watch tells of; says whose Secret it is, unless it is the operator's own write.
    pub fn changed(&self, event: &Event<'_, SecretView>) -> Option<String> {
        let name = event.key().name.strip_prefix(self.prefix.as_str())?.to_owned();
        let mut written = self.lock();
        match event {
            Event::Applied { new, .. } => {
                let own = written.get(&name).map(|view| view.version);
                if own.is_some_and(|own| new.version >= own) {
                    written.remove(&name);
                }
                if own.is_some_and(|own| new.version <= own) { None } else { Some(name) }
            }
            Event::Deleted { .. } => {
                written.remove(&name);
                Some(name)
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<SecretView>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
