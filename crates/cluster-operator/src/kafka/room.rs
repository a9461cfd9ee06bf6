//! How many large clusters are planned at a time: a plan takes some hundred kilobytes for each node, and all tenants share
//! one memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clusters of more nodes than this are large.
const LARGE: usize = 30;

/// Large clusters that are planned and carried out at a time.
const AT_A_TIME: usize = 2;

/// The room for plans of the whole process.
#[derive(Debug)]
pub struct Room(Arc<Semaphore>);

/// Room for one plan, until it is dropped.
#[derive(Debug)]
pub struct Place {
    _large: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Room {
    /// Room for a plan with so many nodes; `None`: not now. Nobody waits for it: whoever waited would keep a pass from
    /// another cluster.
    pub fn enter(&self, nodes: usize) -> Option<Place> {
        if nodes <= LARGE {
            return Some(Place { _large: None });
        }
        let large = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Place { _large: Some(large) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_clusters_take_turns_and_keep_no_small_one_waiting() {
        let room = Room::default();
        let (first, _second) = (room.enter(300).unwrap(), room.enter(31).unwrap());
        assert!(room.enter(300).is_none());
        assert!(room.enter(30).is_some());
        drop(first);
        assert!(room.enter(300).is_some());
    }
}
