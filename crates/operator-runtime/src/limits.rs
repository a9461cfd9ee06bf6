//! Bounds for what others may have an operator hold in memory: for one object, and for all of them together.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use api::env::own::{MAX_CACHE_MIB, MAX_CLUSTER_MIB, MAX_OBJECT_KIB, MAX_REFERENCES, MAX_SECRET_KIB};

use crate::env::Env;

/// Largest object that is read, by what its values take in memory: many times what a resource of a person's takes. The
/// API server stores 1.5 MiB of text, which can be made to take 100 MiB.
pub const LARGEST_OBJECT_DEFAULT: usize = 16 * 1024 * 1024;

/// Largest Secret or ConfigMap of a cluster that is read: keys, certificates and configuration files take some tens of
/// KiB. Every account that may make Secrets can give them the labels of a cluster.
pub const LARGEST_SECRET_DEFAULT: usize = 512 * 1024;

/// What the objects of one cluster may take while a pass reads them: nearly twice what those of 300 nodes do.
pub const LARGEST_CLUSTER_DEFAULT: usize = 64 * MIB;

/// How many Secrets and ConfigMaps of the user's own one resource may refer to: one for each listener and each logging section,
/// of which people write a handful.
pub const REFERENCES_DEFAULT: usize = 100;

/// What all watched objects may take where the container has no limit.
const CACHE_WITHOUT_LIMIT: usize = 1024 * MIB;

/// The least that they may take.
const SMALLEST_CACHE: usize = 16 * MIB;

const MIB: usize = 1024 * 1024;

/// A bound for the size of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Largest {
    /// What its values may take in memory, in bytes.
    pub bytes: usize,
    /// The variable that says so.
    pub variable: &'static str,
}

impl Largest {
    /// The bound for objects of all kinds, when nothing else is said.
    pub const DEFAULT: Self = Self { bytes: LARGEST_OBJECT_DEFAULT, variable: MAX_OBJECT_KIB };

    /// From `KASTELLAN_MAX_OBJECT_KIB`, for an operator of one kind of resource.
    pub fn from_env(env: &Env, default_kib: i64) -> Self {
        let kib = env.integer(MAX_OBJECT_KIB, default_kib, 64..=1024 * 1024);
        Self { bytes: kib as usize * 1024, variable: MAX_OBJECT_KIB }
    }
}

/// The bounds of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For objects of all kinds.
    pub largest_object: Largest,
    /// For Secrets and ConfigMaps of clusters.
    pub largest_secret: Largest,
    /// For all objects of one cluster together.
    pub largest_cluster: Largest,
    /// Secrets and ConfigMaps of the user's own that one resource may refer to.
    pub references: usize,
    /// What all watched objects may take.
    pub budget: Budget,
}

impl Limits {
    /// From `KASTELLAN_MAX_OBJECT_KIB` (default 16384), `KASTELLAN_MAX_SECRET_KIB` (default 512), `KASTELLAN_MAX_CLUSTER_MIB` (default 64), `KASTELLAN_MAX_REFERENCES`
    /// (default 100) and `KASTELLAN_MAX_CACHE_MIB` (default: two fifths of the container's memory limit, 1024 without one).
    pub fn from_env(env: &Env) -> Self {
        Self::with_objects_of(env, LARGEST_OBJECT_DEFAULT as i64 / 1024)
    }

    /// As [`Self::from_env`], with another default for `KASTELLAN_MAX_OBJECT_KIB`.
    pub fn with_objects_of(env: &Env, default_kib: i64) -> Self {
        let default = LARGEST_SECRET_DEFAULT / 1024;
        let secret = env.integer(MAX_SECRET_KIB, default as i64, 16..=1024 * 1024);
        let default = LARGEST_CLUSTER_DEFAULT / MIB;
        let cluster = env.integer(MAX_CLUSTER_MIB, default as i64, 1..=1024 * 1024);
        let references = env.integer(MAX_REFERENCES, REFERENCES_DEFAULT as i64, 1..=100_000);
        let default = default_cache(container_limit()) / MIB;
        let cache = env.integer(MAX_CACHE_MIB, default as i64, 1..=1024 * 1024);
        Self {
            largest_object: Largest::from_env(env, default_kib),
            largest_secret: Largest { bytes: secret as usize * 1024, variable: MAX_SECRET_KIB },
            largest_cluster: Largest { bytes: cluster as usize * MIB, variable: MAX_CLUSTER_MIB },
            references: references as usize,
            budget: Budget::new(cache as usize * MIB),
        }
    }
}

impl Limits {
    /// For pod sets, which hold all pods of a pool: five quarters of what other objects may take, so that nothing which the API
    /// server stores of the operator's own making is beyond it.
    pub fn largest_pod_set(&self) -> Largest {
        let Largest { bytes, variable } = self.largest_object;
        Largest { bytes: bytes / 4 * 5, variable }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            largest_object: Largest::DEFAULT,
            largest_secret: Largest { bytes: LARGEST_SECRET_DEFAULT, variable: MAX_SECRET_KIB },
            largest_cluster: Largest { bytes: LARGEST_CLUSTER_DEFAULT, variable: MAX_CLUSTER_MIB },
            references: REFERENCES_DEFAULT,
            budget: Budget::new(default_cache(None)),
        }
    }
}

fn default_cache(container: Option<usize>) -> usize {
    container.map_or(CACHE_WITHOUT_LIMIT, |limit| (limit / 5 * 2).clamp(SMALLEST_CACHE, CACHE_WITHOUT_LIMIT))
}

