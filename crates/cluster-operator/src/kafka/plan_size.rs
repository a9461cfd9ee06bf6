//! How much memory a plan takes for what a user wrote once and every node repeats: the configuration, the templates, the
//! certificates of listeners. What it takes for each listener and each volume of a node is [`MadeSize`].

use kube::ResourceExt;
use operator_runtime::limits::Largest;
use operator_runtime::watch::ObjectRef;
use planner::kafka::made_size::MadeSize;
use planner::kafka::observed::Observed;

use crate::caches::Caches;

/// The size of a plan, before it is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PlanSize {
    /// Nodes that the pools ask for, as far as a cluster may grow.
    pub nodes: usize,
    /// Bytes of what the nodes repeat, of what they repeat for each listener and volume, and of what the pools share.
    pub bytes: usize,
    /// The field that makes most of what is repeated for each listener and volume, when that is more than the rest.
    largest: Option<String>,
}

impl PlanSize {
    /// Of a cluster whose resource refers to objects of so many bytes.
    pub(super) fn of(caches: &Caches, cluster: &ObjectRef, observed: &Observed, referred: usize) -> Self {
        let most = observed.settings.max_nodes;
        let of_cluster = caches.kafkas.bytes_when_read(cluster) + referred;
        let mut size = Self::default();
        for pool in &observed.pools {
            let wished = usize::try_from(pool.spec.replicas).unwrap_or_default();
            let of_pool = caches.pools.bytes_when_read(&ObjectRef::new(&cluster.namespace, pool.name_any()));
            size.add(wished, of_cluster + of_pool, most);
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

    /// Why the plan would take too much, in words.
    pub(super) fn too_much(&self, largest: Largest) -> Option<String> {
        let mib = |bytes: usize| bytes.div_ceil(1024 * 1024);
        let most_of_it =
            self.largest.as_ref().map(|field| format!(", most of it for {field}")).unwrap_or_default();
        (self.bytes > largest.bytes).then(|| {
            format!(
                "spec: what it says, what it refers to and what the pools say is repeated for each of {} nodes, their listeners \
                 and volumes, and takes {} MiB{most_of_it}, more than {} MiB ({}), and what runs is left as it is: write less, in \
                 fewer or smaller templates, options and referenced Secrets, with fewer listeners, or raise the limit",
                self.nodes,
                mib(self.bytes),
                mib(largest.bytes),
                largest.variable
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use operator_runtime::limits::Limits;

    use super::*;

    const NONE: PlanSize = PlanSize { nodes: 0, bytes: 0, largest: None };

    #[test]
    fn three_hundred_nodes_of_an_usual_resource_are_planned_and_as_many_of_a_megabyte_are_not() {
        let largest = Limits::default().largest_cluster;
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
