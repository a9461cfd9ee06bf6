//! What a cache keeps of the objects that cannot be read. It is charged to the budget of their namespace: whoever makes many of
//! them has room for fewer others.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::unreadable::Unreadable;
use crate::limits::Budget;
use crate::object_ref::ObjectRef;

/// The unreadable objects of a cache.
#[derive(Debug, Default)]
pub(super) struct KeptUnreadable {
    all: RwLock<HashMap<ObjectRef, Kept>>,
    budget: Option<Budget>,
}

#[derive(Debug)]
struct Kept {
    found: Arc<Unreadable>,
    /// What the budget was charged for it.
    charged: usize,
}

impl KeptUnreadable {
    /// With what all caches together may take.
    pub(super) fn within(budget: Option<Budget>) -> Self {
        Self { all: RwLock::default(), budget }
    }

    /// What is kept of an object.
    pub(super) fn get(&self, key: &ObjectRef) -> Option<Arc<Unreadable>> {
        self.read().get(key).map(|kept| Arc::clone(&kept.found))
    }

    /// Number of objects.
    pub(super) fn len(&self) -> usize {
        self.read().len()
    }

    /// All objects, in no order.
    pub(super) fn list(&self) -> Vec<(ObjectRef, Arc<Unreadable>)> {
        self.read().iter().map(|(key, kept)| (key.clone(), Arc::clone(&kept.found))).collect()
    }

    /// Keeps what was found; returns what is kept of it, and what was kept before.
    pub(super) fn put(
        &self,
        key: &ObjectRef,
        found: Unreadable,
    ) -> (Arc<Unreadable>, Option<Arc<Unreadable>>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(key).map_or(0, |kept| kept.charged);
        let (found, charged) = self.charge(key, before, found);
        let found = Arc::new(found);
        let old = all.insert(key.clone(), Kept { found: Arc::clone(&found), charged });
        (found, old.map(|kept| kept.found))
    }

    /// Lets go of an object that can be read, or is gone. Says whether it was there.
    pub(super) fn remove(&self, key: &ObjectRef) -> bool {
        let kept = self.all.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        if let (Some(kept), Some(budget)) = (&kept, &self.budget) {
            budget.give_back(&key.namespace, kept.charged);
        }
        kept.is_some()
    }

    /// What is kept, and what was charged for it. Where there is no room, the object is there all the same, so that the least
    /// of it is kept and charged: what else its namespace has must make way.
    fn charge(&self, key: &ObjectRef, before: usize, found: Unreadable) -> (Unreadable, usize) {
        let Some(budget) = &self.budget else { return (found, 0) };
        let bytes = found.bytes();
        if budget.charge(&key.namespace, before, bytes).is_ok() {
            return (found, bytes);
        }
        let bare = found.bare();
        let bytes = bare.bytes();
        budget.charge_anyway(&key.namespace, before, bytes);
        (bare, bytes)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<ObjectRef, Kept>> {
        self.all.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

    use super::*;

    fn large(name: &str) -> Unreadable {
        let owner = OwnerReference { name: "x".repeat(500), ..OwnerReference::default() };
        let labels =
            [("strimzi.io/cluster", "c"), ("strimzi.io/kind", "Kafka"), ("strimzi.io/name", "c-kafka")];
        let metadata = ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some("ns".to_owned()),
            uid: Some("u".to_owned()),
            owner_references: Some(vec![owner; 20]),
            finalizers: Some(vec!["strimzi.io/topic-operator".to_owned()]),
            labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            ..ObjectMeta::default()
        };
        Unreadable::for_want_of_room(metadata, "large".to_owned())
    }

    #[test]
    fn what_is_kept_is_charged_and_an_object_without_room_still_counts_as_there() {
        let budget = Budget::new(100_000);
        let kept = KeptUnreadable::within(Some(budget.clone()));
        let key = |number: usize| ObjectRef::new("ns", format!("o-{number}"));
        let (whole, _) = kept.put(&key(0), large("o-0"));
        let one = budget.used();
        assert!(one > 10_000 && whole.metadata.owner_references.is_some(), "{one}");
        kept.put(&key(0), large("o-0"));
        assert_eq!(budget.used(), one, "once");
        for number in 1..200 {
            kept.put(&key(number), large(&format!("o-{number}")));
        }
        assert_eq!(kept.len(), 200);
        let bare = kept.get(&key(199)).unwrap();
        assert_eq!(bare.metadata.owner_references, None);
        assert_eq!(bare.metadata.finalizers.as_ref().unwrap().len(), 1);
        assert_eq!((bare.cluster(), bare.metadata.labels.as_ref().unwrap().len()), (Some("c"), 2));
        assert!(budget.used() < 100_000 + 200 * 3000, "{}", budget.used());
        assert!(budget.charge("ns", 0, 1).is_err(), "the namespace has no room for anything else");
        for number in 0..200 {
            assert!(kept.remove(&key(number)));
        }
        assert_eq!(budget.used(), 0);
        assert!(!kept.remove(&key(0)));
    }
}
