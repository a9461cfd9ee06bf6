//! `spec.listenersConfig`.

mod authentication;
mod outside;

use std::collections::{BTreeMap, BTreeSet};

use api::kafka::listeners::{Listener, ListenerConfiguration, ListenerType};
use api::ports;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Map, Value};

use super::brokers::Node;
use super::vault::Vault;
use crate::convert::fields::Fields;
use crate::convert::kubernetes_names;
use crate::convert::metadata;
use crate::convert::notes::Notes;
use crate::convert::options::Options;
use crate::convert::resources::plain_listener;

/// The most characters of a listener's name.
const NAME: usize = 11;

/// What listeners have to know of the brokers.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// Addresses by listener and node.
    addresses: BTreeMap<String, BTreeMap<i32, String>>,
    /// Kinds of the addresses of Kubernetes nodes.
    address_types: BTreeSet<Option<String>>,
    ids: BTreeSet<i32>,
}

impl Nodes {
    /// Adds a broker.
    pub(super) fn add(&mut self, node: &Node) {
        self.ids.insert(node.id);
        self.address_types.insert(node.address_type.clone());
        for (listener, address) in &node.addresses {
            self.addresses.entry(listener.clone()).or_default().insert(node.id, address.clone());
        }
    }

    /// The ids of all brokers.
    pub(super) fn ids(&self) -> BTreeSet<i32> {
        self.ids.clone()
    }
}

/// What comes out.
#[derive(Debug)]
pub(super) struct Found {
    /// `spec.kafka.listeners`.
    pub listeners: Vec<Listener>,
    /// Annotations of the Services in Kubernetes.
    pub service_annotations: BTreeMap<String, String>,
}

/// Takes the listeners out of a spec, and what is about one of them out of the options.
pub(super) fn take(
    spec: &mut Fields,
    cluster: &ObjectMeta,
    nodes: &Nodes,
    options: &mut Options,
    vault: &mut Vault,
    notes: &mut Notes,
) -> Found {
    let mut raw = spec
        .object("listenersConfig", notes)
        .unwrap_or_else(|| Fields::new("spec.listenersConfig", Map::new()));
    let annotations = raw.object("serviceAnnotations", notes);
    let service_annotations = annotations
        .map(|fields| metadata::pairs(&fields, metadata::Kind::Annotations, notes))
        .unwrap_or_default();
    certificates(&mut raw, notes);
    let entrances = outside::Entrances::of(spec, notes);
    let mut taken = Taken::default();
    let mut listeners = Vec::new();
    for mut internal in raw.objects("internalListeners", notes) {
        let is_of_controllers = internal.flag("usedForControllerCommunication", notes).unwrap_or(false);
        // The operator has listeners of its own for both.
        internal.take("usedForInnerBrokerCommunication");
        internal.take("usedForKafkaAdminCommunication");
        internal.take("internalStartingPort");
        internal.lost(
            "externalListenerForHostname",
            "write advertisedHostTemplate in the configuration of the listener",
            notes,
        );
        if is_of_controllers {
            let name = internal.text("name", notes).unwrap_or_default();
            options.retain(|option, _| !option.starts_with(&format!("listener.name.{name}.")));
            continue;
        }
        let base = taken.listener(&mut internal, options, vault, notes);
        internal.rest(notes);
        listeners.push(base);
    }
    for mut external in raw.objects("externalListeners", notes) {
        let name = external.remaining().get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut base = taken.listener(&mut external, options, vault, notes);
        let addresses = nodes.addresses.get(&name).cloned().unwrap_or_default();
        let of = outside::Brokers {
            cluster,
            ids: &nodes.ids,
            addresses: &addresses,
            address_types: &nodes.address_types,
        };
        let (type_, configuration) = outside::read(&mut external, &of, &entrances, notes);
        external.rest(notes);
        base.type_ = type_;
        base.configuration =
            Some(configuration).filter(|configuration| *configuration != ListenerConfiguration::default());
        listeners.push(base);
    }
    raw.rest(notes);
    authentication::take_shared(&listeners, options);
    if listeners.is_empty() {
        notes.lost(
            "spec.listenersConfig",
            &Value::Null,
            "has no listener for clients: plain on port 9092 was written",
        );
        listeners.push(plain_listener());
    }
    Found { listeners, service_annotations }
}

/// `sslSecrets`: where certificates come from.
fn certificates(raw: &mut Fields, notes: &mut Notes) {
    let Some(mut secrets) = raw.object("sslSecrets", notes) else { return };
    let is_made = secrets.flag("create", notes).unwrap_or(false);
    let path = secrets.at("tlsSecretName");
    let name = secrets.text("tlsSecretName", notes).unwrap_or_default();
    secrets.take("jksPasswordName");
    secrets.take("pkiBackend");
    let issuer = secrets.take("issuerRef");
    secrets.rest(notes);
    if !is_made || issuer.is_some() {
        notes.lost(
            path,
            &Value::from(name),
            "the operator makes an authority of its own; to use yours, put it into the Secrets <cluster>-cluster-ca-cert and \
             <cluster>-cluster-ca and write spec.clusterCa.generateCertificateAuthority: false",
        );
    } else {
        notes.changed(
            path,
            &Value::from(name),
            "the operator makes an authority of its own: clients trust the Secret <cluster>-cluster-ca-cert, and get their \
             certificates from the Secrets of KafkaUsers",
        );
    }
}

/// Names and ports that listeners have.
#[derive(Debug, Default)]
struct Taken {
    names: BTreeSet<String>,
    ports: BTreeSet<i32>,
}

impl Taken {
    /// What all listeners have in common.
    fn listener(
        &mut self,
        raw: &mut Fields,
        options: &mut Options,
        vault: &mut Vault,
        notes: &mut Notes,
    ) -> Listener {
        let given = raw.text("name", notes).unwrap_or_default();
        let plain: String = given
            .to_lowercase()
            .chars()
            .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            .take(NAME)
            .collect();
        let plain = if plain.is_empty() { "listener" } else { &plain };
        let name = kubernetes_names::unique(plain, NAME, "", &mut self.names);
        if name != given {
            notes.changed(
                raw.at("name"),
                &Value::from(given.as_str()),
                format!("names have up to {NAME} letters and digits: it is {name} now"),
            );
        }
        let port = self.port(raw, &name, notes);
        let (tls, authentication) = authentication::read(raw, &given, options, vault, notes);
        Listener {
            name,
            port,
            type_: ListenerType::Internal,
            tls,
            authentication,
            configuration: None,
            network_policy_peers: None,
        }
    }

    fn port(&mut self, raw: &mut Fields, name: &str, notes: &mut Notes) -> i32 {
        let path = raw.at("containerPort");
        let given = raw.number("containerPort", notes);
        let is_free = |port: &i32| {
            (ports::LISTENER_MIN..=65_535).contains(port)
                && !ports::FORBIDDEN_LISTENER_PORTS.contains(port)
                && !self.ports.contains(port)
        };
        let kept = given.and_then(|port| i32::try_from(port).ok()).filter(|port| is_free(port));
        let port = kept
            .or_else(|| (ports::LISTENER_MIN..=65_535).find(|port| is_free(port)))
            .unwrap_or(ports::LISTENER_MIN);
        if kept.is_none() {
            notes.changed(
                path,
                &given.into(),
                format!("cannot be the port of a listener: {name} has port {port} now, for its clients too"),
            );
        }
        self.ports.insert(port);
        port
    }
}
