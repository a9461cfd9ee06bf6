//! `spec.kafka.listeners`.

mod exposure;
mod single_address;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::kafka::listeners::{Listener as Raw, ListenerAuthenticationType, ListenerConfiguration};
use api::ports;

use super::wanted::CertificateReference;
use super::{Findings, text};
use crate::kafka::cluster::{Advertised, Listener, ListenerAuthentication, PortTemplate};
use crate::kafka::older::no_longer;
use crate::option_text;

/// Listeners of a cluster, at most.
const MAX_LISTENERS: usize = 30;

/// Checks every listener and the list as a whole. With them come the certificates of the user's own that they refer to.
pub(super) fn read(raw: &[Raw], findings: &mut Findings) -> (Vec<Listener>, Vec<CertificateReference>) {
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
    if raw.len() > MAX_LISTENERS {
        findings.problem(
            "spec.kafka.listeners",
            format!(
                "has {} listeners: write at most {MAX_LISTENERS}; most of them have a Service for each broker",
                raw.len()
            ),
        );
    }
    for (index, listener) in raw.iter().take(MAX_LISTENERS).enumerate() {
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
        listeners.extend(read_listener(listener, &field, findings));
    }
    (listeners, certificates)
}

fn read_listener(raw: &Raw, field: &str, findings: &mut Findings) -> Option<Listener> {
    let in_range = raw.port >= ports::LISTENER_MIN && !ports::FORBIDDEN_LISTENER_PORTS.contains(&raw.port);
    let port = u16::try_from(raw.port).ok().filter(|_| in_range);
    if port.is_none() {
        findings.problem(
            format!("{field}.port"),
            format!(
                "{} cannot be used: choose a port from {} to 65535 other than {} and {}",
                raw.port,
                ports::LISTENER_MIN,
                ports::METRICS,
                ports::JMX
            ),
        );
    }
    let authentication = authentication(raw, field, findings);
    let default = ListenerConfiguration::default();
    let configuration = raw.configuration.as_ref().unwrap_or(&default);
    let exposure = exposure::read(raw, configuration, field, findings);
    if raw.network_policy_peers.as_ref().is_some_and(Vec::is_empty) {
        findings.warn(
            reasons::EMPTY_NETWORK_POLICY_PEERS,
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
    let advertised = advertised(configuration, &format!("{field}.configuration"), findings);
    Some(Listener {
        name: raw.name.clone(),
        port: port?,
        tls: raw.tls,
        authentication,
        peers: raw.network_policy_peers.clone().filter(|peers| !peers.is_empty()),
        exposure,
        alternative_names,
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
                } else if let Some(text) = option_text::as_text(value) {
                    config.insert(name.clone(), text);
                } else {
                    findings.problem(path, "must be text, a number, true, false or a list of them");
                }
            }
            ListenerAuthentication::Custom { sasl: authentication.sasl.unwrap_or(false), config }
        }
    }
}

/// What the resource says of the addresses that brokers tell clients.
fn advertised(raw: &ListenerConfiguration, field: &str, findings: &mut Findings) -> Advertised {
    let mut advertised =
        Advertised { host_template: raw.advertised_host_template.clone(), ..Advertised::default() };
    if let Some(template) = &raw.advertised_host_template {
        text::host_template(template, &format!("{field}.advertisedHostTemplate"), findings);
    }
    if let Some(template) = &raw.advertised_port_template {
        match PortTemplate::parse(template) {
            Ok(template) => advertised.port_template = Some(template),
            Err(complaint) => {
                findings
                    .problem(format!("{field}.advertisedPortTemplate"), format!("{template:?} {complaint}"));
            }
        }
    }
    for (index, broker) in raw.brokers.iter().flatten().enumerate() {
        if let Some(host) = &broker.advertised_host {
            text::host(host, &format!("{field}.brokers[{index}].advertisedHost"), findings);
            advertised.hosts.insert(broker.broker, host.clone());
        }
        let Some(port) = broker.advertised_port else { continue };
        match u16::try_from(port) {
            Ok(port) if port > 0 => drop(advertised.ports.insert(broker.broker, port)),
            _ => findings.problem(
                format!("{field}.brokers[{index}].advertisedPort"),
                format!("{port} is not a port: write a number from 1 to 65535"),
            ),
        }
    }
    advertised
}
