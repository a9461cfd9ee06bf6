//! What a cluster with ZooKeeper left behind. Its brokers' volumes hold records whose topics are known to ZooKeeper alone: a
//! Kafka of today would take them for strangers' or for nothing. They are left as they are.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::{annotations, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube_core::ResourceExt;

use super::implied::{self, BROKERS};
use crate::findings::Findings;
use crate::kafka::observed::Observed;

/// Names that a message lists.
const SHOWN: usize = 5;

/// Says what is there of a cluster with ZooKeeper. While any of it would be formatted or run, that is a problem.
pub fn say(cluster: &str, observed: &Observed, findings: &mut Findings) {
    let component = api::names::zookeeper(cluster);
    let is_zookeepers = |metadata: &ObjectMeta| {
        let labels = metadata.labels.as_ref();
        labels.and_then(|all| all.get(labels::NAME)) == Some(&component)
    };
    let claims: BTreeSet<&str> = observed
        .claims
        .iter()
        .filter(|(_, claim)| is_zookeepers(&claim.metadata))
        .map(|(name, _)| name.as_str())
        .collect();
    let running: BTreeSet<&str> = observed
        .pods
        .iter()
        .filter(|(_, pod)| is_zookeepers(&pod.metadata))
        .map(|(name, _)| name.as_str())
        .chain(
            observed
                .pod_sets
                .iter()
                .filter(|(_, set)| is_zookeepers(&set.metadata))
                .map(|(name, _)| name.as_str()),
        )
        .collect();
    let met_zookeeper = !claims.is_empty() || !running.is_empty();
    let runs_kraft = runs_kraft(cluster, observed);
    let brokers = if runs_kraft { BTreeSet::new() } else { brokers_claims(cluster, observed, met_zookeeper) };
    if !running.is_empty() {
        findings.problem(
            "spec.zookeeper",
            format!(
                "{} run ZooKeeper, which this operator does not, and what runs is left as it is: move the cluster to KRaft with \
                 Strimzi 0.45, and hand it over then",
                list(&running)
            ),
        );
    } else if !brokers.is_empty() {
        let own = if claims.is_empty() { String::new() } else { format!(", as did {}", list(&claims)) };
        findings.problem(
            "spec.kafka.storage",
            format!(
                "the claims {} belonged to a cluster with ZooKeeper{own}: ZooKeeper alone knew the topics whose records are on them, so \
                 they are neither formatted nor used; run that cluster again with Strimzi 0.45, move it to KRaft there and hand it \
                 over, or, to begin with an empty cluster, delete the Kafka resource and these claims and create the resource \
                 again",
                list(&brokers)
            ),
        );
    } else if !claims.is_empty() {
        findings.warn(
            reasons::ZOOKEEPER_REMAINS,
            format!(
                "the claims {} hold the data of a ZooKeeper that is no more: nothing uses them; delete them to clear this \
                 warning",
                list(&claims)
            ),
        );
    }
}

/// Whether the cluster has had controllers.
fn runs_kraft(cluster: &str, observed: &Observed) -> bool {
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    let is_controller = |value: Option<&str>| value == Some("true");
    let component = api::names::kafka(cluster);
    status.is_some_and(|status| status.kafka_metadata_version.is_some())
        || observed.view.as_ref().is_some_and(|view| view.quorum.is_some())
        || observed.pods.values().any(|pod| {
            pod.labels().get(labels::NAME) == Some(&component)
                && is_controller(pod.labels().get(labels::CONTROLLER_ROLE).map(String::as_str))
        })
        || observed
            .pod_sets
            .values()
            .flat_map(|set| &set.spec.pods)
            .any(|pod| is_controller(pod["metadata"]["labels"][labels::CONTROLLER_ROLE].as_str()))
}

/// The claims that nodes of the pool of the brokers would take up, and that were made for a Kafka with ZooKeeper.
fn brokers_claims<'a>(cluster: &str, observed: &'a Observed, met_zookeeper: bool) -> BTreeSet<&'a str> {
    let Some(pool) = observed.pools.iter().find(|pool| pool.name_any() == BROKERS) else {
        return BTreeSet::new();
    };
    let pods = format!("{cluster}-{BROKERS}-");
    let of_a_broker = |name: &str| {
        let rest = name.strip_prefix("data-").unwrap_or_default();
        let after_volume = rest.split_once('-').filter(|(volume, _)| volume.parse::<u32>().is_ok());
        let mut candidates = [Some(rest), after_volume.map(|(_, pod)| pod)].into_iter().flatten();
        candidates.any(|pod| pod.strip_prefix(&pods).is_some_and(|id| id.parse::<u32>().is_ok()))
    };
    let is_older = |metadata: &ObjectMeta| {
        let label = metadata.labels.as_ref().and_then(|all| all.get(labels::POOL_NAME));
        let marked = annotations::is_true(metadata.annotations.as_ref(), annotations::IMPLIED_POOL);
        // Claims have had the name of their pool since there have been pools.
        !marked && (label.is_none() || met_zookeeper || implied::is_implied(pool))
    };
    let claims = observed.claims.iter();
    claims
        .filter(|(name, claim)| of_a_broker(name) && is_older(&claim.metadata))
        .map(|(name, _)| name.as_str())
        .collect()
}

fn list(names: &BTreeSet<&str>) -> String {
    let shown: Vec<&str> = names.iter().copied().take(SHOWN).collect();
    let more = names.len() - shown.len();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}
