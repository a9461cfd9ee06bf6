//! A child process that cannot outlive the tests.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

/// A running program. Killed when dropped, and by the kernel when this process dies without dropping it.
#[derive(Debug)]
pub struct Child {
    id: u32,
    log: PathBuf,
    stop: mpsc::Sender<()>,
    keeper: Option<JoinHandle<()>>,
}

impl Child {
    /// Starts a program; its output goes to a file.
    pub fn start(program: &Path, arguments: &[String], log: &Path) -> anyhow::Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("open {}", log.display()))?;
        let errors = output.try_clone().context("share the log file")?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).args(arguments);
        // For Kubernetes' programs: on a machine of tests memory is at hand and processors are not. Beyond this the kernel's work with
        // ever more pages costs more than the collector's that it saves.
        command.env("GOGC", "400");
        // But not all of it: with five times of what is in use, the server of the tests with large resources took 17 GB.
        command.env("GOMEMLIMIT", "8GiB");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let (stop, stopped) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let shown = program.display().to_string();
        // The kernel's death signal comes when the *thread* ends that made the child. A test has a thread of its own, so a child that is
        // shared by tests needs a thread that stays.
        let keeper = std::thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                let _ = started.send(Ok(child.id()));
                while let Err(mpsc::RecvTimeoutError::Timeout) =
                    stopped.recv_timeout(Duration::from_millis(200))
                {
                    if matches!(child.try_wait(), Ok(Some(_))) {
                        return;
                    }
                }
                let _ = child.kill();
                let _ = child.wait();
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        });
        let id = start
            .recv()
            .context("start a thread for a child")?
            .with_context(|| format!("start {shown} by setpriv (package util-linux)"))?;
        Ok(Self { id, log: log.to_owned(), stop, keeper: Some(keeper) })
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.keeper.as_ref().is_some_and(|keeper| !keeper.is_finished())
    }

    /// The end of its output.
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.stop.send(());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
