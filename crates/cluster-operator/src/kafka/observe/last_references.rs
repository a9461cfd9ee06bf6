//! What clusters referred to when they were last looked at: copies of what they no longer refer to are dropped.

use std::collections::HashMap;
use std::sync::Mutex;

use operator_runtime::watch::ObjectRef;
use planner::kafka::references::References;

use crate::lock::lock;

/// What each cluster referred to when it was last looked at.
#[derive(Debug, Default)]
pub(super) struct LastReferences(Mutex<HashMap<ObjectRef, References>>);

impl LastReferences {
    /// Notes what a cluster refers to now, and returns what it no longer refers to.
    pub(super) fn now(&self, key: &ObjectRef, references: References) -> References {
        let mut all = lock(&self.0);
        let before = all.remove(key).unwrap_or_default();
        let unused = References {
            secrets: before.secrets.difference(&references.secrets).cloned().collect(),
            config_maps: before.config_maps.difference(&references.config_maps).cloned().collect(),
        };
        if references != References::default() {
            all.insert(key.clone(), references);
        }
        unused
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(secrets: &[&str]) -> References {
        References {
            secrets: secrets.iter().map(ToString::to_string).collect(),
            config_maps: BTreeSet::from(["metrics".to_owned()]),
        }
    }

    #[test]
    fn what_a_cluster_no_longer_refers_to_is_known_once() {
        let (referred, key) = (LastReferences::default(), ObjectRef::new("ns", "c"));
        assert_eq!(referred.now(&key, references(&["a", "b"])), References::default());
        let only_b = References { secrets: BTreeSet::from(["b".to_owned()]), ..References::default() };
        assert_eq!(referred.now(&key, references(&["a"])), only_b);
        // Gone.
        assert_eq!(referred.now(&key, References::default()), references(&["a"]));
        assert_eq!(referred.now(&key, References::default()), References::default());
        assert!(referred.0.lock().unwrap().is_empty());
    }
}
