//! `externalListeners`: how clients outside Kubernetes reach the brokers.

use std::collections::{BTreeMap, BTreeSet};

use api::kafka::listeners::{
    ExternalTrafficPolicy, ListenerBootstrap, ListenerBroker, ListenerConfiguration, ListenerType,
    NodeAddressType, SingleAddress,
};
use api::{limits, ports};
use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::convert::fields::Fields;
use crate::convert::metadata;
use crate::convert::notes::Notes;

/// Where clients began, unless the manifest said otherwise.
const BOOTSTRAP_PORT: i32 = 29_092;

/// What koperator puts before the brokers of all listeners.
#[derive(Debug, Default)]
pub(super) struct Entrances {
    source_ranges: Option<Vec<String>>,
    address: Option<String>,
    replicas: Option<i32>,
    resources: Option<ResourceRequirements>,
    is_contour: bool,
}

impl Entrances {
    /// Reads what matters of it and leaves the rest, of which the caller speaks.
    pub(super) fn of(spec: &mut Fields, notes: &mut Notes) -> Self {
        let is_contour = spec.remaining().get("ingressController").is_some_and(|name| name == "contour");
        let mut found = Self { is_contour, ..Self::default() };
        for name in ["envoyConfig", "istioIngressConfig"] {
            let Some(section) = spec.remaining().get(name).and_then(Value::as_object) else { continue };
            let mut section = Fields::new(spec.at(name), section.clone());
            found.source_ranges =
                found.source_ranges.or_else(|| section.typed("loadBalancerSourceRanges", notes));
            found.address = found.address.or_else(|| section.text("loadBalancerIP", notes));
            found.replicas = found
                .replicas
                .or_else(|| section.number("replicas", notes).and_then(|count| i32::try_from(count).ok()));
            found.resources = found.resources.or_else(|| section.typed("resourceRequirements", notes));
        }
        found
    }
}

/// The brokers of a listener.
#[derive(Debug)]
pub(super) struct Brokers<'a> {
    /// Their cluster.
    pub cluster: &'a ObjectMeta,
    /// Their ids.
    pub ids: &'a BTreeSet<i32>,
    /// Addresses that the manifest gives them.
    pub addresses: &'a BTreeMap<i32, String>,
    /// Kinds of the addresses of their Kubernetes nodes.
    pub address_types: &'a BTreeSet<Option<String>>,
}

/// Type and configuration of a listener.
pub(super) fn read(
    raw: &mut Fields,
    brokers: &Brokers<'_>,
    entrances: &Entrances,
    notes: &mut Notes,
) -> (ListenerType, ListenerConfiguration) {
    let method = raw.text("accessMethod", notes).or_else(|| raw.text("serviceType", notes));
    let is_node_port = method.as_deref().is_some_and(|method| method.eq_ignore_ascii_case("nodeport"));
    raw.take("serviceType");
    raw.take("usedForInnerBrokerCommunication");
    let annotations = raw.object("serviceAnnotations", notes);
    let annotations = annotations
        .map(|fields| metadata::pairs(&fields, metadata::Kind::Annotations, notes))
        .unwrap_or_default();
    let mut configuration = ListenerConfiguration::default();
    if !annotations.is_empty() {
        configuration.per_broker_annotations_template = Some(annotations.clone());
        configuration.bootstrap =
            Some(ListenerBootstrap { annotations: Some(annotations), ..ListenerBootstrap::default() });
    }
    let policy = raw.at("externalTrafficPolicy");
    configuration.external_traffic_policy = match raw.text("externalTrafficPolicy", notes).as_deref() {
        None => None,
        Some("Local") => Some(ExternalTrafficPolicy::Local),
        Some("Cluster") => Some(ExternalTrafficPolicy::Cluster),
        Some(other) => {
            notes.lost(policy, &Value::from(other), "is no policy: write Local or Cluster");
            None
        }
    };
    raw.take("ingressControllerTargetPort");
    raw.lost("tlsSecretName", "write configuration.brokerCertChainAndKey with a certificate as PEM", notes);
    raw.lost(
        "config",
        "a listener has one entrance, with an address for each broker: write a listener for each further one",
        notes,
    );
    if is_node_port {
        raw.take("anyCastPort");
        on_nodes(raw, brokers, &mut configuration, notes);
        (ListenerType::NodePort, configuration)
    } else {
        balanced(raw, brokers, entrances, &mut configuration, notes);
        (ListenerType::LoadBalancer, configuration)
    }
}

fn on_nodes(
    raw: &mut Fields,
    brokers: &Brokers<'_>,
    configuration: &mut ListenerConfiguration,
    notes: &mut Notes,
) {
    let path = raw.at("externalStartingPort");
    let start = raw.number("externalStartingPort", notes).filter(|port| *port != 0);
    let port = |id: i32| {
        let port = start?.checked_add(i64::from(id))?;
        i32::try_from(port).ok().filter(|port| (1..=65_535).contains(port))
    };
    let mut of_brokers = Vec::new();
    for id in brokers.ids {
        let node_port = port(*id);
        if start.is_some() && node_port.is_none() {
            notes.lost(
                path.clone(),
                &start.into(),
                format!("gives broker {id} no possible port: Kubernetes chooses one"),
            );
        }
        let advertised_host = brokers.addresses.get(id).filter(|address| {
            let is_fine = is_host(address);
            if !is_fine {
                notes.lost(
                    format!("nodePortExternalIP of broker {id}"),
                    &Value::from(address.as_str()),
                    "is no address: write configuration.brokers[].advertisedHost in the listener",
                );
            }
            is_fine
        });
        if node_port.is_some() || advertised_host.is_some() {
            of_brokers.push(ListenerBroker {
                broker: *id,
                node_port,
                advertised_host: advertised_host.cloned(),
                ..ListenerBroker::default()
            });
        }
    }
    let at = raw.at("hostnameOverride");
    if let Some(suffix) = raw.text("hostnameOverride", notes).filter(|suffix| !suffix.is_empty()) {
        let cluster = brokers.cluster.name.as_deref().unwrap_or_default();
        let host = brokers
            .cluster
            .namespace
            .as_deref()
            .map(|namespace| format!("{cluster}-{{nodeId}}.{namespace}{suffix}"));
        match host.filter(|host| is_host(&host.replace("{nodeId}", "0"))) {
            Some(template) => {
                for broker in &mut of_brokers {
                    broker.advertised_host = None;
                }
                configuration.advertised_host_template = Some(template);
            }
            None => notes.lost(
                at,
                &Value::from(suffix),
                "the namespace is not in the manifest: write configuration.advertisedHostTemplate, for example \
                 <cluster>-{nodeId}.<namespace><suffix>",
            ),
        }
    }
    of_brokers.retain(|broker| broker.node_port.is_some() || broker.advertised_host.is_some());
    configuration.brokers = Some(of_brokers).filter(|brokers| !brokers.is_empty());
    configuration.preferred_node_port_address_type = address_type(brokers.address_types, notes);
}

