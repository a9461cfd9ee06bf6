//! Finds the objects of one owner in a cache without a look at the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

use super::cache::{Cache, ObjectRef};
use super::event::Event;
use super::unreadable::Unreadable;

type OwnersOf<T, O> = dyn Fn(&ObjectRef, &T) -> Vec<O> + Send + Sync;

/// The keys of a cache's objects by what they are looked up by, mostly their owner. What a look-up costs does not depend on
/// how many other owners there are.
///
/// It keeps keys alone: values come from the cache, so that a look-up never shows an older state than the cache itself.
pub struct Index<T, O = ObjectRef> {
    cache: Cache<T>,
    owners_of: Arc<OwnersOf<T, O>>,
    keys: Arc<RwLock<HashMap<O, BTreeSet<ObjectRef>>>>,
}

impl<T, O> Clone for Index<T, O> {
    fn clone(&self) -> Self {
        Self {
            cache: self.cache.clone(),
            owners_of: Arc::clone(&self.owners_of),
            keys: Arc::clone(&self.keys),
        }
    }
}

impl<T, O> Index<T, O>
where
    T: Send + Sync + 'static,
    O: Clone + Eq + Hash + Send + Sync + 'static,
{
    /// Follows a cache; an object has one owner, several or none. Make it before the handlers that lead changes to passes: a
    /// pass has to find what brought it.
    pub fn of<I: IntoIterator<Item = O>>(
        cache: &Cache<T>,
        owners_of: impl Fn(&ObjectRef, &T) -> I + Send + Sync + 'static,
    ) -> Self {
        let owners_of: Arc<OwnersOf<T, O>> =
            Arc::new(move |key, object| owners_of(key, object).into_iter().collect());
        let this = Self { cache: cache.clone(), owners_of: Arc::clone(&owners_of), keys: Arc::default() };
        let keys = Arc::clone(&this.keys);
        cache.on_change(move |event| {
            let (before, after) = match event {
                Event::Applied { key, old, new } => {
                    (old.map(|old| owners_of(key, old)).unwrap_or_default(), owners_of(key, new))
                }
                Event::Deleted { key, old, .. } => (owners_of(key, old), Vec::new()),
            };
            let mut keys = keys.write().unwrap_or_else(PoisonError::into_inner);
            for left in before.iter().filter(|before| !after.contains(before)) {
                take_out(&mut keys, left, event.key());
            }
            for owner in after {
                keys.entry(owner).or_default().insert(event.key().clone());
            }
        });
        this
    }

    /// The objects of an owner.
    pub fn owned_by(&self, owner: &O) -> BTreeMap<ObjectRef, Arc<T>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(owner).cloned();
        let found = keys.into_iter().flatten().filter_map(|key| {
            let object = self.cache.get(&key)?;
            // The cache may be ahead of what this index was told.
            (self.owners_of)(&key, &object).contains(owner).then_some((key, object))
        });
        found.collect()
    }

    /// The keys of the objects of an owner, without a look into any.
    pub fn keys_of(&self, owner: &O) -> BTreeSet<ObjectRef> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(owner).cloned().unwrap_or_default()
    }

    /// At most so many of these keys: of objects in one namespace.
    pub fn keys_within(&self, owner: &O, namespace: &str, most: usize) -> Vec<ObjectRef> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let Some(owned) = keys.get(owner) else { return Vec::new() };
        let from = owned.range(ObjectRef::new(namespace, "")..);
        from.take_while(|key| key.namespace == namespace).take(most).cloned().collect()
    }

    /// At most so many of these keys: of objects outside of a namespace.
    pub fn keys_outside(&self, owner: &O, namespace: &str, most: usize) -> Vec<ObjectRef> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let Some(owned) = keys.get(owner) else { return Vec::new() };
        let before = owned.range(..ObjectRef::new(namespace, ""));
        // No namespace has a name with this character, which comes after all that are in names.
        let after = owned.range(ObjectRef::new(format!("{namespace}\u{0}"), "")..);
        before.chain(after).take(most).cloned().collect()
    }

    /// Bytes that the objects of an owner take when all of them are read.
    pub fn bytes_when_read(&self, owner: &O) -> usize {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(owner).into_iter().flatten().map(|key| self.cache.bytes_when_read(key)).sum()
    }

    /// The cache that it follows.
    pub fn cache(&self) -> &Cache<T> {
        &self.cache
    }
}

