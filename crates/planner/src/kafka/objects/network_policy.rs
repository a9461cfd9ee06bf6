//! Who may connect to the pods of Kafka and of proxies.

use api::{labels, names, ports};
use k8s_openapi::api::networking::v1::NetworkPolicyIngressRule;
use objects::DesiredObject;

use super::meta::{kafka_labels, kafka_selector};
use super::proxy;
use crate::kafka::cluster::{Cluster, Listener, SingleAddress};
use crate::kafka::components;
use crate::settings::PlanSettings;
use crate::workload::network_policy::{self, pods, policy_port, rule};

/// The policy of the Kafka pods.
pub(crate) fn kafka(cluster: &Cluster, settings: &PlanSettings) -> DesiredObject {
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
    let name = names::kafka_network_policy(&cluster.name);
    network_policy::policy(&cluster.owner(), name, kafka_labels(cluster), ingress)
}

/// Who may connect to a proxy: clients of the listener, and everybody for its figures.
pub(crate) fn to_proxy(
    cluster: &Cluster,
    listener: &Listener,
    single: &SingleAddress,
) -> Vec<NetworkPolicyIngressRule> {
    let brokers = cluster.broker_ids().into_iter().filter_map(|id| single.broker_port(id));
    let for_clients = std::iter::once(single.bootstrap_port).chain(brokers);
    let clients = NetworkPolicyIngressRule {
        ports: Some(for_clients.map(|port| policy_port(i32::from(port))).collect()),
        from: listener.peers.clone(),
    };
    vec![clients, rule(ports::METRICS, None)]
}
