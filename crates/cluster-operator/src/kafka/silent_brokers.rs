//! Brokers that did not answer a question that only they can answer: they are asked last for a while, so that one of them does not
//! make every look at a cluster slow.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use operator_runtime::watch::ObjectRef;
use tokio::time::Instant;

/// How long a broker is asked last.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The silent brokers of all clusters.
#[derive(Debug, Default)]
pub(crate) struct SilentBrokers(Mutex<HashMap<ObjectRef, SilentOfCluster>>);

impl SilentBrokers {
    /// Those of a cluster.
    pub(crate) fn of(&self, key: &ObjectRef) -> SilentOfCluster {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key.clone()).or_default().clone()
    }

    /// Forgets a cluster that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// The silent brokers of one cluster, each with the time at which it was last asked. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct SilentOfCluster(Arc<Mutex<BTreeMap<i32, Instant>>>);

impl SilentOfCluster {
    /// Notes that a broker did not answer.
    pub(crate) fn note(&self, broker: i32) {
        let now = Instant::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What is old takes no memory: brokers have any ids.
        all.retain(|_, asked| now.duration_since(*asked) < REMEMBERED);
        all.insert(broker, now);
    }

    /// Notes that a broker answered.
    pub(crate) fn answered(&self, broker: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&broker);
    }

    /// Since when a broker has been silent; `None`: it has answered, or was not asked for a while. Those that did not answer are
    /// asked in the order in which they were asked last.
    pub(crate) fn since(&self, broker: i32) -> Option<Instant> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&broker).copied().filter(|asked| asked.elapsed() < REMEMBERED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_broker_is_remembered_for_a_while_and_until_it_answers() {
        let (all, key) = (SilentBrokers::default(), ObjectRef::new("ns", "c"));
        all.of(&key).note(1);
        all.of(&key).note(2);
        assert!(all.of(&key).since(1).is_some() && all.of(&key).since(0).is_none());
        assert!(all.of(&ObjectRef::new("ns", "d")).since(1).is_none());
        all.of(&key).answered(1);
        assert!(all.of(&key).since(1).is_none());
        tokio::time::advance(REMEMBERED).await;
        assert!(all.of(&key).since(2).is_none());
        all.of(&key).note(3);
        all.forget(&key);
        assert!(all.of(&key).since(3).is_none());
    }
}
