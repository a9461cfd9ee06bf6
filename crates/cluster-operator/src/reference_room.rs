//! The memory for Secrets and ConfigMaps that a resource refers to: its author names them, and all tenants share the memory of the operator.

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

/// The memory that is left for the objects that a resource refers to, beside its own.
#[derive(Debug)]
pub(crate) struct ReferenceRoom {
    largest: Largest,
    left: usize,
    taken: usize,
    /// Why no further object is read.
    refusal: Option<String>,
}

impl ReferenceRoom {
    /// The rest of the bound when the resource's own objects take so many bytes.
    pub(crate) fn beside(own: usize, largest: Largest) -> Self {
        Self { largest, left: largest.bytes.saturating_sub(own), taken: 0, refusal: None }
    }

    /// Why no further object is read, as part of a sentence about such an object.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Bytes of the objects that were read.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// The copy, if there is room for it.
    ///
    /// # Errors
    /// Why there is no room, as part of a sentence about the object.
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
            // Other objects may be small enough.
            Referenced::Unreadable(why) => return Err(why.to_string()),
        };
        self.refusal = Some(why.clone());
        Err(why)
    }
}

/// Says of an object that the resource refers to more objects than are read for one resource, as part of a sentence about it.
pub(crate) fn too_many(most: usize) -> String {
    format!(
        "the resource refers to more than {most} Secrets and ConfigMaps ({}): refer to fewer, or raise the limit",
        own::MAX_REFERENCES
    )
}

/// Adds the named objects to `found`, and returns for which ones there is no room, each with the reason. An object that does not exist is
/// left out: the plan says what refers to it.
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
