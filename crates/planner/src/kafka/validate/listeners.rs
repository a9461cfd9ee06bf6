//! `spec.kafka.listeners`.

use std::collections::{BTreeMap, BTreeSet};

use api::kafka::listeners::{
    Listener as Raw, ListenerAuthenticationType, ListenerConfiguration, ListenerType,
};
use api::ports;

use super::wanted::CertificateReference;
use super::{Findings, text};
use crate::kafka::cluster::{Advertised, Exposure, Listener, ListenerAuthentication};
use crate::kafka::config::user;
use crate::kafka::older::no_longer;

/// Checks every listener and the list as a whole. With them come the certificates of the user's own that they refer to.
pub fn read(raw: &[Raw], findings: &mut Findings) -> (Vec<Listener>, Vec<CertificateReference>) {
    let mut names = BTreeSet::new();
    let mut used = BTreeMap::new();
    let (mut listeners, mut certificates) = (Vec::new(), Vec::new());
    if raw.is_empty() {
        findings.problem(
            "spec.kafka.listeners",
            "is empty: add at least one listener, for example \
            {name: plain, port: 9092, type: internal, tls: false}",
        );
    }
    for (index, listener) in raw.iter().enumerate() {
        let field = format!("spec.kafka.listeners[{index}]");
        if !names.insert(listener.name.as_str()) {
            findings.problem(
                format!("{field}.name"),
                format!("{:?} is used twice: give each listener a name of its own", listener.name),
            );
        }
        let well_formed = (1..=11).contains(&listener.name.len())
            && listener.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !well_formed {
            findings.problem(
                format!("{field}.name"),
                format!("{:?} must be 1 to 11 lower-case letters and digits", listener.name),
            );
        }
        if let Some(other) = used.insert(listener.port, listener.name.as_str()) {
            findings.problem(
                format!("{field}.port"),
                format!(
                    "{} is already used by listener {other:?}: give each listener a port of its own",
                    listener.port
                ),
            );
        }
        certificates.extend(certificate(listener, &field, findings));
        listeners.extend(one(listener, &field, findings));
    }
    (listeners, certificates)
}

fn one(raw: &Raw, field: &str, findings: &mut Findings) -> Option<Listener> {
    let in_range = raw.port >= ports::LISTENER_MIN && !ports::FORBIDDEN_LISTENER_PORTS.contains(&raw.port);
    let port = u16::try_from(raw.port).ok().filter(|_| in_range);
    if port.is_none() {
        findings.problem(
            format!("{field}.port"),
            format!(
                "{} cannot be used: choose a port from {} to 65535 other than 9404 and 9999",
                raw.port,
                ports::LISTENER_MIN
            ),
        );
    }
    let authentication = authentication(raw, field, findings);
    let default = ListenerConfiguration::default();
    let configuration = raw.configuration.as_ref().unwrap_or(&default);
    let exposure = exposure(raw.type_, configuration, field, findings);
    if let Some(template) = &configuration.advertised_host_template {
        text::host_template(template, &format!("{field}.configuration.advertisedHostTemplate"), findings);
    }
    if raw.network_policy_peers.as_ref().is_some_and(Vec::is_empty) {
        findings.warn(
            "EmptyNetworkPolicyPeers",
            format!(
                "{field}.networkPolicyPeers is an empty list, which lets everybody connect: remove it if that is meant, \
                 or name who may connect"
            ),
        );
    }
    let bootstrap = configuration.bootstrap.as_ref();
    let alternative_names =
        bootstrap.and_then(|bootstrap| bootstrap.alternative_names.clone()).unwrap_or_default();
    for (index, name) in alternative_names.iter().enumerate() {
        let path = format!("{field}.configuration.bootstrap.alternativeNames[{index}]");
        text::host(name.strip_prefix("*.").unwrap_or(name), &path, findings);
    }
    let mut advertised = BTreeMap::new();
    for (index, broker) in configuration.brokers.iter().flatten().enumerate() {
        if let Some(host) = &broker.advertised_host {
            text::host(host, &format!("{field}.configuration.brokers[{index}].advertisedHost"), findings);
        }
        let own_port = broker.advertised_port.map(u16::try_from);
        if matches!(own_port, Some(Err(_))) {
            findings.problem(
                format!("{field}.configuration.brokers[{index}].advertisedPort"),
                format!(
                    "{} is not a port: write a number from 1 to 65535",
                    broker.advertised_port.unwrap_or_default()
                ),
            );
        }
        let (host, port) = (broker.advertised_host.clone(), own_port.and_then(Result::ok));
        advertised.insert(broker.broker, Advertised { host, port });
    }
    Some(Listener {
        name: raw.name.clone(),
        port: port?,
        tls: raw.tls,
        authentication,
        peers: raw.network_policy_peers.clone().filter(|peers| !peers.is_empty()),
        exposure,
        alternative_names,
        advertised_host_template: configuration.advertised_host_template.clone(),
        advertised,
        max_connections: configuration.max_connections.map(i64::from),
        max_connection_creation_rate: configuration.max_connection_creation_rate.map(i64::from),
        certificate: None,
    })
}

