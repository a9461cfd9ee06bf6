//! How much memory a plan of workers takes for what their resource says once and every pod repeats.

use api::connect::WORKERS_DEFAULT;
use api::env::own::MAX_CLUSTER_MIB;

use super::observed::ObservedWorkers;

/// What is repeated in a plan.
#[derive(Debug, Clone, Copy)]
pub struct Repeated {
    /// How many workers the resource asks for.
    pub workers: Option<i32>,
    /// Bytes that the resource takes.
    pub bytes: usize,
    /// Bytes of what its connectors say beside that.
    pub connectors: usize,
}

/// Bytes of the plan of a resource that refers to objects of so many bytes. A plan that would take more than so many is not made: why, it
/// is noted in what was observed, and what runs stays as it is.
pub fn of(repeated: Repeated, referred: usize, most: usize, observed: &mut ObservedWorkers) -> usize {
    let wished = usize::try_from(repeated.workers.unwrap_or(WORKERS_DEFAULT)).unwrap_or_default();
    // More than there may be are refused by the plan.
    let workers = if wished > observed.settings.max_nodes { 0 } else { wished };
    match within(workers, repeated.bytes.saturating_add(referred), repeated.connectors, most) {
        Ok(bytes) => bytes,
        Err(why) => {
            observed.unreadable = Some(why);
            0
        }
    }
}

fn within(workers: usize, each: usize, connectors: usize, most: usize) -> Result<usize, String> {
    // A resource without workers has a copy of the templates, too.
    let bytes = each.saturating_mul(workers.max(1)).saturating_add(connectors);
    if bytes <= most {
        return Ok(bytes);
    }
    let mib = |bytes: usize| bytes.div_ceil(1024 * 1024);
    let of_connectors = if connectors > 0 { ", what it says of the target for each connector" } else { "" };
    Err(format!(
        "spec: what it says and what it refers to is repeated for each of {workers} workers{of_connectors}, and takes {} MiB, more than {} MiB \
         ({MAX_CLUSTER_MIB}), and what runs is left as it is: write less, in fewer or smaller templates and options, with fewer replicas, or \
         raise the limit",
        mib(bytes),
        mib(most)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_workers_of_an_usual_resource_are_planned_and_as_many_of_a_megabyte_are_not() {
        let most = 64 << 20;
        assert!(within(300, 60_000, 0, most).is_ok());
        assert!(within(3, 1 << 20, 0, most).is_ok());
        assert!(within(0, 1 << 20, 0, most).is_ok());
        let why = within(300, 1 << 20, 0, most).unwrap_err();
        assert!(
            why.contains("300 workers")
                && why.contains("300 MiB")
                && why.contains("KASTELLAN_MAX_CLUSTER_MIB"),
            "{why}"
        );
        let why = within(1, 1 << 20, 400 << 20, most).unwrap_err();
        assert!(why.contains("target for each connector") && why.contains("401 MiB"), "{why}");
    }
    #[test]
    fn a_plan_that_would_take_too_much_is_refused_and_more_workers_than_there_may_be_are_not_weighed() {
        let repeated = |workers| Repeated { workers: Some(workers), bytes: 1 << 20, connectors: 0 };
        let mut observed = ObservedWorkers::default();
        assert_eq!(of(repeated(2), 1 << 20, 64 << 20, &mut observed), 4 << 20);
        assert_eq!(
            (of(repeated(1_000_000), 0, 64 << 20, &mut observed), &observed.unreadable),
            (1 << 20, &None)
        );
        assert_eq!(of(repeated(100), 0, 64 << 20, &mut observed), 0);
        assert!(observed.unreadable.unwrap().contains("100 workers"));
    }
}
