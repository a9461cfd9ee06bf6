//! The files with the certificates for the connection to Kafka.

use std::io::Read;
use std::path::{Path, PathBuf};

use kafka_admin::TlsConfig;

/// What a file may have, as a Secret may: 1 MiB.
const LONGEST: u64 = 1024 * 1024;

/// Files that a folder may have.
const MOST_FILES: usize = 100;

/// Where the certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// A folder whose `.crt` files are trusted, or one file.
    pub trusted: PathBuf,
    /// The exporter's own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One cannot be read.
    #[error("read certificates from {path}: {source}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The folder has nothing to trust.
    #[error("read certificates to trust from {0}: no file there ends in .crt")]
    Nothing(PathBuf),
}

impl Files {
    /// Reads all of them.
    pub fn read(&self) -> Result<TlsConfig, CertificateError> {
        let mut trusted = String::new();
        for path in self.trusted_files()? {
            trusted.push_str(read(&path)?.trim_end());
            trusted.push('\n');
        }
        let config = TlsConfig::new(trusted);
        Ok(match &self.identity {
            None => config,
            Some((certificate, key)) => config.with_identity(read(certificate)?, read(key)?),
        })
    }

    fn trusted_files(&self) -> Result<Vec<PathBuf>, CertificateError> {
        if !self.trusted.is_dir() {
            return Ok(vec![self.trusted.clone()]);
        }
        let failed = |source| CertificateError::Read { path: self.trusted.clone(), source };
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.trusted).map_err(failed)?.take(MOST_FILES) {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|extension| extension == "crt") {
                files.push(path);
            }
        }
        if files.is_empty() {
            return Err(CertificateError::Nothing(self.trusted.clone()));
        }
        files.sort();
        Ok(files)
    }
}

fn read(path: &Path) -> Result<String, CertificateError> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.map_err(|source| CertificateError::Read { path: path.to_owned(), source })?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_crt_of_the_folder_is_trusted_and_what_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files =
            Files { trusted: folder.path().to_owned(), identity: Some((path("own/c"), path("own/k"))) };
        assert!(files.read().unwrap_err().to_string().contains("no file there ends in .crt"));
        for (name, text) in [("b.crt", "B\n\n"), ("a.crt", "A"), ("a.password", "secret")] {
            std::fs::write(path(name), text).unwrap();
        }
        let missing = files.read().unwrap_err().to_string();
        assert!(missing.contains("own/c"), "{missing}");
        std::fs::create_dir(path("own")).unwrap();
        std::fs::write(path("own/c"), "C").unwrap();
        std::fs::write(path("own/k"), "K").unwrap();
        let config = files.read().unwrap();
        assert_eq!(config.trusted_certificates_pem, "A\nB\n");
        assert_eq!(config.identity.unwrap().key_pem, "K");
        let one = Files { trusted: path("a.crt"), identity: None };
        assert_eq!(one.read().unwrap().trusted_certificates_pem, "A\n");
    }
}
