//! Brokers and partitions as moves are decided on them.

/// A broker that can take replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The node id.
    pub id: i32,
    /// The rack, if the broker has one.
    pub rack: Option<String>,
}

/// How a partition's replicas stand, with a running reassignment taken into account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionState {
    /// The partition.
    pub index: i32,
    /// The leader, or a negative number while there is none.
    pub leader: i32,
    /// All replicas in Kafka's order (the first is the preferred leader), those on their way included.
    pub replicas: Vec<i32>,
    /// Replicas in sync.
    pub isr: Vec<i32>,
    /// Replicas that a running reassignment adds.
    pub adding: Vec<i32>,
    /// Replicas that a running reassignment removes.
    pub removing: Vec<i32>,
}

impl PartitionState {
    /// The replicas once a running reassignment has ended.
    pub fn target(&self) -> Vec<i32> {
        self.replicas.iter().copied().filter(|r| !self.removing.contains(r)).collect()
    }

    /// True while Kafka moves this partition.
    pub fn is_moving(&self) -> bool {
        !self.adding.is_empty() || !self.removing.is_empty()
    }
}
