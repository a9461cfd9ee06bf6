//! Objects that users made and that resources refer to by name, such as the Secret with a listener's
//! certificate: their versions are watched, and an object that is needed is read once per version.

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
use crate::watch::{Cache, ObjectRef, Watch};

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

/// What objects said in the version that was read last.
pub struct Remembered<T> {
    copies: Mutex<HashMap<ObjectRef, (String, Arc<T>)>>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { copies: Mutex::default() }
    }
}

impl<T> Debug for Remembered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered").field("copies", &self.lock().len()).finish()
    }
}

impl<T> Remembered<T> {
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
    ) -> Result<Option<Arc<T>>, ApplyError>
    where
        K: Resource + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let known = self.lock().get(key).cloned();
        if let Some((_, copy)) = known.filter(|(known, _)| known == version) {
            return Ok(Some(copy));
        }
        let Some(object) = applier.get::<K>(key).await? else {
            self.forget(key);
            return Ok(None);
        };
        // The object may be newer than the version that the watch told of. It is read again when the watch tells of that version:
        // one read too many, and never one too few.
        let copy = Arc::new(project(object));
        self.lock().insert(key.clone(), (version.to_owned(), Arc::clone(&copy)));
        Ok(Some(copy))
    }

    /// Drops what is kept of an object: no resource refers to it any more, or more of it is wanted than was kept.
    pub fn forget(&self, key: &ObjectRef) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, (String, Arc<T>)>> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
