//! `install`: puts the agent's own binary, and the jar beside it, into a volume that the Kafka container mounts.

use std::path::{Path, PathBuf};

use api::agent::container;

use crate::files::{self, FileError};

/// Copies the running binary to `directory/kafka-agent`, executable for everybody, and the jar with the class for TLS from the folder of
/// the binary. Returns the new binary.
pub fn install(directory: &Path) -> Result<PathBuf, FileError> {
    let own = Path::new("/proc/self/exe");
    let target = directory.join("kafka-agent");
    copy(own, &target, 0o755)?;
    let binary = std::fs::canonicalize(own).unwrap_or_else(|_| own.to_owned());
    let jar = binary.with_file_name(jar_name());
    // A binary that was built by itself has none: then Kafka reads its certificates at its start alone.
    if jar.exists() {
        copy(&jar, &directory.join(jar_name()), 0o644)?;
    }
    Ok(target)
}

fn jar_name() -> &'static std::ffi::OsStr {
    Path::new(container::TLS_JAR).file_name().unwrap_or_default()
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), FileError> {
    let content = std::fs::read(from).map_err(|source| FileError::Read { path: from.to_owned(), source })?;
    files::write(to, &content, mode)
}
