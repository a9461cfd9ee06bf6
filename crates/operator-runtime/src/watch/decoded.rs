//! Values of a packed cache that are in use: a second request for a value gets it without decoding it again.
//!
//! A pass looks at some objects many times, at its Kafka resource before each write for instance, and holds what it has
//! observed until its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Number of values in the table at which values that are no longer in use are taken out for the first time.
const FIRST_SWEEP: usize = 64;

/// What is in use, by the state of the object that it was decoded from.
pub(super) struct Decoded<T> {
    table: Mutex<Table<T>>,
    states: AtomicU64,
}

struct Table<T> {
    values: HashMap<u64, Weak<T>>,
    /// Number of values at which values that are no longer in use are taken out. Such a value still takes the memory of its outermost
    /// structure.
    sweep_at: usize,
}

impl<T> Default for Decoded<T> {
    fn default() -> Self {
        let table = Mutex::new(Table { values: HashMap::new(), sweep_at: FIRST_SWEEP });
        Self { table, states: AtomicU64::new(0) }
    }
}

impl<T> Decoded<T> {
    /// A name for a new state of an object.
    pub(super) fn next_state(&self) -> u64 {
        self.states.fetch_add(1, Ordering::Relaxed)
    }

    /// The value, if a pass holds it.
    pub(super) fn get(&self, state: u64) -> Option<Arc<T>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).values.get(&state)?.upgrade()
    }

    /// Notes a value that was decoded.
    pub(super) fn note(&self, state: u64, value: &Arc<T>) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if table.values.len() >= table.sweep_at {
            table.values.retain(|_, value| value.strong_count() > 0);
            table.sweep_at = FIRST_SWEEP.max(table.values.len() * 2);
        }
        table.values.insert(state, Arc::downgrade(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_found_and_what_is_not_goes() {
        let decoded = Decoded::default();
        let value = Arc::new("a".to_owned());
        decoded.note(1, &value);
        assert!(Arc::ptr_eq(&decoded.get(1).unwrap(), &value));
        drop(value);
        assert_eq!(decoded.get(1), None);
        for state in 2..1000 {
            decoded.note(state, &Arc::new(String::new()));
        }
        assert!(decoded.table.lock().unwrap().values.len() <= FIRST_SWEEP);
    }
}
