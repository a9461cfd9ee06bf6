//! The proxies of listeners with a single address, as a part of the plan of a cluster.

use api::{labels, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Service;
use kube_core::Resource;
use objects::{DesiredObject, ObjectId};

use super::addresses::broker_service;
use super::cluster::{Cluster, Listener, Node};
use super::objects::{network_policy, proxy, proxy_config};
use super::observed::Observed;
use super::status::Progress;
use crate::workload::operand::{Account, Company, Operand};

/// Adds the proxy of every listener with a single address.
pub(super) fn plan(
    cluster: &Cluster,
    observed: &Observed,
    now: Timestamp,
    apply: &mut Vec<DesiredObject>,
    progress: &mut Progress,
) {
    let settings = observed.settings.as_ref();
    for listener in &cluster.listeners {
        let Some(services) = listener.own_services() else { continue };
        let Some(single) = &services.single else { continue };
        let name = names::proxy::deployment(&cluster.name, &listener.name);
        let live = observed.deployments.get(&name).map(AsRef::as_ref);
        let brokers: Vec<Node<'_>> = cluster.nodes().into_iter().filter(|node| node.pool.broker).collect();
        let (known, unknown): (Vec<_>, Vec<_>) =
            brokers.into_iter().partition(|node| has_service(cluster, *node, listener, observed));
        // A pod that starts with some of the brokers reads the others a minute later.
        let comes = |node: &Node<'_>| !belongs_to_others(cluster, *node, listener, observed);
        let company = Company {
            account: Account::OfNamespace,
            rights: Vec::new(),
            ingress: network_policy::to_proxy(cluster, listener, single),
            budget: None,
            made_when: unknown.iter().any(comes).then_some("the Services of the brokers are"),
        };
        let component_type = labels::component::KAFKA_PROXY;
        let operand = Operand { owner: &cluster.owner(), name: &name, component_type, live };
        let planned = operand.plan(settings.switches(), company, || {
            let files = proxy_config::config_map(cluster, listener, services, single, &known);
            vec![files, proxy::deployment(cluster, listener, services, single, settings, live)]
        });
        progress.deployment(&name, planned.unavailable_since, now);
        apply.extend(planned.objects);
        progress.waiting_for.extend(planned.waiting_for);
    }
}

/// Whether the Service is there and the cluster's own: the proxy leads to no other.
fn has_service(cluster: &Cluster, node: Node<'_>, listener: &Listener, observed: &Observed) -> bool {
    observed.exposed.services.contains_key(&broker_service(cluster, node, listener))
}

fn belongs_to_others(cluster: &Cluster, node: Node<'_>, listener: &Listener, observed: &Observed) -> bool {
    let id = ObjectId {
        api_version: Service::api_version(&()).into_owned(),
        kind: Service::kind(&()).into_owned(),
        namespace: Some(cluster.namespace.clone()),
        name: broker_service(cluster, node, listener),
    };
    observed.holders.get(&id).is_some_and(Option::is_some)
}
