//! Processor time of this thread, which other work on the machine does not change as it changes the time on the clock.

use rustix::time::{ClockId, clock_gettime};

/// So far, ms.
pub fn ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1000.0 + time.tv_nsec as f64 / 1_000_000.0
}
