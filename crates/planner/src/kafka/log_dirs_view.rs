//! What brokers say of their log directories, each of its own.

use std::collections::{BTreeMap, BTreeSet};

/// The option that throttles what a broker moves between its log directories.
pub const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// The option with the log directories in which a broker places nothing new.
pub const CORDONED: &str = "cordoned.log.dirs";

/// The option with the directory of the metadata log.
pub const METADATA: &str = "metadata.log.dir";

/// Replicas of a directory that an answer lists; it counts all of them.
pub const MOST_LISTED: usize = 100;

/// What brokers said last of log directories that they cannot use any more, by broker.
pub type FailedLogDirs = BTreeMap<i32, LogDirFailures>;

/// What a broker said last of log directories that it cannot use any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDirFailures {
    /// Their paths; `None`: it has said nothing since its start.
    pub paths: Option<BTreeSet<String>>,
    /// It has not answered several questions in a row, and is not asked any more before its next start.
    pub is_silent: bool,
}

/// What brokers say. A broker that did not answer holds up nothing of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDirsView {
    /// Those that answered.
    pub brokers: BTreeMap<i32, BrokerLogDirs>,
    /// Why others did not.
    pub silent: BTreeMap<i32, String>,
}

/// The log directories of a broker. Its options were asked for first: what is cordoned there had been so when the directories were told of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrokerLogDirs {
    /// Where its metadata log lies.
    pub metadata: Option<String>,
    /// The directories in which it places nothing new; `None`: it does not know how to keep replicas away.
    pub cordoned: Option<BTreeSet<String>>,
    /// The rate of moves between its directories that was set on it at run time.
    pub rate: Option<String>,
    /// The directories by their paths.
    pub dirs: BTreeMap<String, LogDirView>,
}

/// A log directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogDirView {
    /// Why it cannot be used.
    pub error: Option<String>,
    /// Free bytes of its volume.
    pub usable: Option<u64>,
    /// Replicas in it, those that are on their way into it included.
    pub count: usize,
    /// How many of its replicas are on their way into another directory.
    pub moving: usize,
    /// Of a directory that was asked about, some of its replicas, those that are on their way first.
    pub replicas: Vec<DirReplica>,
}

/// A replica in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirReplica {
    /// The topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// Its bytes.
    pub size: u64,
    /// Where it is on its way to; of a replica that comes into this directory, from where.
    pub way: Way,
}

/// Whether a replica is on its way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// Into the directory with this path.
    To(String),
    /// Out of the directory with this path into this one.
    From(String),
    /// It stays.
    None,
}

impl BrokerLogDirs {
    /// Whether a directory is cordoned by its own name.
    pub fn is_named(&self, path: &str) -> bool {
        self.cordoned.as_ref().is_some_and(|all| all.contains(path))
    }

    /// Whether nothing new is placed in a directory.
    pub fn is_cordoned(&self, path: &str) -> bool {
        self.cordoned.as_ref().is_some_and(|all| all.contains(path) || all.contains("*"))
    }
}
