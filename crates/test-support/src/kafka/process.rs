//! What concerns every Kafka process of the tests: its ports, its signals, its start.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};
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

/// A port that nobody listens on. Below the range from which the system takes ports for outgoing connections, so that
/// it is still free when a node starts again.
pub(super) fn free_port() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 600)? * 20;
    for _ in 0..12_000 {
        let port = 20_000 + (start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed))) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port between 20000 and 32000")
}
