//! `singleAddress` of a listener.

use api::kafka::listeners::{
    ExternalTrafficPolicy, Listener, ListenerConfiguration, ListenerType, SingleAddress as Raw,
};
use api::ports;

use crate::findings::Findings;
use crate::kafka::cluster::SingleAddress;
use crate::kafka::validate::resources;

/// Pods that a proxy may have.
const MOST_REPLICAS: i32 = 20;

/// Reads the section. What does not go with it is a problem.
pub(super) fn read(
    listener: &Listener,
    configuration: &ListenerConfiguration,
    field: &str,
    findings: &mut Findings,
) -> Option<SingleAddress> {
    let raw = configuration.single_address.as_ref()?;
    contradictions(listener, configuration, field, findings);
    let field = format!("{field}.singleAddress");
    let replicas = raw.replicas.unwrap_or(Raw::REPLICAS);
    if !(1..=MOST_REPLICAS).contains(&replicas) {
        findings.problem(
            format!("{field}.replicas"),
            format!("{replicas} is not possible: write a number from 1 to {MOST_REPLICAS}"),
        );
    }
    let bootstrap_port = raw.bootstrap_port.unwrap_or(listener.port);
    let bootstrap_port = port(bootstrap_port, &format!("{field}.bootstrapPort"), findings);
    let first_broker_port = raw.first_broker_port.unwrap_or(Raw::FIRST_BROKER_PORT);
    // Whether the port of a broker would be that of the metrics is checked where the node ids are known.
    let first_broker_port = port(first_broker_port, &format!("{field}.firstBrokerPort"), findings);
    resources::claims(raw.resources.as_ref(), &format!("{field}.resources"), findings);
    Some(SingleAddress {
        bootstrap_port: bootstrap_port?,
        first_broker_port: first_broker_port?,
        replicas,
        resources: raw.resources.clone(),
    })
}

fn port(number: i32, field: &str, findings: &mut Findings) -> Option<u16> {
    let is_possible = number >= ports::PROXY_MIN && number != ports::METRICS;
    let port = u16::try_from(number).ok().filter(|_| is_possible);
    if port.is_none() {
        findings.problem(
            field,
            format!(
                "{number} cannot be used: choose a port from {} to 65535 other than {}",
                ports::PROXY_MIN,
                ports::METRICS
            ),
        );
    }
    port
}

/// Options of the addresses that single brokers would have, and what would hide the one address.
fn contradictions(
    listener: &Listener,
    configuration: &ListenerConfiguration,
    field: &str,
    findings: &mut Findings,
) {
    let mut problem = |name: String, what: &str| findings.problem(format!("{field}.{name}"), what);
    if configuration.create_bootstrap_service == Some(false) {
        let what =
            "false does not go with singleAddress, whose one Service it is: remove it, or singleAddress";
        problem("createBootstrapService".to_owned(), what);
    }
    let is_local = configuration.external_traffic_policy == Some(ExternalTrafficPolicy::Local);
    if listener.type_ == ListenerType::NodePort && is_local {
        let what = "\"Local\" does not go with singleAddress of a listener of type \"nodeport\", because the proxy does not run on \
            the Kubernetes node of each broker: write Cluster";
        problem("externalTrafficPolicy".to_owned(), what);
    }
    for (index, broker) in configuration.brokers.iter().flatten().enumerate() {
        let what = "does not go with singleAddress, because all brokers have the address of bootstrap: write it there, or remove it";
        for (name, is_set) in [
            ("loadBalancerIP", broker.load_balancer_ip.is_some()),
            ("externalIPs", broker.external_ips.is_some()),
        ] {
            if is_set {
                problem(format!("brokers[{index}].{name}"), what);
            }
        }
    }
}
