//! The cluster that is planned: what the resources ask for, as far as it can be had with what exists.

use api::Kafka;
use jiff::Timestamp;
use kube_core::ResourceExt;

use super::address_switch;
use super::addresses;
use super::cluster::Cluster;
use super::config::live;
use super::last_advertised;
use super::observed::Observed;
use super::older::{fields, implied, words, zookeeper};
use super::references;
use super::transitions::cluster_id::ClusterId;
use super::transitions::internal_security;
use super::transitions::pools::{self, Seen};
use super::transitions::quorum::QuorumState;
use super::transitions::tiered_storage;
use super::transitions::upgrade::Upgrade;
use super::transitions::volume_removal::Cordons;
use super::validate::{Invalid, Specs, Validated, Wanted, check_whole, settle_node_config, validate};
use crate::findings::{Findings, Held, Warning};

/// A cluster that can be planned.
#[derive(Debug)]
pub struct Settled {
    /// The cluster.
    pub cluster: Cluster,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// What is asked for and not carried out.
    pub held: Vec<Held>,
}

/// Leads from the resources and from what exists to the cluster.
///
/// # Errors
/// When something is wrong with the resources, by themselves or with what exists.
pub fn settle(kafka: &Kafka, observed: &Observed, now: Timestamp) -> Result<Settled, Invalid> {
    let specs = Specs { kafka, pools: &observed.pools };
    let Validated { wanted, mut findings } = validate(specs, &observed.settings);
    fields::say(kafka, &mut findings);
    implied::say(kafka, &observed.pools, &mut findings);
    zookeeper::say(&kafka.name_any(), observed, &mut findings);
    let cluster = wanted.map(|wanted| {
        let knows_options = wanted.knows_options;
        let cluster = with_what_exists(wanted, observed, now, &mut findings);
        tiered_storage::check(kafka, observed, &mut findings);
        check_whole(&cluster, specs, &observed.settings, knows_options, &mut findings);
        cluster
    });
    words::of_the_resource(&observed.pools, &mut findings);
    match cluster {
        Some(cluster) if findings.problems.is_empty() => {
            Ok(Settled { cluster, warnings: findings.warnings, held: findings.held })
        }
        cluster => Err(Invalid::of(findings, cluster)),
    }
}

fn with_what_exists(wanted: Wanted, observed: &Observed, now: Timestamp, findings: &mut Findings) -> Cluster {
    let Wanted { mut cluster, pools, node_config, logging, metrics, certificates, .. } = wanted;
    let quorum = QuorumState::of(observed);
    let level = observed.view.as_ref().and_then(|view| view.metadata_level);
    let cordons = Cordons(live::can_cordon(cluster.version.model(), level));
    let seen = Seen { observed, quorum: &quorum, cordons, now };
    cluster.pools = pools::settle(&cluster.name, &pools, &seen, findings);
    settle_node_config(&node_config, &mut cluster, findings);
    cluster.quorum = quorum.quorum(observed, &cluster.pools);
    cluster.cluster_id = ClusterId::of(observed).into_id();
    internal_security::settle(&mut cluster, observed, findings);
    let upgrade = Upgrade::of(&cluster.name, &cluster.version, observed);
    upgrade.say(&cluster.version, findings);
    cluster.metadata_version = upgrade.metadata_version(&cluster.metadata_version);
    let mut addresses = addresses::of(&cluster, &observed.exposed);
    address_switch::hold_back(&cluster, address_switch::of(&cluster, observed), &mut addresses);
    last_advertised::fill(&cluster, observed, &mut addresses);
    cluster.addresses = addresses;
    references::resolve(&mut cluster, &logging, metrics.as_ref(), &certificates, observed, findings);
    cluster
}
