//! Remote JMX: the arguments of the JVM, and the files that say who may connect.
//!
//! The password stands in a file that nobody else may read, never in an argument, which every process of the machine sees.

use std::path::{Path, PathBuf};

use api::names::{self, keys};

use crate::config::RemoteJmx;
use crate::files::{self, FileError};
use crate::layout::Layout;

/// What the one user may do: look at beans and change nothing.
const ACCESS: &str = "readonly";

/// Remote JMX cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum JmxError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The JVM could not read it.
    #[error(
        "{path} cannot be used for remote JMX: it is empty or has blanks; correct it in the Secret, or delete the Secret, and a \
         new one is made"
    )]
    Unusable {
        /// The file.
        path: PathBuf,
    },
}

/// Who may connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// The name.
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// Reads who may connect; `None`: everybody may.
pub fn read(jmx: &RemoteJmx) -> Result<Option<Credentials>, JmxError> {
    let Some(folder) = &jmx.credentials else { return Ok(None) };
    let word = |key: &str| {
        let path = folder.join(key);
        // Whoever wrote it into the Secret by hand may have put a line end behind it.
        let text = files::read(&path)?.trim_end_matches(['\r', '\n']).to_owned();
        // The JVM splits a line into words, and takes a line with # for a comment.
        let is_word = !text.is_empty()
            && !text.starts_with('#')
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if is_word { Ok(text) } else { Err(JmxError::Unusable { path }) }
    };
    Ok(Some(Credentials { user: word(keys::JMX_USERNAME)?, password: word(keys::JMX_PASSWORD)? }))
}

/// Writes the file with the password. A JVM that runs looks into it at each login.
pub fn write_password(credentials: &Credentials, layout: &Layout) -> Result<(), FileError> {
    let line = format!("{} {}\n", credentials.user, credentials.password);
    files::write(&layout.jmx_password(), line.as_bytes(), 0o600)
}

/// Writes the files, and returns the arguments of the JVM.
pub fn prepare(
    jmx: &RemoteJmx,
    credentials: Option<&Credentials>,
    layout: &Layout,
) -> Result<Vec<String>, FileError> {
    let property = |name: &str, value: &str| format!("-Dcom.sun.management.jmxremote.{name}={value}");
    let port = jmx.port.to_string();
    let mut arguments = vec![
        property("port", &port),
        // Else it would be another port with each start.
        property("rmi.port", &port),
        property("ssl", "false"),
        property("authenticate", if credentials.is_some() { "true" } else { "false" }),
    ];
    if let Some(credentials) = credentials {
        write_password(credentials, layout)?;
        // The JVM reads this file at its start alone. A Secret that was lost is made anew for the usual user.
        let mut lines = format!("{} {ACCESS}\n", credentials.user);
        if credentials.user != names::JMX_USER {
            lines.extend([names::JMX_USER, " ", ACCESS, "\n"]);
        }
        files::write(&layout.jmx_access(), lines.as_bytes(), 0o600)?;
        let file = |path: &Path| path.display().to_string();
        arguments.push(property("password.file", &file(&layout.jmx_password())));
        arguments.push(property("access.file", &file(&layout.jmx_access())));
    }
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn remote(folder: Option<PathBuf>) -> RemoteJmx {
        RemoteJmx { port: 9999, credentials: folder }
    }

    #[test]
    fn the_password_is_in_a_private_file_and_in_no_argument() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        std::fs::write(root.path().join(keys::JMX_USERNAME), "somebody\n").unwrap();
        std::fs::write(root.path().join(keys::JMX_PASSWORD), "hunter2").unwrap();
        let jmx = remote(Some(root.path().to_owned()));
        let credentials = read(&jmx).unwrap();
        let arguments = prepare(&jmx, credentials.as_ref(), &layout).unwrap();
        assert!(arguments.contains(&"-Dcom.sun.management.jmxremote.authenticate=true".to_owned()));
        assert!(!arguments.iter().any(|argument| argument.contains("hunter2")), "{arguments:?}");
        assert_eq!(std::fs::read_to_string(layout.jmx_password()).unwrap(), "somebody hunter2\n");
        assert_eq!(
            std::fs::read_to_string(layout.jmx_access()).unwrap(),
            "somebody readonly\nkafka-jmx readonly\n"
        );
        let mode = std::fs::metadata(layout.jmx_password()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn without_authentication_there_are_no_files() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let jmx = remote(None);
        assert!(read(&jmx).unwrap().is_none());
        let arguments = prepare(&jmx, None, &layout).unwrap();
        assert_eq!(arguments[0], "-Dcom.sun.management.jmxremote.port=9999");
        assert!(arguments.contains(&"-Dcom.sun.management.jmxremote.authenticate=false".to_owned()));
        assert!(!layout.jmx_password().exists());
    }

    #[test]
    fn words_that_the_jvm_would_take_apart_are_refused_without_being_shown() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(keys::JMX_USERNAME), "somebody").unwrap();
        for password in ["", "hunter2 readwrite", "hunter2\nadmin hunter3", "#hunter2"] {
            std::fs::write(root.path().join(keys::JMX_PASSWORD), password).unwrap();
            let error = read(&remote(Some(root.path().to_owned()))).err().unwrap().to_string();
            assert!(error.contains("jmx-password") && !error.contains("hunter"), "{error}");
        }
    }
}
