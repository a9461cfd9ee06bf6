//! Where an artifact of Maven is.

use std::fmt;

use crate::Error;

/// Group, artifact and version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coordinate {
    /// Group id.
    pub group: String,
    /// Artifact id.
    pub artifact: String,
    /// Version.
    pub version: String,
}

impl fmt::Display for Coordinate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.group, self.artifact, self.version)
    }
}

impl Coordinate {
    pub(crate) fn failed(&self, why: impl Into<String>) -> Error {
        Error::Maven { coordinate: self.to_string(), why: why.into() }
    }

    /// Whether each part can stand in an address and in the name of a file.
    pub(crate) fn is_plain(&self) -> bool {
        [&self.group, &self.artifact, &self.version].into_iter().all(|part| is_plain(part))
    }

    /// The path in a repository.
    pub(crate) fn path(&self, classifier: &str, extension: &str) -> String {
        let Self { group, artifact, version } = self;
        let name = file_name(artifact, version, classifier, extension);
        format!("{}/{artifact}/{version}/{name}", group.replace('.', "/"))
    }
}

fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && !part.contains("..")
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
}

/// The name of a file.
pub(crate) fn file_name(artifact: &str, version: &str, classifier: &str, extension: &str) -> String {
    let dash = if classifier.is_empty() { "" } else { "-" };
    format!("{artifact}-{version}{dash}{classifier}.{extension}")
}
