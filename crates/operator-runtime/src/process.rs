//! What `/proc` says about this process, under the names that Prometheus clients use.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Opts};

/// Clock ticks per second in `/proc/self/stat`: fixed by the Linux ABI.
const TICKS_PER_SECOND: f64 = 100.0;

/// Figures of this process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Resident memory in bytes.
    pub resident_bytes: f64,
    /// Virtual memory in bytes.
    pub virtual_bytes: f64,
    /// User and system time in seconds.
    pub cpu_seconds: f64,
    /// Threads.
    pub threads: f64,
    /// Open file descriptors.
    pub open_files: f64,
}

/// Reads the figures; what cannot be read is 0.
pub fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    parse(&status, &stat, files)
}

fn parse(status: &str, stat: &str, files: usize) -> Usage {
    let kilobytes = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next())
            .and_then(|n| n.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    // The second field is the command in parentheses and may hold blanks; utime and stime are fields 14 and 15.
    let after_command = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = after_command.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Usage {
        resident_bytes: kilobytes("VmRSS:") * 1024.0,
        virtual_bytes: kilobytes("VmSize:") * 1024.0,
        cpu_seconds: (ticks(11) + ticks(12)) / TICKS_PER_SECOND,
        threads: kilobytes("Threads:"),
        open_files: files as f64,
    }
}

/// Collects [`usage`] at each scrape.
#[derive(Debug)]
pub(crate) struct ProcessCollector {
    resident: Gauge,
    virtual_memory: Gauge,
    cpu: Gauge,
    threads: Gauge,
    files: Gauge,
}

impl ProcessCollector {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| Gauge::with_opts(Opts::new(name, help));
        Ok(Self {
            resident: gauge("process_resident_memory_bytes", "Resident memory in bytes")?,
            virtual_memory: gauge("process_virtual_memory_bytes", "Virtual memory in bytes")?,
            cpu: gauge("process_cpu_seconds_total", "User and system time in seconds")?,
            threads: gauge("process_threads", "Threads of the process")?,
            files: gauge("process_open_fds", "Open file descriptors")?,
        })
    }
}

impl Collector for ProcessCollector {
    fn desc(&self) -> Vec<&Desc> {
        let gauges = [&self.resident, &self.virtual_memory, &self.cpu, &self.threads, &self.files];
        gauges.into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let seen = usage();
        self.resident.set(seen.resident_bytes);
        self.virtual_memory.set(seen.virtual_bytes);
        self.cpu.set(seen.cpu_seconds);
        self.threads.set(seen.threads);
        self.files.set(seen.open_files);
        let gauges = [&self.resident, &self.virtual_memory, &self.cpu, &self.threads, &self.files];
        gauges.into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 1 1 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 3 0 100 200 300";
        let status = "Name:\ta\nVmSize:\t   2048 kB\nVmRSS:\t     512 kB\nThreads:\t3\n";
        let seen = parse(status, stat, 9);
        assert_eq!(
            seen,
            Usage {
                resident_bytes: 524_288.0,
                virtual_bytes: 2_097_152.0,
                cpu_seconds: 3.0,
                threads: 3.0,
                open_files: 9.0
            }
        );
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(usage().resident_bytes > 100_000.0);
    }
}
