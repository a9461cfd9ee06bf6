//! Who may connect to the pods of Kafka, of the entity operator and of the exporter.

use api::{labels, names, ports};
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use objects::{DesiredObject, Pairs};

use super::meta::{component_labels, kafka_labels, kafka_selector};
use super::proxy;
use crate::kafka::cluster::{Cluster, Listener, SingleAddress};
use crate::kafka::components;
use crate::kafka::observed::PlanSettings;
use crate::workload::network_policy::{self, pods, policy_port, rule};

/// The policy of the Kafka pods.
pub fn kafka(cluster: &Cluster, settings: &PlanSettings) -> DesiredObject {
    let kafka = pods(kafka_selector(cluster));
    let operator = network_policy::operator_peer(&cluster.namespace, &settings.operator_place());
    let named = |name: String| pods([(labels::NAME.to_owned(), name)].into());
    let clients = components::clients(&cluster.name).map(named);
    let mut ingress = vec![
        rule(ports::CONTROL_PLANE, Some(vec![kafka.clone(), operator.clone()])),
        rule(ports::REPLICATION, Some([operator.clone(), kafka].into_iter().chain(clients).collect())),
        rule(ports::KAFKA_AGENT, Some(vec![operator])),
    ];
    for listener in &cluster.listeners {
        // Behind a proxy the clients connect to that, and it alone to the brokers.
        let from_proxy = || vec![pods(proxy::selector(cluster, listener))];
        let from = listener.single_address().map_or_else(|| listener.peers.clone(), |_| Some(from_proxy()));
        ingress.push(rule(i32::from(listener.port), from));
    }
    ingress.extend(cluster.metrics.as_ref().map(|_| rule(ports::METRICS, None)));
    ingress.extend(cluster.jmx.map(|_| rule(ports::JMX, None)));
    policy(cluster, names::kafka_network_policy(&cluster.name), kafka_labels(cluster), ingress)
}

/// The policy of the entity operator: only its probes and metrics are there to connect to.
pub fn entity_operator(cluster: &Cluster, topic: bool, user: bool) -> DesiredObject {
    let name = names::entity_operator::deployment(&cluster.name);
    let mut ingress = Vec::new();
    if topic {
        ingress.push(rule(ports::TOPIC_OPERATOR_HTTP, None));
    }
    if user {
        ingress.push(rule(ports::USER_OPERATOR_HTTP, None));
    }
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    policy(cluster, name, labels, ingress)
}

/// The policy of the exporter: everybody may scrape it.
pub fn kafka_exporter(cluster: &Cluster) -> DesiredObject {
    let name = names::kafka_exporter::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::KAFKA_EXPORTER);
    policy(cluster, name, labels, vec![rule(ports::METRICS, None)])
}

/// The policy of a proxy: clients of the listener, and everybody for its figures.
pub fn proxy(cluster: &Cluster, listener: &Listener, single: &SingleAddress) -> DesiredObject {
    let name = names::proxy::deployment(&cluster.name, &listener.name);
    let labels = component_labels(cluster, &name, labels::component::KAFKA_PROXY);
    let brokers = cluster.broker_ids().into_iter().filter_map(|id| single.broker_port(id));
    let for_clients = std::iter::once(single.bootstrap_port).chain(brokers);
    let clients = NetworkPolicyIngressRule {
        ports: Some(for_clients.map(|port| policy_port(i32::from(port))).collect()),
        from: listener.peers.clone(),
    };
    policy(cluster, name, labels, vec![clients, rule(ports::METRICS, None)])
}

fn policy(
    cluster: &Cluster,
    name: String,
    labels: Pairs,
    ingress: Vec<NetworkPolicyIngressRule>,
) -> DesiredObject {
    network_policy::policy(&cluster.owner(), name, labels, ingress)
}
