//! Why pods could not be created, deleted or changed: what the pod-set controller ran into, for the passes over their clusters.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use operator_runtime::watch::ObjectRef;
use planner::pod_set::pod_error::PodError;

use crate::lock::lock;

/// The pods to which something could not be done, and why. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct PodErrors(Arc<Mutex<HashMap<ObjectRef, BTreeMap<String, PodError>>>>);

impl PodErrors {
    /// Notes what a pass over a pod set ran into, by name of the pod. Says whether that is news.
    pub(crate) fn note(&self, set: &ObjectRef, errors: BTreeMap<String, PodError>) -> bool {
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

    /// Those of some pod sets of a namespace, by name of the pod.
    pub(crate) fn of_sets<'a>(
        &self,
        namespace: &str,
        sets: impl IntoIterator<Item = &'a String>,
    ) -> BTreeMap<String, PodError> {
        let all = self.lock();
        let known = sets.into_iter().filter_map(|set| all.get(&ObjectRef::new(namespace, set)));
        known.flat_map(Clone::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, BTreeMap<String, PodError>>> {
        lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_done_to_pods_is_news_once() {
        let errors = PodErrors::default();
        let set = ObjectRef::new("ns", "c-p");
        let one = BTreeMap::from([("c-p-0".to_owned(), PodError::creation("no"))]);
        assert!(!errors.note(&set, BTreeMap::new()));
        assert!(errors.note(&set, one.clone()));
        assert!(!errors.note(&set, one.clone()));
        let of = |namespace: &str, set: &str| errors.of_sets(namespace, [&set.to_owned()]);
        assert_eq!(of("ns", "c-p"), one);
        assert_eq!((of("other", "c-p"), of("ns", "d-p")), (BTreeMap::new(), BTreeMap::new()));
        assert!(errors.note(&set, BTreeMap::new()));
        assert!(of("ns", "c-p").is_empty());
    }
}
