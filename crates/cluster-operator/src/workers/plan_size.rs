//! How much memory a plan of workers takes for what their resource says once and every pod repeats.

use operator_runtime::limits::Largest;

/// Bytes of a plan with so many workers, of a resource that takes so many bytes with what it refers to, and whose connectors take so
/// many beside that.
///
/// # Errors
/// When that is too much, in words.
pub(super) fn of(workers: usize, each: usize, connectors: usize, largest: Largest) -> Result<usize, String> {
    // A resource without workers has a copy of the templates, too.
    let bytes = each.saturating_mul(workers.max(1)).saturating_add(connectors);
    if bytes <= largest.bytes {
        return Ok(bytes);
    }
    let mib = |bytes: usize| bytes.div_ceil(1024 * 1024);
    let of_connectors = if connectors > 0 { ", what it says of the target for each connector" } else { "" };
    Err(format!(
        "spec: what it says and what it refers to is repeated for each of {workers} workers{of_connectors}, and takes {} MiB, more than {} MiB ({}), and \
         what runs is left as it is: write less, in fewer or smaller templates and options, with fewer replicas, or raise the limit",
        mib(bytes),
        mib(largest.bytes),
        largest.variable
    ))
}

#[cfg(test)]
mod tests {
    use operator_runtime::limits::Limits;

    use super::*;

    #[test]
    fn many_workers_of_an_usual_resource_are_planned_and_as_many_of_a_megabyte_are_not() {
        let largest = Limits::default().largest_cluster;
        assert!(of(300, 60_000, 0, largest).is_ok());
        assert!(of(3, 1 << 20, 0, largest).is_ok());
        assert!(of(0, 1 << 20, 0, largest).is_ok());
        let why = of(300, 1 << 20, 0, largest).unwrap_err();
        assert!(
            why.contains("300 workers")
                && why.contains("300 MiB")
                && why.contains("KASTELLAN_MAX_CLUSTER_MIB"),
            "{why}"
        );
        let why = of(1, 1 << 20, 400 << 20, largest).unwrap_err();
        assert!(why.contains("target for each connector") && why.contains("401 MiB"), "{why}");
    }
}
