//! Why pods could not be created: what the pod-set controller ran into, for the passes over their clusters.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use operator_runtime::watch::ObjectRef;

/// The pods that could not be created, and why. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct PodErrors(Arc<Mutex<HashMap<ObjectRef, BTreeMap<String, String>>>>);

impl PodErrors {
    /// Notes what a pass over a pod set ran into, by name of the pod. Says whether that is news.
    pub fn note(&self, set: &ObjectRef, errors: BTreeMap<String, String>) -> bool {
        let mut all = self.lock();
        if all.get(set).map_or(errors.is_empty(), |known| *known == errors) {
            return false;
        }
        if errors.is_empty() {
            all.remove(set);
        } else {
            all.insert(set.clone(), errors);
        }
        true
    }

    /// Those of a namespace, by name of the pod.
    pub fn of_namespace(&self, namespace: &str) -> BTreeMap<String, String> {
        let all = self.lock();
        let mine = all.iter().filter(|(set, _)| set.namespace == namespace);
        mine.flat_map(|(_, errors)| errors.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, BTreeMap<String, String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_pods_from_being_made_is_news_once() {
        let errors = PodErrors::default();
        let set = ObjectRef::new("ns", "c-p");
        let one = BTreeMap::from([("c-p-0".to_owned(), "no".to_owned())]);
        assert!(!errors.note(&set, BTreeMap::new()));
        assert!(errors.note(&set, one.clone()));
        assert!(!errors.note(&set, one.clone()));
        assert_eq!((errors.of_namespace("ns"), errors.of_namespace("other")), (one, BTreeMap::new()));
        assert!(errors.note(&set, BTreeMap::new()));
        assert!(errors.of_namespace("ns").is_empty());
    }
}
