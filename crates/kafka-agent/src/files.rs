//! Files that are either complete or not there.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What a file system answers when the disk below it does not work, in contrast to a disk that is full, not mounted as it
/// should be, or not readable for this user.
const DISK_FAILURES: [Errno; 9] = [
    Errno::IO,
    Errno::ROFS,
    Errno::NXIO,
    Errno::NODEV,
    Errno::STALE,
    Errno::UCLEAN,
    Errno::BADMSG,
    Errno::REMOTEIO,
    Errno::NOTCONN,
];

/// Whether the disk itself failed.
pub fn is_disk_failure(error: &io::Error) -> bool {
    Errno::from_io_error(error).is_some_and(|error| DISK_FAILURES.contains(&error))
}

/// A file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Reading failed.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Writing failed.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FileError {
    /// Whether the disk itself failed.
    pub fn is_disk_failure(&self) -> bool {
        let (Self::Read { source, .. } | Self::Write { source, .. }) = self;
        is_disk_failure(source)
    }
}

/// Reads a text file.
pub fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Read { path: path.to_owned(), source })
}

/// Reads a text file; `None` if there is none.
pub fn read_optional(path: &Path) -> Result<Option<String>, FileError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
    }
}

/// Writes a file with the given mode so that no reader ever sees half of it, on disk when this returns.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), FileError> {
    write_inner(path, content, mode).map_err(|source| FileError::Write { path: path.to_owned(), source })
}

fn write_inner(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = directory.join(name);
    // A file left by an earlier attempt could have other permissions.
    match fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&part)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_with_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/file");
        write(&path, b"one", 0o644).unwrap();
        write(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
