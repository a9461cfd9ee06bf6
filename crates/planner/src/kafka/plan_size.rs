//! How much memory a plan takes for what a user wrote once and every node repeats: the configuration, the templates, the
//! certificates of listeners. What it takes for each listener and each volume of a node is [`MadeSize`].

use std::collections::BTreeMap;

use api::env::own::MAX_CLUSTER_MIB;
use kube_core::ResourceExt;

use super::made_size::{self, MadeSize};
use super::observed::Observed;

/// Bytes that what users wrote takes when it is read: only the caches know.
#[derive(Debug, Clone, Default)]
pub struct WrittenSize {
    /// Of the resource and of what it refers to.
    pub kafka: usize,
    /// Of each pool, by name.
    pub pools: BTreeMap<String, usize>,
}

/// The size of a plan, before it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanSize {
    /// Nodes that the pools ask for, as far as a cluster may grow.
    pub nodes: usize,
    /// Bytes of what the nodes repeat, of what they repeat for each listener and volume, and of what the pools share.
    pub bytes: usize,
    /// The field that makes most of what is repeated for each listener and volume, when that is more than the rest.
    largest: Option<String>,
}

impl PlanSize {
    /// Of a cluster.
    pub fn of(observed: &Observed, written: &WrittenSize) -> Self {
        let most = observed.settings.max_nodes;
        let mut size = Self::default();
        for pool in &observed.pools {
            let wished = usize::try_from(pool.spec.replicas).unwrap_or_default();
            let of_pool = written.pools.get(&pool.name_any()).copied().unwrap_or_default();
            size.add(wished, written.kafka.saturating_add(of_pool), most);
        }
        size.add_made(&MadeSize::of(observed));
        size
    }

    fn add_made(&mut self, made: &MadeSize) {
        self.largest = made.largest().filter(|_| made.bytes() > self.bytes).map(str::to_owned);
        self.bytes = self.bytes.saturating_add(made.bytes());
    }

    /// Adds nodes that repeat so many bytes each. Those beyond the most are refused by the plan, and not made.
    fn add(&mut self, nodes: usize, bytes_of_each: usize, most: usize) {
        let nodes = nodes.min(most.saturating_sub(self.nodes));
        self.nodes += nodes;
        // A pool without nodes has a copy of the templates, too.
        self.bytes = self.bytes.saturating_add(nodes.max(1).saturating_mul(bytes_of_each));
    }

    /// Refuses a plan that would take more than so many bytes: why, it is noted in what was observed, what the pools would have copies of is
    /// taken out of it, and what runs stays as it is. Returns whether it is refused.
    pub fn refuse_beyond(&self, most: usize, observed: &mut Observed) -> bool {
        let Some(why) = self.too_much(most) else { return false };
        observed.incomplete = Some(why);
        made_size::leave_out(observed);
        true
    }

    /// Why the plan would take too much, in words.
    fn too_much(&self, most: usize) -> Option<String> {
        let mib = |bytes: usize| bytes.div_ceil(1024 * 1024);
        let most_of_it =
            self.largest.as_ref().map(|field| format!(", most of it for {field}")).unwrap_or_default();
        (self.bytes > most).then(|| {
            format!(
                "spec: what it says, what it refers to and what the pools say is repeated for each of {} nodes, their listeners \
                 and volumes, and takes {} MiB{most_of_it}, more than {} MiB ({MAX_CLUSTER_MIB}), and what runs is left as it is: write less, in \
                 fewer or smaller templates, options and referenced Secrets, with fewer listeners, or raise the limit",
                self.nodes,
                mib(self.bytes),
                mib(most)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: PlanSize = PlanSize { nodes: 0, bytes: 0, largest: None };

    #[test]
    fn three_hundred_nodes_of_an_usual_resource_are_planned_and_as_many_of_a_megabyte_are_not() {
        let largest = 64 << 20;
        let mut usual = NONE;
        usual.add(100, 60_000, 300);
        usual.add(200, 80_000, 300);
        assert_eq!((usual.nodes, usual.too_much(largest)), (300, None));
        let mut hostile = NONE;
        hostile.add(300, 1 << 20, 300);
        let why = hostile.too_much(largest).unwrap();
        assert!(
            why.contains("300 nodes") && why.contains("300 MiB") && why.contains("KASTELLAN_MAX_CLUSTER_MIB"),
            "{why}"
        );
        let mut few = NONE;
        few.add(3, 1 << 20, 300);
        assert_eq!(few.too_much(largest), None);
    }

    #[test]
    fn nodes_beyond_the_most_are_the_plans_to_refuse() {
        let mut size = NONE;
        for _ in 0..50 {
            size.add(250, 1000, 300);
        }
        // Each of the others counts once, since it has the templates all the same.
        assert_eq!(size, PlanSize { nodes: 300, bytes: 348_000, largest: None });
    }
}
