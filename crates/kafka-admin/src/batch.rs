//! Splits a large call into requests that Kafka takes.

use std::future::Future;

use futures::StreamExt;

use crate::AdminError;

/// What one item adds to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Size on the wire, roughly.
    pub bytes: usize,
    /// Metadata records that the controller writes for it. The controller refuses an operation of more than
    /// 10,000 records (`max.records.per.user.op` of the quorum controller).
    pub records: usize,
}

/// Bounds of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub bytes: usize,
    pub records: usize,
}

/// Splits items, in order, into groups within the limits. An item that is too large alone still gets its own group:
/// Kafka's answer about it is better than ours.
pub(crate) fn split<T>(
    items: impl IntoIterator<Item = T>,
    limits: Limits,
    weigh: impl Fn(&T) -> Weight,
) -> Vec<Vec<T>> {
    let mut groups = Vec::new();
    let mut group = Vec::new();
    let (mut bytes, mut records) = (0, 0);
    for item in items {
        let weight = weigh(&item);
        let full = bytes + weight.bytes > limits.bytes || records + weight.records > limits.records;
        if full && !group.is_empty() {
            groups.push(std::mem::take(&mut group));
            (bytes, records) = (0, 0);
        }
        bytes += weight.bytes;
        records += weight.records;
        group.push(item);
    }
    if !group.is_empty() {
        groups.push(group);
    }
    groups
}

/// Runs one request for each group, `concurrency` at once, and waits for all of them, so that a failed group does
/// not cancel the others half-way.
pub(crate) async fn run<T, O, F>(
    groups: Vec<Vec<T>>,
    concurrency: usize,
    request: impl Fn(Vec<T>) -> F,
) -> Result<Vec<O>, AdminError>
where
    F: Future<Output = Result<O, AdminError>>,
{
    let results: Vec<Result<O, AdminError>> = futures::stream::iter(groups.into_iter().map(request))
        .buffer_unordered(concurrency.max(1))
        .collect()
        .await;
    results.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEIGH: fn(&usize) -> Weight = |item| Weight { bytes: *item, records: 1 };

    #[test]
    fn groups_respect_bytes_and_records_and_keep_the_order() {
        let groups = split([4, 4, 4, 1, 1, 1, 1], Limits { bytes: 10, records: 3 }, WEIGH);
        assert_eq!(groups, [vec![4, 4], vec![4, 1, 1], vec![1, 1]]);
    }

    #[test]
    fn an_item_that_is_too_large_goes_alone() {
        let groups = split([1, 50, 1], Limits { bytes: 10, records: 100 }, WEIGH);
        assert_eq!(groups, [vec![1], vec![50], vec![1]]);
        assert!(split(Vec::<usize>::new(), Limits { bytes: 1, records: 1 }, WEIGH).is_empty());
    }

    #[tokio::test]
    async fn a_failed_group_fails_the_call_after_all_groups_ran() {
        let ran = std::sync::atomic::AtomicUsize::new(0);
        let result = run(vec![vec![1], vec![2], vec![3]], 1, |group: Vec<i32>| {
            ran.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move { if group == [1] { Err(AdminError::UnknownNode(1)) } else { Ok(group) } }
        })
        .await;
        assert_eq!(result, Err(AdminError::UnknownNode(1)));
        assert_eq!(ran.into_inner(), 3);
    }
}