fn take_out<O: Eq + Hash>(keys: &mut HashMap<O, BTreeSet<ObjectRef>>, owner: &O, key: &ObjectRef) {
    if let Some(owned) = keys.get_mut(owner) {
        owned.remove(key);
        if owned.is_empty() {
            keys.remove(owner);
        }
    }
}

type OwnerOfUnreadable<O> = dyn Fn(&ObjectRef, &Unreadable) -> Option<O> + Send + Sync;
type Look = dyn Fn(&ObjectRef) -> Option<Arc<Unreadable>> + Send + Sync;
type Handler<O> = Arc<dyn Fn(&O) + Send + Sync>;

/// What of an owner is in a cache and cannot be read, without a look at the others.
pub struct UnreadableIndex<O> {
    look: Arc<Look>,
    owner_of: Arc<OwnerOfUnreadable<O>>,
    known: Arc<RwLock<KnownUnreadable<O>>>,
    handlers: Arc<RwLock<Vec<Handler<O>>>>,
}

struct KnownUnreadable<O> {
    keys: HashMap<O, BTreeSet<ObjectRef>>,
    /// Whose an object was, for the time when it can be read again: then nothing else says so.
    owners: HashMap<ObjectRef, O>,
}

impl<O> Clone for UnreadableIndex<O> {
    fn clone(&self) -> Self {
        Self {
            look: Arc::clone(&self.look),
            owner_of: Arc::clone(&self.owner_of),
            known: Arc::clone(&self.known),
            handlers: Arc::clone(&self.handlers),
        }
    }
}

