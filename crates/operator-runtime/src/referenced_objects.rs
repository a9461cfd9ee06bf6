//! Objects that users made and that resources refer to by name, such as the Secret with a listener's
//! certificate: their versions are watched, and an object that is needed is read once per version.
//!
//! Whoever writes resources decides what is read, so it is bounded: an object that is too large is known to be there and is not
//! read, and what is kept of the others is charged to the budget of their namespace.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::apply::{Applier, ApplyError};
use crate::env::Namespaces;
use crate::limits::{Budget, Largest};
use crate::named_object::Named;
use crate::watch::{Cache, ObjectRef, Watch};

/// What is kept of an object that is not read, in bytes.
const UNREAD: usize = 1000;

/// Follows the resource versions of the objects that `selector` accepts. Of the objects themselves nothing is sent.
pub fn versions<K>(
    client: &Client,
    namespaces: &Namespaces,
    selector: &str,
    shutdown: &CancellationToken,
) -> Cache<String>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default,
{
    Watch::<PartialObjectMeta<K>>::namespaced(client, namespaces)
        .labels(Some(selector))
        .start(shutdown, |object| object.metadata.resource_version)
}

/// What is known of an object that a resource refers to.
#[derive(Debug)]
pub enum Referenced<T> {
    /// It was read.
    Read {
        /// What it says.
        copy: Arc<T>,
        /// Memory that the copy takes.
        bytes: usize,
    },
    /// It is there and is not read: why and what to write instead, as part of a sentence about it.
    Unreadable(Arc<str>),
    /// It can be read, and there is no room to keep it: why, as part of a sentence about it.
    NoRoom(String),
}

impl<T> Clone for Referenced<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Read { copy, bytes } => Self::Read { copy: Arc::clone(copy), bytes: *bytes },
            Self::Unreadable(why) => Self::Unreadable(Arc::clone(why)),
            Self::NoRoom(why) => Self::NoRoom(why.clone()),
        }
    }
}

struct Kept<T> {
    version: String,
    what: Referenced<T>,
    /// What the budget was charged for it.
    charged: usize,
}

/// What objects said in the version that was read last.
pub struct Remembered<T> {
    copies: Mutex<HashMap<ObjectRef, Kept<T>>>,
    largest: Largest,
    budget: Budget,
    weigh: fn(&T) -> usize,
}

impl<T> Debug for Remembered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("copies", &self.lock().len()).finish_non_exhaustive()
    }
}

impl<T> Remembered<T> {
    /// With a bound for one object, and a budget that all of them are charged to; `weigh` says how many bytes of memory a copy takes.
    pub fn within(largest: Largest, budget: Budget, weigh: fn(&T) -> usize) -> Self {
        Self { copies: Mutex::default(), largest, budget, weigh }
    }

    /// What an object says in this version, by memory or out of the API server; `None` when there is none any more.
    /// `project` says what is kept of it.
    ///
    /// # Errors
    /// When the API server does not answer or refuses.
    pub async fn get<K>(
        &self,
        key: &ObjectRef,
        version: &str,
        applier: &Applier,
        project: impl FnOnce(K) -> T,
    ) -> Result<Option<Referenced<T>>, ApplyError>
    where
        K: Resource + Clone + DeserializeOwned + Debug + Send,
        K::DynamicType: Default,
    {
        if let Some(known) = self.known(key, version) {
            return Ok(Some(known));
        }
        let what = match applier.get_within::<K>(key, self.largest).await? {
            None => {
                self.forget(key);
                return Ok(None);
            }
            Some(Named::Unreadable(found)) => Referenced::Unreadable(found.why.into()),
            Some(Named::Readable(object)) => {
                let copy = project(*object);
                let bytes = (self.weigh)(&copy);
                Referenced::Read { copy: Arc::new(copy), bytes }
            }
        };
        Ok(Some(self.keep(key, version, what)))
    }

    fn known(&self, key: &ObjectRef, version: &str) -> Option<Referenced<T>> {
        let copies = self.lock();
        copies.get(key).filter(|kept| kept.version == version).map(|kept| kept.what.clone())
    }

    /// The object may be newer than the version that the watch told of. It is read again when the watch tells of that version:
    /// one read too many, and never one too few.
    fn keep(&self, key: &ObjectRef, version: &str, what: Referenced<T>) -> Referenced<T> {
        let mut copies = self.lock();
        let before = copies.get(key).map_or(0, |kept| kept.charged);
        let charged = match &what {
            Referenced::Read { bytes, .. } => *bytes,
            Referenced::Unreadable(_) | Referenced::NoRoom(_) => UNREAD,
        };
        if let Err(why) = self.budget.charge(&key.namespace, before, charged) {
            copies.remove(key);
            self.give_back(key, before);
            return Referenced::NoRoom(why);
        }
        copies.insert(key.clone(), Kept { version: version.to_owned(), what: what.clone(), charged });
        what
    }

    /// Drops what is kept of an object: no resource refers to it any more, or more of it is wanted than was kept.
    pub fn forget(&self, key: &ObjectRef) {
        let mut copies = self.lock();
        if let Some(kept) = copies.remove(key) {
            self.give_back(key, kept.charged);
        }
    }

    fn give_back(&self, key: &ObjectRef, bytes: usize) {
        self.budget.give_back(&key.namespace, bytes);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, Kept<T>>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_charged_to_its_namespace_until_it_is_forgotten() {
        let budget = Budget::new(1000);
        let remembered = Remembered::<String>::within(Largest::DEFAULT, budget.clone(), String::len);
        let read = |bytes: usize| Referenced::Read { copy: Arc::new(String::new()), bytes };
        let key = |name: &str| ObjectRef::new("ns", name);
        assert!(matches!(remembered.keep(&key("a"), "1", read(600)), Referenced::Read { .. }));
        assert!(matches!(remembered.keep(&key("b"), "1", read(400)), Referenced::Read { .. }));
        let Referenced::NoRoom(why) = remembered.keep(&key("c"), "1", read(400)) else { panic!("kept") };
        assert!(why.contains("KASTELLAN_MAX_CACHE_MIB") && why.contains("namespace 'ns'"), "{why}");
        assert_eq!(budget.used(), 1000);
        assert!(matches!(remembered.keep(&key("a"), "2", read(100)), Referenced::Read { .. }));
        assert_eq!(budget.used(), 500, "the older copy is charged no more");
        assert!(remembered.known(&key("a"), "1").is_none() && remembered.known(&key("a"), "2").is_some());
        // One that grows beyond what there is is let go of.
        assert!(matches!(remembered.keep(&key("b"), "2", read(2000)), Referenced::NoRoom(_)));
        assert_eq!(budget.used(), 100);
        remembered.forget(&key("a"));
        remembered.forget(&key("b"));
        assert_eq!(budget.used(), 0);
    }
}
