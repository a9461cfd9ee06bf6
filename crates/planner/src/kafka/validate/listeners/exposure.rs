//! How clients reach a listener, and the options that mean something for it.

use api::kafka::listeners::{
    ExternalTrafficPolicy, Listener, ListenerBootstrap, ListenerBroker, ListenerConfiguration, ListenerType,
};

use super::single_address;
use crate::findings::Findings;
use crate::kafka::cluster::{Entry, Exposure, OwnServices, Way};
use crate::kafka::validate::text;
use ListenerType::{ClusterIp, Ingress, Internal, LoadBalancer, NodePort, Route, TlsRoute};

/// Bytes of labels or annotations that every broker gets.
const MOST_OF_EVERY_BROKER: usize = api::limits::REPEATED_METADATA;
/// What is not internal.
const NOT_INTERNAL: &[ListenerType] = &[ClusterIp, NodePort, LoadBalancer, Ingress, Route, TlsRoute];
/// What leads to a host name of its own.
const BY_HOST: &[ListenerType] = &[Ingress, Route, TlsRoute];
/// What has ports on the Kubernetes nodes.
const ON_NODES: &[ListenerType] = &[NodePort, LoadBalancer];

/// Reads how clients reach a listener.
pub(super) fn read(
    raw: &Listener,
    configuration: &ListenerConfiguration,
    field: &str,
    findings: &mut Findings,
) -> Exposure {
    let field = format!("{field}.configuration");
    inapplicable(raw.type_, configuration, &field, findings);
    let with_dns_domain = configuration.use_service_dns_domain.unwrap_or(false);
    if raw.type_ == Internal {
        return Exposure::Internal { with_dns_domain };
    }
    let traffic = configuration.external_traffic_policy.unwrap_or(ExternalTrafficPolicy::Cluster);
    let class = configuration.class.clone();
    let way = match raw.type_ {
        Internal | ClusterIp => Way::ClusterIp { with_dns_domain },
        NodePort => Way::NodePort { preferred: configuration.preferred_node_port_address_type, traffic },
        LoadBalancer => Way::LoadBalancer {
            traffic,
            class,
            source_ranges: configuration.load_balancer_source_ranges.clone().unwrap_or_default(),
            bootstrap: configuration.create_bootstrap_service.unwrap_or(true),
            finalizers: each_once(configuration.finalizers.as_deref().unwrap_or_default()),
            node_ports: configuration.allocate_load_balancer_node_ports,
        },
        Ingress => Way::Ingress { class },
        Route => Way::Route,
        TlsRoute => Way::TlsRoute { parents: configuration.parent_refs.clone().unwrap_or_default() },
    };
    hosts(raw, configuration, &field, findings);
    let single = single_address::read(raw, configuration, &field, findings);
    Exposure::OwnServices(Box::new(OwnServices {
        way,
        ip_family_policy: configuration.ip_family_policy,
        ip_families: configuration.ip_families.clone().unwrap_or_default(),
        publish_not_ready: configuration.publish_not_ready_addresses.unwrap_or(false),
        bootstrap: configuration.bootstrap.as_ref().map(of_bootstrap).unwrap_or_default(),
        brokers: configuration
            .brokers
            .iter()
            .flatten()
            .map(|broker| (broker.broker, of_broker(broker)))
            .collect(),
        every_broker: Entry {
            host: configuration.host_template.clone(),
            annotations: configuration.per_broker_annotations_template.clone().unwrap_or_default(),
            labels: configuration.per_broker_labels_template.clone().unwrap_or_default(),
            ..Entry::default()
        },
        single,
    }))
}

/// The API server takes no finalizer twice.
fn each_once(all: &[String]) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for one in all {
        if !once.contains(one) {
            once.push(one.clone());
        }
    }
    once
}

fn of_bootstrap(raw: &ListenerBootstrap) -> Entry {
    Entry {
        host: raw.host.clone(),
        node_port: raw.node_port,
        load_balancer_ip: raw.load_balancer_ip.clone(),
        external_ips: raw.external_ips.clone().unwrap_or_default(),
        annotations: raw.annotations.clone().unwrap_or_default(),
        labels: raw.labels.clone().unwrap_or_default(),
    }
}

