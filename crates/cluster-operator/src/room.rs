//! How many large clusters are planned at a time: a plan takes some hundred kilobytes for each node, and all tenants share
//! one memory.

use std::sync::Arc;
use std::time::Duration;

use operator_runtime::controller::Outcome;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Clusters of more nodes than this are large.
const LARGE: usize = 30;

/// What the objects of one node take while they are read, in bytes: pod, its copy in the pod set, Secret, ConfigMap, claim.
const NODE: usize = 116_000;

/// Large clusters that are planned and carried out at a time.
const AT_A_TIME: usize = 2;

/// Pause before what is large is looked at again while others are.
pub(crate) const BUSY: Outcome = Outcome::Again(Duration::from_secs(1));

/// The room for plans of the whole process.
#[derive(Debug)]
pub(crate) struct Room(Arc<Semaphore>);

/// Room for one plan, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    large: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }
}

impl Room {
    /// Room to read objects that take so many bytes: as for a plan with the nodes that usually take as much.
    pub(crate) fn enter_to_read(&self, bytes: usize) -> Option<Place> {
        self.enter(bytes / NODE)
    }

    /// The same room, or more where a plan with so many nodes, or of so many bytes, needs it; `None`: not now.
    pub(crate) fn widen(&self, place: Place, nodes: usize, bytes: usize) -> Option<Place> {
        if place.large.is_some() { Some(place) } else { self.enter(nodes.max(bytes / NODE)) }
    }

    /// Room for a plan with so many nodes; `None`: not now. Nobody waits for it: whoever waited would keep a pass from
    /// another cluster.
    pub(crate) fn enter(&self, nodes: usize) -> Option<Place> {
        if nodes <= LARGE {
            return Some(Place { large: None });
        }
        let large = Arc::clone(&self.0).try_acquire_owned().ok()?;
        Some(Place { large: Some(large) })
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
        assert!(room.enter_to_read(60 << 20).is_none(), "many objects count as many nodes");
        let small = room.enter_to_read(1 << 20).unwrap();
        assert!(room.widen(small, 300, 0).is_none());
        let small = room.enter_to_read(1 << 20).unwrap();
        assert!(room.widen(small, 1, 60 << 20).is_none(), "what nodes repeat counts as nodes");
        drop(first);
        assert!(room.enter(300).is_some());
    }
}
