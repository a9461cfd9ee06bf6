//! What the log directories hold.

use std::fs;
use std::path::{Path, PathBuf};

use super::quorum_state::{self, Election};
use super::{METADATA_LOG, meta};
use crate::config::AgentConfig;
use crate::files::{self, FileError};
use crate::properties::Malformed;

/// The storage could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ObserveError {
    /// A file or directory is unreadable.
    #[error(transparent)]
    File(#[from] FileError),
    /// A `meta.properties` is none.
    #[error("cannot read {}: {source}", path.display())]
    Meta {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Malformed,
    },
}

/// One log directory as found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Its path.
    pub path: PathBuf,
    /// Its `meta.properties`; `None`: not formatted.
    pub meta: Option<meta::MetaProperties>,
    /// Whether it holds a metadata log with at least one segment.
    pub metadata_log: bool,
    /// The last election of the quorum, as its metadata log remembers it.
    pub election: Option<Election>,
    /// How many partitions of topics it holds.
    pub partitions: usize,
    /// Whether Kafka closed its logs in order when it last ran.
    pub closed: bool,
    /// Why nothing is known of it: its disk failed. Kafka runs without such a directory as long as it has others.
    pub failure: Option<String>,
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

    /// What is wrong with the disks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.all().filter_map(|directory| directory.failure.as_deref())
    }

    /// Partitions whose logs Kafka will have to check segment by segment, because they were not closed in order.
    pub fn to_recover(&self) -> usize {
        self.all().filter(|directory| !directory.closed).map(|directory| directory.partitions).sum()
    }
}

/// Reads the state of all directories of the node. A directory that does not exist yet is empty. Without the directory
/// of the metadata log Kafka does not start; of the others, those on a failed disk are left to Kafka, which does without.
pub fn observe(config: &AgentConfig) -> Result<Storage, ObserveError> {
    let mut others = Vec::new();
    for path in config.all_directories() {
        if path == config.metadata_log_dir {
            continue;
        }
        others.push(match observe_directory(&path) {
            Err(ObserveError::File(error)) if error.is_disk_failure() => {
                Directory { path, failure: Some(error.to_string()), ..Directory::default() }
            }
            observed => observed?,
        });
    }
    Ok(Storage { metadata: observe_directory(&config.metadata_log_dir)?, others })
}

fn observe_directory(path: &Path) -> Result<Directory, ObserveError> {
    let read_error = |source| FileError::Read { path: path.to_owned(), source };
    let file = path.join(meta::FILE);
    let meta = files::read_optional(&file)?
        .map(|text| meta::parse(&text))
        .transpose()
        .map_err(|source| ObserveError::Meta { path: file, source })?;
    let mut directory = Directory { path: path.to_owned(), meta, ..Directory::default() };
    directory.closed = path.join(".kafka_cleanshutdown").exists();
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(directory),
        Err(error) => return Err(read_error(error).into()),
    };
    for entry in entries {
        let entry = entry.map_err(read_error)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name == METADATA_LOG {
            directory.metadata_log = has_segments(&entry.path()).map_err(read_error)?;
            directory.election = quorum_state::read(&entry.path());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Reading this file gives EIO, like a file on a broken disk.
    const UNREADABLE: &str = "/proc/self/mem";

    #[test]
    fn a_broken_disk_is_told_apart_from_a_wrong_one() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        let mut config: AgentConfig = serde_json::from_str(
            r#"{"nodeId":0,"podName":"p","roles":["broker"],"metadataLogDir":"/","logDirs":[]}"#,
        )
        .unwrap();
        config.log_dirs = vec![at("d0"), at("d1")];
        config.metadata_log_dir = at("d0");
        fs::create_dir_all(at("d1")).unwrap();
        std::os::unix::fs::symlink(UNREADABLE, at("d1/meta.properties")).unwrap();
        let storage = observe(&config).unwrap();
        let reason = storage.others[0].failure.as_deref().unwrap();
        assert!(reason.contains("d1/meta.properties: Input/output error"), "{reason}");
        assert_eq!(storage.failures().count(), 1);

        config.metadata_log_dir = at("d1");
        assert!(observe(&config).unwrap_err().to_string().contains("Input/output error"), "no metadata log");

        config.log_dirs = vec![at("d0"), at("file/d2")];
        config.metadata_log_dir = at("d0");
        fs::write(at("file"), "").unwrap();
        assert!(observe(&config).is_err(), "a path that is wrong is no broken disk");
    }
}