fn of_broker(raw: &ListenerBroker) -> Entry {
    Entry {
        host: raw.host.clone(),
        node_port: raw.node_port,
        load_balancer_ip: raw.load_balancer_ip.clone(),
        external_ips: raw.external_ips.clone().unwrap_or_default(),
        annotations: raw.annotations.clone().unwrap_or_default(),
        labels: raw.labels.clone().unwrap_or_default(),
    }
}

/// Host names, and what else a type cannot do without.
fn hosts(raw: &Listener, configuration: &ListenerConfiguration, field: &str, findings: &mut Findings) {
    let type_ = raw.type_.as_str();
    if matches!(raw.type_, Ingress | Route) && !raw.tls {
        let field = field.strip_suffix(".configuration").unwrap_or(field);
        findings.problem(
            format!("{field}.tls"),
            format!("a listener of type {type_:?} is reached by the host name in TLS: write tls: true"),
        );
    }
    let bootstrap = configuration.bootstrap.as_ref().and_then(|bootstrap| bootstrap.host.as_deref());
    if matches!(raw.type_, Ingress | TlsRoute) && bootstrap.is_none() {
        findings.problem(
            format!("{field}.bootstrap.host"),
            format!("is missing: a listener of type {type_:?} needs a host name with which clients begin"),
        );
    }
    if raw.type_ == TlsRoute && configuration.parent_refs.as_ref().is_none_or(Vec::is_empty) {
        findings.problem(
            format!("{field}.parentRefs"),
            "is missing: name the Gateway that the TLSRoutes attach to, for example [{name: gateway, namespace: infra}]",
        );
    }
    if let Some(host) = bootstrap {
        text::host(host, &format!("{field}.bootstrap.host"), findings);
    }
    if let Some(template) = &configuration.host_template {
        text::host_template(template, &format!("{field}.hostTemplate"), findings);
    }
    for (index, broker) in configuration.brokers.iter().flatten().enumerate() {
        if let Some(host) = &broker.host {
            text::host(host, &format!("{field}.brokers[{index}].host"), findings);
        }
    }
    metadata(configuration, field, findings);
}

/// Labels and annotations: those of the operators cannot be replaced, and what is repeated for every broker has bounds.
fn metadata(configuration: &ListenerConfiguration, field: &str, findings: &mut Findings) {
    let bytes = |pairs: Option<&objects::Pairs>| -> usize {
        pairs.into_iter().flatten().map(|(key, value)| key.len() + value.len()).sum()
    };
    for (name, pairs) in [
        ("perBrokerLabelsTemplate", configuration.per_broker_labels_template.as_ref()),
        ("perBrokerAnnotationsTemplate", configuration.per_broker_annotations_template.as_ref()),
    ] {
        let size = bytes(pairs);
        if size > MOST_OF_EVERY_BROKER {
            findings.problem(
                format!("{field}.{name}"),
                format!(
                    "has {size} bytes, and may have {MOST_OF_EVERY_BROKER}, because every broker gets them"
                ),
            );
        }
    }
    let mut check = |keys: Option<&objects::Pairs>, path: String| {
        for key in keys.into_iter().flat_map(objects::Pairs::keys) {
            if api::labels::is_set_by_operators(key) {
                findings.problem(
                    &path,
                    format!("{key:?} is set by the operator: remove it, or choose a name of your own"),
                );
            }
        }
    };
    let bootstrap = configuration.bootstrap.as_ref();
    check(bootstrap.and_then(|all| all.labels.as_ref()), format!("{field}.bootstrap.labels"));
    check(bootstrap.and_then(|all| all.annotations.as_ref()), format!("{field}.bootstrap.annotations"));
    check(configuration.per_broker_labels_template.as_ref(), format!("{field}.perBrokerLabelsTemplate"));
    let template = configuration.per_broker_annotations_template.as_ref();
    check(template, format!("{field}.perBrokerAnnotationsTemplate"));
    for (index, broker) in configuration.brokers.iter().flatten().enumerate() {
        check(broker.labels.as_ref(), format!("{field}.brokers[{index}].labels"));
        check(broker.annotations.as_ref(), format!("{field}.brokers[{index}].annotations"));
    }
}

