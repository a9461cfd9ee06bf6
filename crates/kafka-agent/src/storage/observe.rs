//! What the log directories hold.

use std::fs;
use std::path::{Path, PathBuf};

use super::{METADATA_LOG, meta};
use crate::config::AgentConfig;
use crate::files::{self, FileError};

/// One log directory as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// Its `meta.properties`; `None`: not formatted.
    pub meta: Option<meta::MetaProperties>,
    /// Whether it holds a metadata log with at least one segment.
    pub metadata_log: bool,
    /// How many partitions of topics it holds.
    pub partitions: usize,
    /// Whether Kafka closed its logs in order when it last ran.
    pub closed: bool,
}

/// The metadata log directory and the other log directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storage {
    /// `metadata.log.dir`.
    pub metadata: Directory,
    /// The log directories apart from it.
    pub others: Vec<Directory>,
}

impl Storage {
    /// All directories, the one with the metadata log first.
    pub fn all(&self) -> impl Iterator<Item = &Directory> {
        std::iter::once(&self.metadata).chain(&self.others)
    }

    /// Partitions whose logs Kafka will have to check segment by segment, because they were not closed in order.
    pub fn to_recover(&self) -> usize {
        self.all().filter(|directory| !directory.closed).map(|directory| directory.partitions).sum()
    }
}

/// Reads the state of all directories of the node. A directory that does not exist yet is empty.
pub fn observe(config: &AgentConfig) -> Result<Storage, FileError> {
    let mut others = Vec::new();
    for path in config.all_directories() {
        if path != config.metadata_log_dir {
            others.push(observe_directory(&path)?);
        }
    }
    Ok(Storage { metadata: observe_directory(&config.metadata_log_dir)?, others })
}

fn observe_directory(path: &Path) -> Result<Directory, FileError> {
    let read_error = |source| FileError::Read { path: path.to_owned(), source };
    let meta = files::read_optional(&path.join(meta::FILE))?.map(|text| meta::parse(&text));
    let mut directory = Directory { path: path.to_owned(), meta, ..Directory::default() };
    directory.closed = path.join(".kafka_cleanshutdown").exists();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(directory),
        Err(error) => return Err(read_error(error)),
    };
    for entry in entries {
        let entry = entry.map_err(read_error)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == METADATA_LOG {
            directory.metadata_log = has_segments(&entry.path()).map_err(read_error)?;
        } else if is_partition(&name) && entry.path().is_dir() {
            directory.partitions += 1;
        }
    }
    Ok(directory)
}

fn has_segments(metadata_log: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(metadata_log)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "log") && entry.metadata()?.len() > 0
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `topic-7`.
fn is_partition(name: &str) -> bool {
    name.rsplit_once('-')
        .is_some_and(|(topic, partition)| !topic.is_empty() && partition.parse::<u32>().is_ok())
}
