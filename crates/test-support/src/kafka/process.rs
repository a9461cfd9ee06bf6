//! What concerns every Kafka process of the tests: its signals, its start.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How long a node may take to start, on a machine that is busy with other tests too.
pub(super) const START: Duration = Duration::from_mins(2);

/// Whether the server says, after this position of its log, that it has started: a broker is unfenced by then.
pub(super) fn has_line(log: &Path, after: u64) -> anyhow::Result<bool> {
    let bytes = std::fs::read(log).with_context(|| format!("read {}", log.display()))?;
    let fresh = bytes.get(usize::try_from(after)?..).unwrap_or_default();
    Ok(String::from_utf8_lossy(fresh).contains("Kafka Server started"))
}

/// Waits until [`has_line`].
pub(super) fn wait_for_line(log: &Path, after: u64, is_running: impl Fn() -> bool) -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    while !has_line(log, after)? {
        if !is_running() || Instant::now() > deadline {
            bail!("kafka did not start; see {}", log.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Sends a signal to a process that we started.
pub(super) fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status =
        Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().context("run kill")?;
    if !status.success() {
        bail!("signal {name} to process {pid} failed");
    }
    Ok(())
}