/// Options that mean nothing for the type of a listener.
fn inapplicable(
    type_: ListenerType,
    configuration: &ListenerConfiguration,
    field: &str,
    findings: &mut Findings,
) {
    const LB: &[ListenerType] = &[LoadBalancer];
    let raw = configuration;
    let bootstrap = raw.bootstrap.clone().unwrap_or_default();
    let mut options: Vec<(String, bool, &[ListenerType])> = [
        ("useServiceDnsDomain", raw.use_service_dns_domain.is_some(), &[Internal, ClusterIp][..]),
        ("createBootstrapService", raw.create_bootstrap_service.is_some(), LB),
        ("ipFamilyPolicy", raw.ip_family_policy.is_some(), NOT_INTERNAL),
        ("ipFamilies", raw.ip_families.is_some(), NOT_INTERNAL),
        ("publishNotReadyAddresses", raw.publish_not_ready_addresses.is_some(), NOT_INTERNAL),
        ("class", raw.class.is_some(), &[Ingress, LoadBalancer]),
        ("preferredNodePortAddressType", raw.preferred_node_port_address_type.is_some(), &[NodePort]),
        ("externalTrafficPolicy", raw.external_traffic_policy.is_some(), ON_NODES),
        ("loadBalancerSourceRanges", raw.load_balancer_source_ranges.is_some(), LB),
        ("allocateLoadBalancerNodePorts", raw.allocate_load_balancer_node_ports.is_some(), LB),
        ("finalizers", raw.finalizers.is_some(), LB),
        ("hostTemplate", raw.host_template.is_some(), BY_HOST),
        ("perBrokerAnnotationsTemplate", raw.per_broker_annotations_template.is_some(), NOT_INTERNAL),
        ("perBrokerLabelsTemplate", raw.per_broker_labels_template.is_some(), NOT_INTERNAL),
        ("parentRefs", raw.parent_refs.is_some(), &[TlsRoute]),
        ("singleAddress", raw.single_address.is_some(), &[LoadBalancer, NodePort, ClusterIp]),
        ("bootstrap.host", bootstrap.host.is_some(), BY_HOST),
        ("bootstrap.nodePort", bootstrap.node_port.is_some(), ON_NODES),
        ("bootstrap.loadBalancerIP", bootstrap.load_balancer_ip.is_some(), LB),
        ("bootstrap.annotations", bootstrap.annotations.is_some(), NOT_INTERNAL),
        ("bootstrap.labels", bootstrap.labels.is_some(), NOT_INTERNAL),
        ("bootstrap.externalIPs", bootstrap.external_ips.is_some(), &[NodePort]),
    ]
    .into_iter()
    .map(|(name, is_set, types)| (name.to_owned(), is_set, types))
    .collect();
    for (index, broker) in raw.brokers.iter().flatten().enumerate() {
        let name = |name: &str| format!("brokers[{index}].{name}");
        options.extend([
            (name("host"), broker.host.is_some(), BY_HOST),
            (name("nodePort"), broker.node_port.is_some(), ON_NODES),
            (name("loadBalancerIP"), broker.load_balancer_ip.is_some(), LB),
            (name("annotations"), broker.annotations.is_some(), NOT_INTERNAL),
            (name("labels"), broker.labels.is_some(), NOT_INTERNAL),
            (name("externalIPs"), broker.external_ips.is_some(), &[NodePort]),
        ]);
    }
    for (name, is_set, types) in options {
        if is_set && !types.contains(&type_) {
            let fitting: Vec<&str> = types.iter().map(|type_| type_.as_str()).collect();
            findings.problem(
                format!("{field}.{name}"),
                format!(
                    "does not apply to a listener of type {:?}, only to {}: remove it",
                    type_.as_str(),
                    fitting.join(", ")
                ),
            );
        }
    }
}
