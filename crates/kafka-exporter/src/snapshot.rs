//! What one collection found.

/// What one collection found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Brokers: id and address.
    pub brokers: Vec<(i32, String)>,
    /// Topics by name.
    pub topics: Vec<Topic>,
    /// Groups by id.
    pub groups: Vec<Group>,
}

/// A topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Name.
    pub name: String,
    /// Partitions by number.
    pub partitions: Vec<Partition>,
}

impl Topic {
    /// The partition with this number.
    pub(crate) fn partition(&self, index: i32) -> Option<&Partition> {
        let place = self.partitions.binary_search_by_key(&index, |partition| partition.index).ok()?;
        self.partitions.get(place)
    }
}

/// A partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Number, from 0.
    pub index: i32,
    /// Broker that leads it.
    pub leader: Option<i32>,
    /// Whether that is the first of its replicas.
    pub preferred: bool,
    /// Replicas.
    pub replicas: u32,
    /// Replicas in sync.
    pub in_sync: u32,
    /// Offset of the oldest record, if the leader told it.
    pub start: Option<i64>,
    /// Offset of the next record, if the leader told it.
    pub end: Option<i64>,
}

/// A group.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Group {
    /// Id.
    pub id: String,
    /// `classic`, `consumer`, `share` or `streams`.
    pub kind: String,
    /// For example `Stable` or `Empty`.
    pub state: String,
    /// How many members it has, where Kafka tells it.
    pub members: Option<usize>,
    /// What it has committed, by topic.
    pub consumed: Vec<Consumed>,
}

/// What a group has committed of one topic.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Consumed {
    /// Place of the topic in [`Snapshot::topics`].
    pub topic: usize,
    /// By partition.
    pub positions: Vec<Position>,
}

/// Where a group is in a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Position {
    /// Number of the partition.
    pub partition: i32,
    /// The offset that it has committed. `None`: none, though it has committed offsets of other partitions of the topic.
    pub committed: Option<i64>,
    /// Records that it has not consumed, where the end is known.
    pub lag: Option<i64>,
    /// How long the oldest of them has waited, where that is known. Seconds.
    pub lag_seconds: Option<f64>,
}

/// What a collection could not find out, or had no room for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Brokers that did not tell their groups.
    pub brokers: usize,
    /// Groups whose members or offsets were not told.
    pub groups: usize,
    /// Partitions whose beginning or end was not told.
    pub partitions: usize,
    /// Brokers, topics, partitions, groups and committed offsets for which there was no room.
    pub no_room: usize,
}