fn address_type(types: &BTreeSet<Option<String>>, notes: &mut Notes) -> Option<NodeAddressType> {
    let named: Vec<&String> = types.iter().flatten().collect();
    let first = named.first()?;
    let found = NodeAddressType::ALL.iter().copied().find(|one| one.as_str() == first.as_str());
    if found.is_none() || types.len() > 1 {
        notes.lost(
            "nodePortNodeAddressType",
            &Value::from(first.as_str()),
            "a listener has one kind of address for all brokers: look at configuration.preferredNodePortAddressType",
        );
    }
    found
}

fn balanced(
    raw: &mut Fields,
    brokers: &Brokers<'_>,
    entrances: &Entrances,
    configuration: &mut ListenerConfiguration,
    notes: &mut Notes,
) {
    let path = raw.at("externalStartingPort");
    let start = raw.number("externalStartingPort", notes);
    let begin = raw.number("anyCastPort", notes).and_then(|port| i32::try_from(port).ok());
    let begin = begin.filter(|port| is_port(*port)).unwrap_or(BOOTSTRAP_PORT);
    let given = start.and_then(|port| i32::try_from(port).ok());
    let fits = |first: &i32| {
        brokers.ids.iter().all(|id| {
            let port = first.checked_add(*id).filter(|port| is_port(*port));
            port.is_some_and(|port| port != begin)
        })
    };
    let first = given
        .into_iter()
        .chain([SingleAddress::FIRST_BROKER_PORT])
        .find(|first| is_port(*first) && fits(first));
    if let Some(first) = first {
        configuration.per_broker_annotations_template = None;
        configuration.single_address = Some(SingleAddress {
            bootstrap_port: Some(begin),
            first_broker_port: Some(first),
            replicas: entrances.replicas.filter(|pods| (1..=20).contains(pods)),
            resources: entrances.resources.clone(),
        });
        notes.changed(
            path,
            &start.into(),
            format!(
                "one load balancer for the whole listener, as before, through a proxy of the operator's (singleAddress, which is no \
                 field of Strimzi's): clients begin at port {begin}, and broker 0 has port {first}"
            ),
        );
    } else {
        notes.changed(
            path,
            &start.into(),
            "leaves a broker without a port of its own: each broker has a load balancer of its own now, and one more is for the \
             first connection",
        );
    }
    hostname(raw, configuration, notes);
    if !brokers.addresses.is_empty() {
        notes.lost(
            "nodePortExternalIP",
            &Value::Null,
            "means nothing for a load balancer, and was left out: write configuration.brokers[].advertisedHost if clients need it",
        );
    }
    configuration.load_balancer_source_ranges.clone_from(&entrances.source_ranges);
    if let Some(address) = &entrances.address {
        bootstrap(configuration).load_balancer_ip = Some(address.clone());
    }
    if entrances.is_contour {
        notes.lost(
            raw.path(),
            &Value::from("contour"),
            "a load balancer was written: for one entrance by host name, write type: tlsroute with the Gateway in parentRefs, and a \
             hostTemplate",
        );
        raw.take("brokerFQDNTemplate");
    }
}

/// `hostnameOverride`: the name that leads to the load balancer.
fn hostname(raw: &mut Fields, configuration: &mut ListenerConfiguration, notes: &mut Notes) {
    let path = raw.at("hostnameOverride");
    let Some(host) = raw.text("hostnameOverride", notes).filter(|host| !host.is_empty()) else { return };
    if !is_host(&host) {
        notes.lost(
            path,
            &Value::from(host),
            "is no name of a host: write configuration.advertisedHostTemplate",
        );
    } else if configuration.single_address.is_some() {
        configuration.advertised_host_template = Some(host);
    } else {
        notes.lost(
            path,
            &Value::from(host.as_str()),
            "one name cannot lead to several load balancers: let it lead to the first one, and write \
             configuration.advertisedHostTemplate with a name for each broker, such as broker-{nodeId}.example.org",
        );
        bootstrap(configuration).alternative_names = Some(vec![host]);
    }
}

/// Whether a proxy can have the port.
fn is_port(port: i32) -> bool {
    (ports::PROXY_MIN..=65_535).contains(&port) && port != ports::METRICS
}

fn bootstrap(configuration: &mut ListenerConfiguration) -> &mut ListenerBootstrap {
    configuration.bootstrap.get_or_insert_with(ListenerBootstrap::default)
}

fn is_host(text: &str) -> bool {
    limits::is_dns_name(text) || text.parse::<std::net::IpAddr>().is_ok()
}
