//! How large a cluster may become: one operator plans the clusters of all tenants in one memory.

/// Most controllers of a cluster. Each node lists all of them in its configuration, which so stays within some kilobytes however
/// many nodes there are; and a quorum waits for a majority of its voters at every write, so nobody is helped by more.
pub const MAX_CONTROLLERS: usize = 50;

/// Which pools would make the cluster too large. `pools` has what each has and what it wishes, in nodes; what is there
/// stays, and whoever wishes for less gets it.
pub fn too_large(pools: &[(usize, usize)], most: usize) -> Vec<bool> {
    let mut total = pools.iter().fold(0_usize, |total, (has, _)| total.saturating_add(*has));
    let mut refused = Vec::with_capacity(pools.len());
    for (has, wished) in pools {
        let more = wished.saturating_sub(*has);
        let fits = more == 0 || total.saturating_add(more) <= most;
        if fits {
            total = total.saturating_add(more);
        }
        refused.push(!fits);
    }
    refused
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_pool_that_is_too_large_is_refused_and_not_the_others() {
        assert_eq!(too_large(&[(0, 3), (0, 1000), (0, 5)], 300), [false, true, false]);
        assert_eq!(too_large(&[(0, 300)], 300), [false]);
        assert_eq!(too_large(&[(0, usize::MAX), (usize::MAX, 0)], 300), [true, false]);
    }

    #[test]
    fn what_runs_already_is_never_refused() {
        assert_eq!(too_large(&[(400, 400), (10, 9), (10, 11)], 300), [false, false, true]);
    }

    proptest! {
        #[test]
        fn nothing_grows_beyond_the_bound(pools in prop::collection::vec((0..50_usize, 0..100_usize), 0..20)) {
            let before: usize = pools.iter().map(|(has, _)| has).sum();
            let refused = too_large(&pools, 200);
            let after = pools.iter().zip(&refused).map(|((has, wished), refused)| {
                if *refused { *has } else { *wished.max(has) }
            });
            prop_assert!(after.sum::<usize>() <= before.max(200));
        }
    }
}
