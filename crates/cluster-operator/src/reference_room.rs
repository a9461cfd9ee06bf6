//! How much of what a resource refers to a pass reads: its author names the objects, and all tenants share one memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;

use api::env::own;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use operator_runtime::apply::{Applier, ApplyError};
use operator_runtime::limits::Largest;
use operator_runtime::referenced_objects::{Referenced, Remembered};
use operator_runtime::watch::{Cache, ObjectRef};
use serde::de::DeserializeOwned;

/// What is left for the objects that a cluster refers to, beside its own.
#[derive(Debug)]
pub(crate) struct ReferenceRoom {
    largest: Largest,
    left: usize,
    taken: usize,
    /// Why nothing else is read.
    refusal: Option<String>,
}

impl ReferenceRoom {
    /// What the bound leaves when the cluster's own objects take so many bytes.
    pub(crate) fn beside(own: usize, largest: Largest) -> Self {
        Self { largest, left: largest.bytes.saturating_sub(own), taken: 0, refusal: None }
    }

    /// Why nothing else is read, as part of a sentence about an object that is not.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Bytes of what was read.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// The copy, if there is room for it.
    ///
    /// # Errors
    /// Why there is none, as part of a sentence about the object.
    pub(crate) fn take<T>(&mut self, found: Referenced<T>) -> Result<Arc<T>, String> {
        let why = match found {
            Referenced::Read { copy, bytes } if bytes <= self.left => {
                self.left -= bytes;
                self.taken += bytes;
                return Ok(copy);
            }
            Referenced::Read { .. } => format!(
                "what the cluster refers to and its own objects take more than {} MiB together when they are read ({}): refer to \
                 smaller objects, or raise the limit",
                self.largest.bytes / (1024 * 1024),
                self.largest.variable
            ),
            Referenced::NoRoom(why) => why,
            // Others may be small enough.
            Referenced::Unreadable(why) => return Err(why.to_string()),
        };
        self.refusal = Some(why.clone());
        Err(why)
    }
}

/// That an object is beyond the number of those that are read for one cluster, as part of a sentence about it.
pub(crate) fn too_many(most: usize) -> String {
    format!(
        "the resource refers to more than {most} Secrets and ConfigMaps ({}): refer to fewer, or raise the limit",
        own::MAX_REFERENCES
    )
}

/// Adds the named objects to `found`, and returns those that there is no room for, each with why. An object that does not exist is left
/// out: planning says what misses it.
pub(crate) async fn fetch<K>(
    applier: &Applier,
    resource: &ObjectRef,
    names: &BTreeSet<String>,
    versions: &Cache<String>,
    remembered: &Remembered<K>,
    room: &mut ReferenceRoom,
    found: &mut BTreeMap<String, Arc<K>>,
) -> Result<BTreeMap<String, String>, ApplyError>
where
    K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send,
    K::DynamicType: Default,
{
    let mut not_read = BTreeMap::new();
    for name in names {
        if found.contains_key(name) {
            continue;
        }
        let key = ObjectRef::new(&resource.namespace, name);
        let Some(version) = versions.get(&key) else {
            remembered.forget(&key);
            continue;
        };
        if let Some(why) = room.refusal() {
            remembered.forget(&key);
            not_read.insert(name.clone(), why.to_owned());
            continue;
        }
        let whole = |object: K| object;
        let Some(object) = remembered.get(&key, &version, applier, whole).await? else { continue };
        match room.take(object) {
            Ok(object) => drop(found.insert(name.clone(), object)),
            Err(why) => drop(not_read.insert(name.clone(), why)),
        }
    }
    Ok(not_read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_referred_to_and_the_clusters_own_objects_share_one_bound() {
        let largest = Largest { bytes: 64 << 20, variable: own::MAX_CLUSTER_MIB };
        let mut room = ReferenceRoom::beside(40 << 20, largest);
        let read = |mib: usize| Referenced::Read { copy: Arc::new(()), bytes: mib << 20 };
        assert!(room.take(read(20)).is_ok());
        assert_eq!(
            room.take(Referenced::<()>::Unreadable("it is too large".into())).unwrap_err(),
            "it is too large"
        );
        assert_eq!(room.refusal(), None, "others may be smaller");
        assert!(room.take(read(4)).is_ok());
        let why = room.take(read(1)).unwrap_err();
        assert!(why.contains("more than 64 MiB") && why.contains("KASTELLAN_MAX_CLUSTER_MIB"), "{why}");
        assert_eq!(
            (room.refusal(), room.taken()),
            (Some(why.as_str()), 24 << 20),
            "nothing else is asked for"
        );
        let mut room = ReferenceRoom::beside(0, largest);
        assert_eq!(room.take(Referenced::<()>::NoRoom("no room".to_owned())).unwrap_err(), "no room");
        assert_eq!(room.refusal(), Some("no room"));
    }
}
