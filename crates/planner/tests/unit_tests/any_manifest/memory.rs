//! How much memory this process has taken: Linux keeps the most that it ever had, and begins anew when asked to.

use std::fs;

/// Begins to count anew.
pub(super) fn begin() {
    // 5: the most memory so far becomes what is taken now.
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// The most bytes that were taken since then.
pub(super) fn most() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kibibytes * 1024
}

/// Bytes that are taken now.
pub(super) fn now() -> u64 {
    begin();
    most()
}

#[test]
fn what_is_taken_for_a_moment_is_counted() {
    let before = now();
    let block = vec![1_u8; 64 << 20];
    std::hint::black_box(&block);
    drop(block);
    assert!(most() >= before + (60 << 20), "{} after {before}", most());
}