/// The certificate of the user's own that a listener refers to.
fn certificate(raw: &Raw, field: &str, findings: &mut Findings) -> Option<CertificateReference> {
    let reference = raw.configuration.as_ref()?.broker_cert_chain_and_key.as_ref()?;
    let field = format!("{field}.configuration.brokerCertChainAndKey");
    if !raw.tls {
        findings.problem(field, "needs an encrypted listener: set tls: true, or remove it");
        return None;
    }
    Some(CertificateReference {
        listener: raw.name.clone(),
        field,
        secret: reference.secret_name.clone(),
        certificate: reference.certificate.clone(),
        key: reference.key.clone(),
    })
}

fn authentication(raw: &Raw, field: &str, findings: &mut Findings) -> ListenerAuthentication {
    let Some(authentication) = &raw.authentication else {
        return ListenerAuthentication::None;
    };
    match authentication.type_ {
        ListenerAuthenticationType::Tls => {
            if !raw.tls {
                findings.problem(
                    format!("{field}.authentication.type"),
                    "\"tls\" needs an encrypted listener: set tls: true, or choose scram-sha-512",
                );
            }
            ListenerAuthentication::Tls
        }
        ListenerAuthenticationType::ScramSha512 => ListenerAuthentication::ScramSha512,
        ListenerAuthenticationType::Oauth => {
            findings.problem(format!("{field}.authentication.type"), no_longer::OAUTH_LISTENER);
            ListenerAuthentication::None
        }
        ListenerAuthenticationType::Custom => {
            if authentication.secrets.as_ref().is_some_and(|secrets| !secrets.is_empty()) {
                findings.problem(format!("{field}.authentication.secrets"), no_longer::CUSTOM_SECRETS);
            }
            let mut config = BTreeMap::new();
            for (name, value) in authentication.listener_config.iter().flatten() {
                let path = format!("{field}.authentication.listenerConfig");
                if !text::option_name(name, &path, findings) {
                    continue;
                }
                let path = format!("{path}.{name}");
                if name.starts_with("ssl.keystore.") {
                    findings.problem(path, "the key store is the operator's: remove the option");
                } else if let Some(text) = user::as_text(value) {
                    config.insert(name.clone(), text);
                } else {
                    findings.problem(path, "must be text, a number, true, false or a list of them");
                }
            }
            ListenerAuthentication::Custom { sasl: authentication.sasl.unwrap_or(false), config }
        }
    }
}

/// How clients reach the listener; a kind that is not there yet is a problem, and an internal one in its place.
fn exposure(
    type_: ListenerType,
    configuration: &ListenerConfiguration,
    field: &str,
    findings: &mut Findings,
) -> Exposure {
    if type_ != ListenerType::Internal {
        findings.problem(
            format!("{field}.type"),
            format!("{:?} is not available yet: use \"internal\"", type_.as_str()),
        );
    }
    inapplicable(configuration, field, findings);
    Exposure::Internal { with_dns_domain: configuration.use_service_dns_domain.unwrap_or(false) }
}

/// Options that mean nothing on an internal listener.
fn inapplicable(configuration: &ListenerConfiguration, field: &str, findings: &mut Findings) {
    let set = [
        ("class", configuration.class.is_some()),
        ("externalTrafficPolicy", configuration.external_traffic_policy.is_some()),
        ("loadBalancerSourceRanges", configuration.load_balancer_source_ranges.is_some()),
        ("ipFamilyPolicy", configuration.ip_family_policy.is_some()),
        ("ipFamilies", configuration.ip_families.is_some()),
        ("createBootstrapService", configuration.create_bootstrap_service.is_some()),
        ("finalizers", configuration.finalizers.is_some()),
        ("preferredNodePortAddressType", configuration.preferred_node_port_address_type.is_some()),
        ("publishNotReadyAddresses", configuration.publish_not_ready_addresses.is_some()),
        ("perBrokerAnnotationsTemplate", configuration.per_broker_annotations_template.is_some()),
        ("perBrokerLabelsTemplate", configuration.per_broker_labels_template.is_some()),
        ("hostTemplate", configuration.host_template.is_some()),
        ("allocateLoadBalancerNodePorts", configuration.allocate_load_balancer_node_ports.is_some()),
        ("parentRefs", configuration.parent_refs.is_some()),
    ];
    for (name, is_set) in set {
        if is_set {
            findings.problem(
                format!("{field}.configuration.{name}"),
                "does not apply to a listener of type \"internal\": remove it",
            );
        }
    }
    if configuration.advertised_port_template.is_some() {
        findings.problem(
            format!("{field}.configuration.advertisedPortTemplate"),
            "is not available yet: use brokers[].advertisedPort",
        );
    }
}