impl<O: Clone + Eq + Hash + Send + Sync + 'static> UnreadableIndex<O> {
    /// Follows what of a cache cannot be read.
    pub fn of<T: Send + Sync + 'static>(
        cache: &Cache<T>,
        owner_of: impl Fn(&ObjectRef, &Unreadable) -> Option<O> + Send + Sync + 'static,
    ) -> Self {
        let looked_at = cache.clone();
        let this = Self {
            look: Arc::new(move |key| looked_at.unreadable(key)),
            owner_of: Arc::new(owner_of),
            known: Arc::new(RwLock::new(KnownUnreadable { keys: HashMap::new(), owners: HashMap::new() })),
            handlers: Arc::default(),
        };
        let telling = this.clone();
        cache.on_unreadable(move |key, unreadable| {
            let after = unreadable.and_then(|unreadable| (telling.owner_of)(key, unreadable));
            let before = telling.note(key, after.clone());
            let handlers = telling.handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
            for owner in before.iter().filter(|before| after.as_ref() != Some(before)).chain(&after) {
                for handler in &handlers {
                    handler(owner);
                }
            }
        });
        this
    }

    /// Adds a handler. It is told the owner of every object that cannot be read, or can be again; at once about those that
    /// are there already.
    pub fn on_change(&self, handler: impl Fn(&O) + Send + Sync + 'static) {
        let handler: Handler<O> = Arc::new(handler);
        self.handlers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&handler));
        let owners: Vec<O> =
            self.known.read().unwrap_or_else(PoisonError::into_inner).keys.keys().cloned().collect();
        for owner in &owners {
            handler(owner);
        }
    }

    /// What of an owner cannot be read.
    pub fn owned_by(&self, owner: &O) -> BTreeMap<ObjectRef, Arc<Unreadable>> {
        let keys = self.known.read().unwrap_or_else(PoisonError::into_inner).keys.get(owner).cloned();
        let found = keys.into_iter().flatten().filter_map(|key| {
            let unreadable = (self.look)(&key)?;
            ((self.owner_of)(&key, &unreadable).as_ref() == Some(owner)).then_some((key, unreadable))
        });
        found.collect()
    }

    /// Notes whose an object is that cannot be read; the answer is whose it was before.
    fn note(&self, key: &ObjectRef, owner: Option<O>) -> Option<O> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = known.owners.remove(key);
        if let Some(before) = &before {
            take_out(&mut known.keys, before, key);
        }
        if let Some(owner) = owner {
            known.keys.entry(owner.clone()).or_default().insert(key.clone());
            known.owners.insert(key.clone(), owner);
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use std::sync::Mutex;

    use super::*;

    fn owner(key: &ObjectRef, word: &String) -> Option<ObjectRef> {
        (!word.is_empty()).then(|| ObjectRef::new(&key.namespace, word))
    }

    #[test]
    fn of_many_keys_those_of_one_namespace_and_those_outside_are_found_without_the_others() {
        let object = |namespace: &str, name: &str| (ObjectRef::new(namespace, name), "one".to_owned());
        let all =
            [object("a", "x"), object("b", "x"), object("b", "y"), object("b-c", "x"), object("c", "x")];
        let index = Index::of(&Cache::fixed(all), |_, word: &String| Some(word.clone()));
        let words = |found: Vec<ObjectRef>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
        let one = "one".to_owned();
        assert_eq!(words(index.keys_within(&one, "b", 9)), ["b/x", "b/y"]);
        assert_eq!(words(index.keys_within(&one, "b", 1)), ["b/x"]);
        assert_eq!(words(index.keys_outside(&one, "b", 9)), ["a/x", "b-c/x", "c/x"]);
        assert_eq!(words(index.keys_outside(&one, "b", 2)), ["a/x", "b-c/x"]);
        assert!(index.keys_within(&one, "d", 9).is_empty());
        assert!(index.keys_outside(&"two".to_owned(), "b", 9).is_empty());
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

    #[test]
    fn an_object_of_several_owners_is_found_by_each() {
        let cache = Cache::fixed([(ObjectRef::new("ns", "a"), "one two".to_owned())]);
        let index = Index::of(&cache, |_, words: &String| {
            words.split(' ').map(ToOwned::to_owned).collect::<Vec<String>>()
        });
        let count = |owner: &str| index.owned_by(&owner.to_owned()).len();
        assert_eq!((count("one"), count("two"), count("three")), (1, 1, 0));
        cache.set_fixed(&ObjectRef::new("ns", "a"), Some("two three".to_owned()));
        assert_eq!((count("one"), count("two"), count("three")), (0, 1, 1));
    }

    #[test]
    fn what_a_pass_holds_is_not_decoded_again_and_never_out_of_date() {
        let key = ObjectRef::new("ns", "a");
        let cache = Cache::fixed_packed([(key.clone(), "one".to_owned())]);
        let held = cache.get(&key).unwrap();
        assert!(Arc::ptr_eq(&held, &cache.get(&key).unwrap()));
        cache.set_fixed(&key, Some("two".to_owned()));
        assert_eq!((held.as_str(), cache.get(&key).unwrap().as_str()), ("one", "two"));
        cache.set_fixed(&key, None);
        assert_eq!(cache.get(&key), None);
    }

    #[test]
    fn a_look_up_scans_nothing() {
        let object = |number: usize| (ObjectRef::new("ns", number.to_string()), format!("owner-{number}"));
        let cache = Cache::fixed((0..1000).map(object));
        let index = Index::of(&cache, owner);
        let before = cache.scanned();
        assert_eq!(index.owned_by(&ObjectRef::new("ns", "owner-500")).len(), 1);
        assert_eq!(cache.scanned(), before);
    }

    #[test]
    fn what_cannot_be_read_is_told_to_its_owner_until_it_can_be() {
        let unreadable = |owner: &str| {
            let labels = Some([("strimzi.io/cluster".to_owned(), owner.to_owned())].into());
            Unreadable::for_want_of_room(ObjectMeta { labels, ..ObjectMeta::default() }, "large".to_owned())
        };
        let key = ObjectRef::new("ns", "a");
        let cache: Cache<String> = Cache::fixed([]).with_unreadable(&key, unreadable("one"));
        let index = UnreadableIndex::of(&cache, |_, found| found.cluster().map(ToOwned::to_owned));
        let told = Arc::new(Mutex::new(Vec::new()));
        let telling = Arc::clone(&told);
        index.on_change(move |owner: &String| telling.lock().unwrap().push(owner.clone()));
        let count = |owner: &str| index.owned_by(&owner.to_owned()).len();
        assert_eq!((count("one"), count("two")), (1, 0));
        let cache = cache.with_unreadable(&key, unreadable("two"));
        assert_eq!((count("one"), count("two")), (0, 1));
        cache.set_readable(&key);
        assert_eq!((count("one"), count("two")), (0, 0));
        assert_eq!(*told.lock().unwrap(), ["one", "one", "two", "two"]);
    }
}
