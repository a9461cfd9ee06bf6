//! The exporter of lag and offsets, as a part of the plan of a cluster.

use api::{labels, names, ports};
use jiff::Timestamp;
use objects::{DesiredObject, Pairs};

use super::certificates::Certificates;
use super::cluster::Cluster;
use super::objects::{entity_operator, kafka_exporter};
use super::observed::Observed;
use super::status::Progress;
use crate::pod_words::is_ready;
use crate::workload::network_policy::rule;
use crate::workload::operand::{Account, Company, Operand};

/// Adds what the section asks for. A new Deployment waits until the brokers are ready: before that it has nothing to show.
pub(super) fn plan(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    now: Timestamp,
    apply: &mut Vec<DesiredObject>,
    progress: &mut Progress,
) {
    let Some(exporter) = &cluster.kafka_exporter else { return };
    let settings = observed.settings.as_ref();
    let name = names::kafka_exporter::deployment(&cluster.name);
    let live = observed.deployments.get(&name).map(AsRef::as_ref);
    let company = Company {
        // It may do nothing in Kubernetes.
        account: Account::Own(exporter.templates.service_account.as_ref()),
        rights: Vec::new(),
        // Everybody may scrape it.
        ingress: vec![rule(ports::METRICS, None)],
        budget: exporter.templates.pod_disruption_budget.as_ref(),
        made_when: (!brokers_are_ready(cluster, observed)).then_some("the brokers are ready"),
    };
    let component_type = labels::component::KAFKA_EXPORTER;
    let operand = Operand { owner: &cluster.owner(), name: &name, component_type, live };
    let planned = operand.plan(settings.switches(), company, || {
        // Our program reads its files again; another one has to be started with them.
        let authority = &certificates.cluster_ca;
        let started_with = match (&exporter.program, &certificates.kafka_exporter) {
            (Some(_), Some(certificate)) => {
                let (cert, key) = (authority.cert_generation, authority.key_generation);
                entity_operator::started_with(&[certificate], cert, key)
            }
            _ => Pairs::new(),
        };
        vec![kafka_exporter::deployment(cluster, exporter, started_with, settings, live)]
    });
    progress.deployment(&name, planned.unavailable_since, now);
    apply.extend(planned.objects);
    progress.waiting_for.extend(planned.waiting_for);
}

fn brokers_are_ready(cluster: &Cluster, observed: &Observed) -> bool {
    let mut brokers = cluster.nodes().into_iter().filter(|node| node.pool.broker).peekable();
    brokers.peek().is_some()
        && brokers.all(|node| observed.pods.get(&cluster.pod_name(node)).is_some_and(|pod| is_ready(pod)))
}
