//! What this process takes: processor time of this thread, which other work on the machine does not change as it changes the
//! time on the clock, and memory.

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread so far, ms.
pub(crate) fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1_000_000.0
}

/// Resident memory of the process, KB.
pub(crate) fn resident_kb() -> anyhow::Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read the memory of the process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.context("the memory of the process is not told")
}
