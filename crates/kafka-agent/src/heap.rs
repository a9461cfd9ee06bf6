//! How much heap the JVM gets.

use std::path::Path;

use crate::config::JvmSettings;
use crate::layout::Layout;

/// Flags of the JVM (without value and `-XX:`) that say how large the heap is, directly or as a share of the memory.
const HEAP_FLAGS: [&str; 11] = [
    "+AggressiveHeap",
    "InitialHeapSize",
    "MinHeapSize",
    "MaxHeapSize",
    "InitialRAMPercentage",
    "MinRAMPercentage",
    "MaxRAMPercentage",
    "InitialRAMFraction",
    "MinRAMFraction",
    "MaxRAMFraction",
    "MaxRAM",
];

/// Variables from which the JVM and its launcher take options by themselves.
const OPTION_VARIABLES: [&str; 3] = ["JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS"];

/// Flags that bound the heap. Explicit bounds win, also those that stand among the other JVM options or in `environment`
/// (options that the JVM takes from elsewhere, [`options_of_environment`]): beside `-XX:MaxRAMPercentage` a `-Xmx` of ours
/// would make it mean nothing. Without any, the heap is `dynamic_heap_percentage` of the memory, at most
/// `dynamic_heap_max_bytes`, and then starts at its full size unless `-Xms` is given.
///
/// `memory` is the container's memory in bytes; `None` (unknown) leaves the choice to the JVM.
pub fn flags(config: &JvmSettings, environment: &[String], memory: Option<u64>) -> Vec<String> {
    let heap = config.heap.clone().unwrap_or_default();
    let mut flags = Vec::new();
    if let Some(xms) = &heap.xms {
        flags.push(format!("-Xms{xms}"));
    }
    if let Some(xmx) = &heap.xmx {
        flags.push(format!("-Xmx{xmx}"));
        return flags;
    }
    let mut others =
        config.jvm_performance_options.iter().chain(&config.extra_jvm_arguments).chain(environment);
    if others.any(|option| sizes_the_heap(option)) {
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

fn sizes_the_heap(option: &str) -> bool {
    let option = option.trim_matches(['"', '\'']);
    if option.starts_with("-Xmx") || option.starts_with("-Xms") {
        return true;
    }
    let Some(flag) = option.strip_prefix("-XX:") else { return false };
    let name = flag.split_once('=').map_or(flag, |(name, _)| name);
    HEAP_FLAGS.contains(&name)
}

/// The options that the JVM takes from its environment; `variable` looks one up.
pub fn options_of_environment(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let values: Vec<String> = OPTION_VARIABLES.iter().filter_map(|name| variable(name)).collect();
    values.iter().flat_map(|value| value.split_whitespace()).map(str::to_owned).collect()
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

    fn config(heap: Option<Heap>, max: Option<u64>) -> JvmSettings {
        JvmSettings { heap, dynamic_heap_max_bytes: max, ..JvmSettings::default() }
    }

    #[test]
    fn explicit_bounds_win() {
        let heap = Heap { xms: Some("128m".into()), xmx: Some("256m".into()) };
        assert_eq!(flags(&config(Some(heap), None), &[], Some(GIB)), ["-Xms128m", "-Xmx256m"]);
    }

    #[test]
    fn without_bounds_the_heap_is_a_share_of_the_limit_up_to_the_maximum() {
        assert_eq!(
            flags(&config(None, Some(5 * GIB)), &[], Some(100 * 1024 * 1024)),
            ["-Xms51200k", "-Xmx51200k"]
        );
        assert_eq!(
            flags(&config(None, Some(5 * GIB)), &[], Some(64 * GIB)),
            ["-Xms5242880k", "-Xmx5242880k"]
        );
        let start_only = Heap { xms: Some("16m".into()), xmx: None };
        assert_eq!(
            flags(&config(Some(start_only), None), &[], Some(100 * 1024 * 1024)),
            ["-Xms16m", "-Xmx51200k"]
        );
        assert!(flags(&config(None, None), &[], None).is_empty());
    }

    #[test]
    fn a_heap_that_other_options_size_is_not_sized_again() {
        let mut with_options = config(None, Some(5 * GIB));
        for option in
            ["-XX:MaxRAMPercentage=50", "-XX:MaxHeapSize=1g", "-XX:+AggressiveHeap", "-XX:MaxRAM=4g"]
        {
            with_options.jvm_performance_options = vec!["-XX:+UseZGC".to_owned(), option.to_owned()];
            assert!(flags(&with_options, &[], Some(GIB)).is_empty(), "{option}");
        }
        with_options.heap = Some(Heap { xms: Some("16m".into()), xmx: None });
        assert_eq!(flags(&with_options, &[], Some(GIB)), ["-Xms16m"]);
        with_options.heap = Some(Heap { xms: None, xmx: Some("16m".into()) });
        assert_eq!(flags(&with_options, &[], Some(GIB)), ["-Xmx16m"]);
        with_options.heap = None;
        with_options.jvm_performance_options =
            vec!["-XX:MaxRAMx=1".to_owned(), "-XX:MaxMetaspaceSize=1g".to_owned()];
        assert_eq!(flags(&with_options, &[], Some(GIB)).len(), 2, "no option of the heap");

        let variables = |name: &str| (name == "JAVA_TOOL_OPTIONS").then(|| "-Dx=y '-Xmx1g'".to_owned());
        let environment = options_of_environment(variables);
        assert_eq!(environment, ["-Dx=y", "'-Xmx1g'"]);
        assert!(flags(&with_options, &environment, Some(GIB)).is_empty());
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
