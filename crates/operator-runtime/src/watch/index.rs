//! Finds the objects of one owner in a cache without a look at the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use super::cache::{Cache, Event, ObjectRef};

type OwnerOf<T> = dyn Fn(&ObjectRef, &T) -> Option<ObjectRef> + Send + Sync;

/// The keys of a cache's objects by their owner. What a look-up costs does not depend on how many other owners there are.
///
/// It keeps keys alone: values come from the cache, so that a look-up never shows an older state than the cache itself.
pub struct Index<T> {
    cache: Cache<T>,
    owner_of: Arc<OwnerOf<T>>,
    keys: Arc<RwLock<HashMap<ObjectRef, BTreeSet<ObjectRef>>>>,
}

impl<T> Clone for Index<T> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), owner_of: Arc::clone(&self.owner_of), keys: Arc::clone(&self.keys) }
    }
}

impl<T: Send + Sync + 'static> Index<T> {
    /// Follows a cache. Make it before the handlers that lead changes to passes: a pass has to find what brought it.
    pub fn of(
        cache: &Cache<T>,
        owner_of: impl Fn(&ObjectRef, &T) -> Option<ObjectRef> + Send + Sync + 'static,
    ) -> Self {
        let this = Self { cache: cache.clone(), owner_of: Arc::new(owner_of), keys: Arc::default() };
        let (owner_of, keys) = (Arc::clone(&this.owner_of), Arc::clone(&this.keys));
        cache.on_change(move |event| {
            let (before, after) = match event {
                Event::Applied { key, old, new } => {
                    (old.and_then(|old| owner_of(key, old)), owner_of(key, new))
                }
                Event::Deleted { key, old } => (owner_of(key, old), None),
            };
            let mut keys = keys.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(before) = before.filter(|before| after.as_ref() != Some(before))
                && let Some(owned) = keys.get_mut(&before)
            {
                owned.remove(event.key());
                if owned.is_empty() {
                    keys.remove(&before);
                }
            }
            if let Some(after) = after {
                keys.entry(after).or_default().insert(event.key().clone());
            }
        });
        this
    }

    /// The objects of an owner.
    pub fn owned_by(&self, owner: &ObjectRef) -> BTreeMap<ObjectRef, Arc<T>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(owner).cloned();
        let found = keys.into_iter().flatten().filter_map(|key| {
            let object = self.cache.get(&key)?;
            // The cache may be ahead of what this index was told.
            (self.owner_of)(&key, &object).is_some_and(|now| now == *owner).then_some((key, object))
        });
        found.collect()
    }

    /// The cache that it follows.
    pub fn cache(&self) -> &Cache<T> {
        &self.cache
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(key: &ObjectRef, word: &String) -> Option<ObjectRef> {
        (!word.is_empty()).then(|| ObjectRef::new(&key.namespace, word))
    }

    #[test]
    fn an_owner_has_its_objects_and_no_others() {
        let object = |name: &str, owner: &str| (ObjectRef::new("ns", name), owner.to_owned());
        let other = (ObjectRef::new("other", "a"), "one".to_owned());
        let cache = Cache::fixed([
            object("a", "one"),
            object("b", "two"),
            object("c", "one"),
            object("d", ""),
            other,
        ]);
        let index = Index::of(&cache, owner);
        let names = |owner: &str| {
            let found = index.owned_by(&ObjectRef::new("ns", owner));
            found.into_keys().map(|key| key.name).collect::<Vec<_>>()
        };
        assert_eq!(names("one"), ["a", "c"]);
        assert_eq!(names("two"), ["b"]);
        assert_eq!(names(""), Vec::<String>::new());
    }

    #[test]
    fn an_object_that_moves_or_goes_leaves_its_owner() {
        let cache = Cache::fixed([(ObjectRef::new("ns", "a"), "one".to_owned())]);
        let index = Index::of(&cache, owner);
        let count = |owner: &str| index.owned_by(&ObjectRef::new("ns", owner)).len();
        cache.set_fixed(&ObjectRef::new("ns", "a"), Some("two".to_owned()));
        assert_eq!((count("one"), count("two")), (0, 1));
        cache.set_fixed(&ObjectRef::new("ns", "a"), None);
        assert_eq!((count("one"), count("two")), (0, 0));
        assert!(index.keys.read().unwrap().is_empty(), "an owner without objects is forgotten");
    }
}
