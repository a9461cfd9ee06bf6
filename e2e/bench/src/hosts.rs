//! Names of Services and pods that lead to this machine, for one process only.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

/// Puts the file in the first argument in the place of the system's one, and becomes the program in the second. The command
/// shell does the mount in the new namespace; nothing outside of it changes.
const SCRIPT: &str = r#"mount --bind "$0" /etc/hosts && exec "$@""#;

/// A file of host names, and a way to start a process that reads it instead of `/etc/hosts`.
pub(crate) struct Hosts {
    file: tempfile::NamedTempFile,
    /// Options of `unshare` that this machine permits.
    unshare: &'static str,
}

impl Hosts {
    /// All names lead to the address. An error says why this machine does not permit it.
    pub(crate) fn of(names: impl IntoIterator<Item = String>, address: &str) -> anyhow::Result<Self> {
        let mut file = tempfile::NamedTempFile::new().context("make a file of host names")?;
        let mut text = String::from("127.0.0.1 localhost\n");
        for name in names {
            text.extend([address, " ", &name, "\n"]);
        }
        file.write_all(text.as_bytes()).context("write a file of host names")?;
        // As root; else as a user who is root in a namespace of its own.
        for unshare in ["-m", "-Urm"] {
            let hosts = Self { file, unshare };
            let tried = hosts.command(Path::new("true")).stdout(Stdio::null()).stderr(Stdio::null()).status();
            if tried.is_ok_and(|status| status.success()) {
                return Ok(hosts);
            }
            file = hosts.file;
        }
        bail!("no mount namespace for a hosts file can be made here")
    }

    /// A command that runs the program with these names. Its process is the program's.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.arg(self.unshare).args(["sh", "-c", SCRIPT]).arg(self.file.path()).arg(program);
        command
    }
}
