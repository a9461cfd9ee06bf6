//! The resources by themselves, as if their cluster were to be made from nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube_core::ResourceExt;

use super::{
    Findings, Invalid, Specs, Validated, Wanted, Warning, check_whole, settle_node_config, validate,
};
use crate::kafka::addresses;
use crate::kafka::cluster::Cluster;
use crate::kafka::exposed::Exposed;
use crate::kafka::older::{fields, implied, words};
use crate::kafka::transitions::node_ids;
use crate::kafka::transitions::size::{self, Size};
use crate::settings::PlanSettings;

/// Validates resources of which nothing exists yet. What they refer to (Secrets, ConfigMaps, grants) is taken for given.
///
/// # Errors
/// When something is wrong with them.
pub fn alone(specs: Specs<'_>, settings: &PlanSettings) -> Result<(Cluster, Vec<Warning>), Invalid> {
    let mut pools = specs.pools.to_vec();
    pools.extend(implied::of(specs.kafka, specs.pools, |_, _| false).into_iter().map(Arc::new));
    pools.sort_by_key(|pool| pool.name_any());
    let specs = Specs { pools: &pools, ..specs };
    let Validated { wanted, mut findings } = validate(specs, settings);
    fields::say(specs.kafka, &mut findings);
    implied::say(specs.kafka, specs.pools, &mut findings);
    let cluster = wanted.map(|wanted| {
        let wishes: Vec<(usize, usize)> =
            wanted.pools.iter().map(|pool| (0, pool.replicas.unwrap_or_default())).collect();
        let sizes = size::of(&wishes, settings.max_nodes);
        let too_large = wanted.pools.iter().zip(&sizes).filter(|(_, size)| **size == Size::TooLarge);
        for (pool, _) in too_large {
            pool.say_too_large(settings.max_nodes, &mut findings);
        }
        let knows_options = wanted.knows_options;
        let cluster = made_new(wanted, &sizes, &mut findings);
        check_whole(&cluster, specs, settings, knows_options, &mut findings);
        cluster
    });
    words::of_the_resource(specs.pools, &mut findings);
    match cluster {
        Some(cluster) if findings.problems.is_empty() => {
            findings.warnings.sort();
            Ok((cluster, findings.warnings))
        }
        cluster => Err(Invalid::of(findings, cluster)),
    }
}

/// The cluster with the nodes that its pools ask for, as far as their number is acceptable.
fn made_new(wanted: Wanted, sizes: &[Size], findings: &mut Findings) -> Cluster {
    let Wanted { mut cluster, pools, node_config, .. } = wanted;
    let mut used: BTreeSet<i32> = BTreeSet::new();
    for (wanted, size) in pools.into_iter().zip(sizes) {
        let mut pool = wanted.pool;
        if *size == Size::Fits {
            let count = wanted.replicas.unwrap_or_default();
            pool.nodes = node_ids::free(count, wanted.next.into_iter(), |id| !used.contains(&id));
            used.extend(&pool.nodes);
        }
        cluster.pools.push(pool);
    }
    settle_node_config(&node_config, &mut cluster, findings);
    cluster.addresses = addresses::of(&cluster, &Exposed::default());
    cluster
}
