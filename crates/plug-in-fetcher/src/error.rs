//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong. Addresses are told without user, password and query, which may be secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A server did not give a file.
    #[error("cannot load {url}: {why}")]
    Load {
        /// The address.
        url: String,
        /// Why.
        why: String,
        /// Whether the server says that there is no such file.
        missing: bool,
    },
    /// A file is not the one that was asked for.
    #[error(
        "{url} has the {kind} sum {found} and not {wanted}: the file changed, or the sum is that of another one"
    )]
    Sum {
        /// The address.
        url: String,
        /// Kind of the sum.
        kind: &'static str,
        /// The sum that it has.
        found: String,
        /// The sum that it should have.
        wanted: String,
    },
    /// A file cannot be written or read.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A list of commands cannot be understood.
    #[error("{} is no list of commands: {why}", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// An archive holds something that is not unpacked.
    #[error("cannot unpack the archive: {0}")]
    Archive(String),
    /// A Maven artifact cannot be resolved.
    #[error("cannot resolve {coordinate}: {why}")]
    Maven {
        /// The artifact.
        coordinate: String,
        /// Why.
        why: String,
    },
}

impl Error {
    /// A failure of an action on a file.
    pub fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Load { missing: true, .. })
    }
}