/// The memory limit of the container that this process runs in. Bytes.
pub fn container_limit() -> Option<usize> {
    let files = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let limit =
        files.iter().find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse::<usize>().ok());
    // Without a limit the older file has the largest number that there is.
    limit.filter(|limit| *limit < 1 << 50)
}

/// Memory for watched objects, shared so that no namespace can take all of it: half of it belongs to all namespaces in
/// equal shares. A namespace gets its share whatever others have taken, and more only while there is some left. What is
/// in use can therefore be more than the limit: by a quarter with two namespaces that want all they can get, by half
/// with three or four, by as much again with twelve.
#[derive(Debug, Clone)]
pub struct Budget {
    bytes: usize,
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    total: usize,
    namespaces: HashMap<String, usize>,
}

impl Used {
    fn charge(&mut self, namespace: &str, old: usize, new: usize) {
        self.total = (self.total + new).saturating_sub(old);
        let mine = (self.namespaces.get(namespace).copied().unwrap_or(0) + new).saturating_sub(old);
        if mine == 0 {
            self.namespaces.remove(namespace);
        } else {
            self.namespaces.insert(namespace.to_owned(), mine);
        }
    }
}

impl Budget {
    /// With this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { bytes, used: Arc::default() }
    }

    /// Bytes that are in use.
    pub fn used(&self) -> usize {
        self.lock().total
    }

    /// Charges `new` bytes in place of `old` ones.
    ///
    /// # Errors
    /// The reason, when there is no room for them. Nothing is charged then.
    pub fn charge(&self, namespace: &str, old: usize, new: usize) -> Result<(), String> {
        let mut used = self.lock();
        let mine = used.namespaces.get(namespace).copied().unwrap_or(0);
        let (total, mine) = ((used.total + new).saturating_sub(old), (mine + new).saturating_sub(old));
        let others = used.namespaces.keys().filter(|name| *name != namespace).count();
        if new > old && !fits(self.bytes, total, mine, others + 1) {
            return Err(format!(
                "there is no room for it: the objects of all namespaces may take {} MiB ({MAX_CACHE_MIB}), and those of namespace '{namespace}' take more than its share of that; make or have fewer or smaller ones, or raise the limit",
                self.bytes / MIB
            ));
        }
        used.charge(namespace, old, new);
        Ok(())
    }

    /// Charges `new` bytes in place of `old` ones, also where there is no room for them: for what cannot be done without.
    pub fn charge_anyway(&self, namespace: &str, old: usize, new: usize) {
        self.lock().charge(namespace, old, new);
    }

    /// Gives bytes back.
    pub fn give_back(&self, namespace: &str, bytes: usize) {
        self.charge_anyway(namespace, bytes, 0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is room, when `total` would be in use, and `mine` of it by one of this many namespaces.
fn fits(bytes: usize, total: usize, mine: usize, namespaces: usize) -> bool {
    total <= bytes || mine <= bytes / (2 * namespaces.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_namespace_may_take_what_nobody_else_wants() {
        let budget = Budget::new(100);
        assert!(budget.charge("a", 0, 100).is_ok());
        let refused = budget.charge("a", 0, 1).unwrap_err();
        assert!(refused.contains("namespace 'a'") && refused.contains(MAX_CACHE_MIB), "{refused}");
        assert_eq!(budget.used(), 100);
        budget.give_back("a", 100);
        assert_eq!(budget.used(), 0);
        assert!(budget.charge("b", 0, 100).is_ok());
    }

    #[test]
    fn a_greedy_namespace_takes_nothing_from_the_others() {
        let budget = Budget::new(100);
        assert!(budget.charge("greedy", 0, 100).is_ok());
        assert!(budget.charge("other", 0, 25).is_ok(), "its share");
        assert!(budget.charge("other", 0, 1).is_err());
        assert!(budget.charge("greedy", 0, 1).is_err());
        assert!(budget.charge("greedy", 10, 5).is_ok(), "less of it is always possible");
    }

    proptest! {
        #[test]
        fn a_fair_share_is_never_refused_and_all_shares_together_are_bounded(
            wishes in prop::collection::vec((0..5_usize, 1..60_usize), 1..200)
        ) {
            let (budget, names) = (Budget::new(100), ["a", "b", "c", "d", "e"]);
            let mut used = [0; 5];
            for (who, bytes) in wishes {
                let charged = budget.charge(names[who], 0, bytes).is_ok();
                used[who] += if charged { bytes } else { 0 };
                prop_assert!(charged || used[who] + bytes > 100 / 10, "a fair share was refused");
                prop_assert!(budget.used() <= 100 + 25 + 16 + 12 + 10);
            }
            prop_assert_eq!(budget.used(), used.iter().sum::<usize>());
        }
    }

    #[test]
    fn the_default_follows_the_limit_of_the_container() {
        assert_eq!(default_cache(Some(250 * MIB)), 100 * MIB);
        assert_eq!(default_cache(Some(8 * MIB)), SMALLEST_CACHE);
        assert_eq!(default_cache(None), CACHE_WITHOUT_LIMIT);
        let env = Env::from_map([(MAX_OBJECT_KIB, "100"), (MAX_CACHE_MIB, "3")]);
        let limits = Limits::from_env(&env);
        assert_eq!((limits.largest_object.bytes, limits.budget.bytes), (100 * 1024, 3 * MIB));
    }
}
