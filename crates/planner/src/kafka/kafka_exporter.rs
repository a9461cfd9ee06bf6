//! The exporter of lag and offsets, as a part of the plan of a cluster.

use api::names;
use jiff::Timestamp;
use objects::{DesiredObject, Pairs};

use super::certificates::Certificates;
use super::cluster::Cluster;
use super::objects::{entity_operator, kafka_exporter, network_policy, pod_disruption_budget, rbac};
use super::observed::Observed;
use super::status::Progress;
use crate::pod_set::plan::is_ready;

/// Adds what the section asks for. A new Deployment waits until the brokers are ready: before that it has nothing to show.
pub fn plan(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    now: Timestamp,
    apply: &mut Vec<DesiredObject>,
    progress: &mut Progress,
) {
    let Some(exporter) = &cluster.kafka_exporter else { return };
    let settings = observed.settings.as_ref();
    apply.push(rbac::kafka_exporter_service_account(cluster, exporter));
    if settings.network_policies {
        apply.push(network_policy::kafka_exporter(cluster));
    }
    if settings.pod_disruption_budgets {
        apply.push(pod_disruption_budget::kafka_exporter(cluster, exporter));
    }
    let name = names::kafka_exporter::deployment(&cluster.name);
    let live = observed.deployments.get(&name).map(AsRef::as_ref);
    if live.is_none() && !brokers_are_ready(cluster, observed) {
        progress.waiting_for.push(format!("deployment {name} is made when the brokers are ready"));
        return;
    }
    // Our program reads its files again; another one has to be started with them.
    let authority = &certificates.cluster_ca;
    let started_with = match (&exporter.program, &certificates.kafka_exporter) {
        (Some(_), Some(certificate)) => {
            entity_operator::started_with(&[certificate], authority.cert_generation, authority.key_generation)
        }
        _ => Pairs::new(),
    };
    apply.push(kafka_exporter::deployment(cluster, exporter, started_with, settings, live));
    progress.deployment(&name, live, now);
}

fn brokers_are_ready(cluster: &Cluster, observed: &Observed) -> bool {
    let mut brokers = cluster.nodes().into_iter().filter(|node| node.pool.broker).peekable();
    brokers.peek().is_some()
        && brokers.all(|node| observed.pods.get(&cluster.pod_name(node)).is_some_and(|pod| is_ready(pod)))
}
