//! How much heap the JVM gets.

use std::path::Path;

use crate::config::AgentConfig;
use crate::layout::Layout;

/// Flags that bound the heap. Explicit bounds win; without `-Xmx` the heap is `dynamic_heap_percentage` of the memory,
/// at most `dynamic_heap_max_bytes`, and then starts at its full size unless `-Xms` is given.
///
/// `memory` is the container's memory in bytes; `None` (unknown) leaves the choice to the JVM.
pub fn flags(config: &AgentConfig, memory: Option<u64>) -> Vec<String> {
    let heap = config.heap.clone().unwrap_or_default();
    let mut flags = Vec::new();
    if let Some(xms) = &heap.xms {
        flags.push(format!("-Xms{xms}"));
    }
    if let Some(xmx) = &heap.xmx {
        flags.push(format!("-Xmx{xmx}"));
        return flags;
    }
    let Some(memory) = memory else { return flags };
    let share = memory / 100 * u64::from(config.dynamic_heap_percentage);
    let bytes = config.dynamic_heap_max_bytes.map_or(share, |max| share.min(max));
    let kibibytes = bytes / 1024;
    if heap.xms.is_none() {
        flags.push(format!("-Xms{kibibytes}k"));
    }
    flags.push(format!("-Xmx{kibibytes}k"));
    flags
}

/// Memory in bytes that the container may use: the limit of its control group (version 2, then version 1), or the
/// machine's memory when there is no limit.
pub fn container_memory(layout: &Layout) -> Option<u64> {
    let total = number_of_meminfo(&layout.kernel("proc/meminfo"));
    let limit = ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|path| std::fs::read_to_string(layout.kernel(path)).ok())
        .and_then(|text| text.trim().parse::<u64>().ok());
    // Version 1 writes "no limit" as a number larger than any machine.
    match (limit, total) {
        (Some(limit), Some(total)) => Some(limit.min(total)),
        (limit, total) => limit.or(total),
    }
}

fn number_of_meminfo(path: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Heap;

    const GIB: u64 = 1024 * 1024 * 1024;

    fn config(heap: Option<Heap>, max: Option<u64>) -> AgentConfig {
        let mut config: AgentConfig = serde_json::from_str(
            r#"{"nodeId":0,"podName":"p","roles":["broker"],"metadataLogDir":"/a","logDirs":["/a"]}"#,
        )
        .unwrap();
        config.heap = heap;
        config.dynamic_heap_max_bytes = max;
        config
    }

    #[test]
    fn explicit_bounds_win() {
        let heap = Heap { xms: Some("128m".into()), xmx: Some("256m".into()) };
        assert_eq!(flags(&config(Some(heap), None), Some(GIB)), ["-Xms128m", "-Xmx256m"]);
    }

    #[test]
    fn without_bounds_the_heap_is_a_share_of_the_limit_up_to_the_maximum() {
        assert_eq!(
            flags(&config(None, Some(5 * GIB)), Some(100 * 1024 * 1024)),
            ["-Xms51200k", "-Xmx51200k"]
        );
        assert_eq!(flags(&config(None, Some(5 * GIB)), Some(64 * GIB)), ["-Xms5242880k", "-Xmx5242880k"]);
        let start_only = Heap { xms: Some("16m".into()), xmx: None };
        assert_eq!(
            flags(&config(Some(start_only), None), Some(100 * 1024 * 1024)),
            ["-Xms16m", "-Xmx51200k"]
        );
        assert!(flags(&config(None, None), None).is_empty());
    }

    #[test]
    fn the_limit_is_read_from_both_versions_of_control_groups() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let put = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(container_memory(&layout), None);
        put("proc/meminfo", "MemFree: 1 kB\nMemTotal:       2048 kB\n");
        assert_eq!(container_memory(&layout), Some(2048 * 1024));
        put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
        assert_eq!(container_memory(&layout), Some(2048 * 1024));
        put("sys/fs/cgroup/memory.max", "1048576\n");
        assert_eq!(container_memory(&layout), Some(1_048_576));
        put("sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(container_memory(&layout), Some(2048 * 1024));
    }
}
