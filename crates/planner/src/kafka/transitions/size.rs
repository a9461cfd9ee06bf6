//! How large a cluster may become: one operator plans the clusters of all tenants in one memory.

/// Most controllers of a cluster. Each node lists all of them in its configuration, which so stays within some kilobytes however
/// many nodes there are; and a quorum waits for a majority of its voters at every write, so more controllers only cost time.
pub(crate) const MAX_CONTROLLERS: usize = 50;

/// What the number of nodes that a pool asks for means for the size of its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// The pool can have them.
    Fits,
    /// They would make the cluster too large; what is there stays.
    TooLarge,
}

/// Decides for each pool. `pools` says how many nodes each pool has, and how many it wants; a pool that wants fewer than it has
/// always fits.
pub(crate) fn of(pools: &[(usize, usize)], most: usize) -> Vec<Size> {
    let mut total = pools.iter().fold(0_usize, |total, (has, _)| total.saturating_add(*has));
    let mut sizes = Vec::with_capacity(pools.len());
    for (has, wished) in pools {
        let more = wished.saturating_sub(*has);
        if more == 0 || total.saturating_add(more) <= most {
            total = total.saturating_add(more);
            sizes.push(Size::Fits);
        } else {
            sizes.push(Size::TooLarge);
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Size::{Fits, TooLarge};
    use super::*;

    #[test]
    fn the_pool_that_is_too_large_is_refused_and_not_the_others() {
        assert_eq!(of(&[(0, 3), (0, 1000), (0, 5)], 300), [Fits, TooLarge, Fits]);
        assert_eq!(of(&[(0, 300)], 300), [Fits]);
        assert_eq!(of(&[(0, usize::MAX), (usize::MAX, 0)], 300), [TooLarge, Fits]);
    }

    #[test]
    fn what_runs_already_is_never_refused() {
        assert_eq!(of(&[(400, 400), (10, 9), (10, 11)], 300), [Fits, Fits, TooLarge]);
    }

    proptest! {
        #[test]
        fn nothing_grows_beyond_the_bound(pools in prop::collection::vec((0..50_usize, 0..100_usize), 0..20)) {
            let before: usize = pools.iter().map(|(has, _)| has).sum();
            let sizes = of(&pools, 200);
            let after = pools.iter().zip(&sizes).map(|((has, wished), size)| {
                if *size == TooLarge { *has } else { *wished.max(has) }
            });
            prop_assert!(after.sum::<usize>() <= before.max(200));
        }
    }
}
