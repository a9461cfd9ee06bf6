//! `install`: puts the agent's own binary into a volume that the Kafka container mounts.

use std::path::{Path, PathBuf};

use crate::files::{self, FileError};

/// Copies the running binary to `directory/kafka-agent`, executable for everybody. Returns the new file.
pub fn install(directory: &Path) -> Result<PathBuf, FileError> {
    let own = Path::new("/proc/self/exe");
    let content = std::fs::read(own).map_err(|source| FileError::Read { path: own.to_owned(), source })?;
    let target = directory.join("kafka-agent");
    files::write(&target, &content, 0o755)?;
    Ok(target)
}
