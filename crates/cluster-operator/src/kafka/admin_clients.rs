//! Admin clients of each cluster, with the operator's own certificate: one for the brokers, one for the controllers.
//!
//! Whoever may make Services in a namespace can have names of it lead anywhere, also to the Kafka of another tenant, where the operator
//! may go and that person may not. So no node is asked for anything before it has said that it belongs to the cluster with the id that
//! the nodes were started with; and where no certificate proves who a node is, only the addresses of pods of the cluster's own pod sets
//! are connected to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, Reach, TlsConfig};
use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;

use planner::kafka::certificates::access::access;
use planner::kafka::observed::Observed;
use planner::kafka::pod_state;
use planner::kafka::transitions::cluster_id::known_cluster_id;
use planner::kafka::transitions::internal_security;

use crate::lock::lock;

/// Longest time for one call. Brokers that are up answer within milliseconds; a pass must not hang on a broker that is down.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// The longest answer of a broker that is read, in MiB, unless `KASTELLAN_MAX_ANSWER_MIB` says otherwise: three times the list
/// of 100,000 partitions of three replicas in 10,000 topics. The brokers of all tenants share one operator, which must not run
/// out of its 256 MiB because one of them answers nonsense.
pub(crate) const MAX_ANSWER_DEFAULT: i64 = 16;

/// How many times the longest answer the values of one answer may take in memory.
const DECODED: usize = 3;

/// How many times the longest answer all clusters together may be reading.
const TOGETHER: usize = 4;

/// How many times the nodes that a cluster may have are read of an answer: some are registered that are no more.
const REGISTERED: usize = 4;

/// Which nodes of a cluster are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Nodes {
    /// Brokers, through the cluster's Service while one of them is ready, and else, or when that does not help, one after
    /// the other: a broker that is not ready may serve all the same.
    Brokers,
    /// Controllers, one after the other.
    Controllers,
}

/// The clients of all clusters.
pub(crate) struct Clients {
    known: Mutex<HashMap<(ObjectRef, Nodes), Known>>,
    longest: usize,
    room: AnswerRoom,
}

struct Known {
    route: Route,
    identity: u64,
    admin: Admin,
}

/// How the nodes of a cluster are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Route {
    /// Who is asked first, and who else.
    addresses: Vec<String>,
    /// Where the hosts are; `None`: certificates prove who the nodes are, and names may lead where they will.
    hosts: Option<BTreeMap<String, IpAddr>>,
    /// The id of the cluster; `None`: it is not written down anywhere.
    cluster_id: Option<String>,
}

impl Route {
    fn of(key: &ObjectRef, nodes: Nodes, observed: &Observed, speaks_tls: bool) -> Self {
        let hosts = (!speaks_tls).then(|| hosts(key, observed));
        let mut addresses = addresses(key, nodes, observed);
        if let Some(hosts) = &hosts {
            let is_known =
                |address: &str| address.rsplit_once(':').is_some_and(|(host, _)| hosts.contains_key(host));
            addresses.retain(|address| is_known(address));
        }
        Self { addresses, hosts, cluster_id: known_cluster_id(observed) }
    }
}

impl Clients {
    /// With a bound for the length of an answer in bytes.
    pub(crate) fn new(longest_answer: usize) -> Self {
        Self {
            known: Mutex::default(),
            longest: longest_answer,
            room: AnswerRoom::new(longest_answer * TOGETHER),
        }
    }

    /// The client for nodes of a cluster; `None` while its certificates are not there yet, or no such node runs.
    pub(crate) fn get(
        &self,
        key: &ObjectRef,
        nodes: Nodes,
        observed: &Observed,
    ) -> Result<Option<Admin>, AdminError> {
        let Some((speech, route)) = speech_and_route(key, nodes, observed) else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        if let Speech::Tls(tls) = &speech {
            tls.trusted_certificates_pem.hash(&mut hasher);
            if let Some(identity) = &tls.identity {
                (&identity.certificate_chain_pem, &identity.key_pem).hash(&mut hasher);
            }
        }
        let identity = hasher.finish();
        let mut all = lock(&self.known);
        if let Some(known) = all.get_mut(&(key.clone(), nodes))
            && known.route == route
        {
            if let Speech::Tls(tls) = &speech
                && known.identity != identity
            {
                known.admin.update_tls(tls)?;
                known.identity = identity;
            }
            return Ok(Some(known.admin.clone()));
        }
        let admin = self.make(key, nodes, observed, speech, &route)?;
        all.insert((key.clone(), nodes), Known { route, identity, admin: admin.clone() });
        Ok(Some(admin))
    }

    /// A new client that shares no connection with others; its connections end when it is dropped. `None` as for [`Self::get`].
    pub(crate) fn unshared(
        &self,
        key: &ObjectRef,
        nodes: Nodes,
        observed: &Observed,
    ) -> Result<Option<Admin>, AdminError> {
        let Some((speech, route)) = speech_and_route(key, nodes, observed) else { return Ok(None) };
        self.make(key, nodes, observed, speech, &route).map(Some)
    }

    fn make(
        &self,
        key: &ObjectRef,
        nodes: Nodes,
        observed: &Observed,
        speech: Speech,
        route: &Route,
    ) -> Result<Admin, AdminError> {
        let mut config = match nodes {
            Nodes::Brokers => AdminConfig::brokers(&route.addresses),
            Nodes::Controllers => AdminConfig::controllers(&route.addresses),
        };
        config.hosts.clone_from(&route.hosts);
        config.cluster_id.clone_from(&route.cluster_id);
        let config = match speech {
            Speech::Tls(tls) => config.with_tls(tls),
            Speech::Plain => config,
        };
        let config = config
            .with_client_id("strimzi-cluster-operator")
            .with_request_timeout(CALL_DEADLINE)
            .with_max_answer_bytes(self.longest)
            .with_max_answer_memory(self.longest * DECODED)
            .with_reach(reach(key, nodes, observed))
            .with_max_nodes(observed.settings.max_nodes.saturating_mul(REGISTERED))
            .with_answer_room(self.room.clone());
        Admin::new(config)
    }

    /// Ends the clients of a cluster that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        let mut all = lock(&self.known);
        for nodes in [Nodes::Brokers, Nodes::Controllers] {
            all.remove(&(key.clone(), nodes));
        }
    }
}

/// How nodes of a cluster are spoken with, and where they are; `None` while its certificates are not there yet, or no such node runs.
fn speech_and_route(key: &ObjectRef, nodes: Nodes, observed: &Observed) -> Option<(Speech, Route)> {
    let speech = speech(observed)?;
    let route = Route::of(key, nodes, observed, speech.is_tls());
    (!route.addresses.is_empty()).then_some((speech, route))
}

/// The nodes of the cluster alone: its author decides what its brokers say, and has them name any host.
fn reach(key: &ObjectRef, nodes: Nodes, observed: &Observed) -> Reach {
    let domain = api::names::service_dns(&api::names::brokers_service(&key.name), &key.namespace);
    let whole = format!("{domain}.{}", observed.settings.dns_domain);
    Reach::new([domain, whole], port(nodes))
}

fn port(nodes: Nodes) -> u16 {
    let port = match nodes {
        Nodes::Brokers => api::ports::REPLICATION,
        Nodes::Controllers => api::ports::CONTROL_PLANE,
    };
    u16::try_from(port).unwrap_or_default()
}

/// Where to ask. Nodes whose container runs have a name of their own under the Service without an address.
fn addresses(key: &ObjectRef, nodes: Nodes, observed: &Observed) -> Vec<String> {
    let (is_one, port): (fn(&_) -> bool, _) = match nodes {
        Nodes::Brokers => (pod_state::is_broker, api::ports::REPLICATION),
        Nodes::Controllers => (pod_state::is_controller, api::ports::CONTROL_PLANE),
    };
    let mut addresses = Vec::new();
    if nodes == Nodes::Brokers && pod_state::some_broker_is_ready(observed) {
        let service = api::names::bootstrap_service(&key.name);
        addresses.push(format!("{}:{port}", api::names::service_dns(&service, &key.namespace)));
    }
    for (name, pod) in &observed.pods {
        if is_one(pod) && pod_state::kafka_runs(pod) {
            addresses.push(format!("{}:{port}", api::names::pod_dns(&key.name, name, &key.namespace)));
        }
    }
    addresses
}

/// Where the pods are that run Kafka and that a pod set of the cluster controls, under every name that they have.
fn hosts(key: &ObjectRef, observed: &Observed) -> BTreeMap<String, IpAddr> {
    let mut hosts = BTreeMap::new();
    for (name, pod) in &observed.pods {
        if let Some(ip) = own_address(pod, observed).filter(|_| pod_state::kafka_runs(pod)) {
            let host = api::names::pod_dns(&key.name, name, &key.namespace);
            hosts.insert(format!("{host}.{}", observed.settings.dns_domain), ip);
            hosts.insert(host, ip);
        }
    }
    hosts
}

/// The address of a pod that a pod set of the cluster controls.
pub(super) fn own_address(pod: &Pod, observed: &Observed) -> Option<IpAddr> {
    let sets: BTreeSet<&str> =
        observed.pod_sets.values().filter_map(|set| set.metadata.uid.as_deref()).collect();
    let mut owners = pod.metadata.owner_references.iter().flatten();
    let is_own = owners.any(|owner| owner.controller == Some(true) && sets.contains(owner.uid.as_str()));
    let ip = pod.status.as_ref()?.pod_ip.as_deref()?.parse::<IpAddr>().ok();
    ip.filter(|ip| is_own && !ip.is_loopback() && !ip.is_unspecified())
}

/// How the operator speaks with the nodes of a cluster.
#[derive(Debug)]
pub(super) enum Speech {
    /// As a cluster wants it whose internal security is off.
    Plain,
    /// With TLS.
    Tls(TlsConfig),
}

impl Speech {
    fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

/// Whether the operator speaks TLS with the nodes, whom it trusts and what it shows; `None`: nothing is there that it could show.
pub(super) fn speech(observed: &Observed) -> Option<Speech> {
    if !internal_security::in_use(observed).encrypts() {
        return Some(Speech::Plain);
    }
    let access = access(observed, clock::now())?;
    Some(Speech::Tls(TlsConfig::new(access.trusted).with_identity(access.certificate, access.key.0)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn pod(name: &str, ready: bool, running: bool, controller: bool) -> (String, Arc<Pod>) {
        let state =
            if running { json!({"running": {}}) } else { json!({"waiting": {"reason": "CrashLoopBackOff"}}) };
        let pod = json!({
            "metadata": {"name": name, "labels": {
                "strimzi.io/broker-role": "true", "strimzi.io/controller-role": controller.to_string()}},
            "status": {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
                "containerStatuses": [{"name": "kafka", "ready": ready, "restartCount": 0, "image": "", "imageID": "", "state": state}],
            },
        });
        (name.to_owned(), Arc::new(serde_json::from_value(pod).unwrap()))
    }

    #[test]
    fn every_node_that_runs_is_asked_and_the_service_only_when_it_leads_somewhere() {
        let key = ObjectRef::new("ns", "c");
        let mut observed = Observed::default();
        observed.pods.extend([pod("c-p-0", false, true, true), pod("c-p-1", false, false, true)]);
        assert_eq!(addresses(&key, Nodes::Brokers, &observed), ["c-p-0.c-kafka-brokers.ns.svc:9091"]);
        observed.pods.extend([pod("c-p-2", true, true, false)]);
        assert_eq!(
            addresses(&key, Nodes::Brokers, &observed),
            [
                "c-kafka-bootstrap.ns.svc:9091",
                "c-p-0.c-kafka-brokers.ns.svc:9091",
                "c-p-2.c-kafka-brokers.ns.svc:9091"
            ]
        );
        assert_eq!(addresses(&key, Nodes::Controllers, &observed), ["c-p-0.c-kafka-brokers.ns.svc:9090"]);
    }

    /// A cluster of one node, whose internal security is as this annotation has it.
    fn cluster(security: Option<&str>) -> Observed {
        let annotations = security.map(|value| json!({"strimzi.io/internal-cluster-security": value}));
        let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
            "metadata": {"name": "c", "namespace": "ns", "uid": "u", "annotations": annotations},
            "spec": {"kafka": {"listeners": []}}, "status": {"clusterId": "own"}});
        let set = json!({"metadata": {"name": "c-p", "uid": "set"}, "spec": {"selector": {}, "pods": []}});
        let mut observed =
            Observed { kafka: Some(Arc::new(serde_json::from_value(kafka).unwrap())), ..Observed::default() };
        observed.pod_sets.insert("c-p".to_owned(), Arc::new(serde_json::from_value(set).unwrap()));
        observed.pods.extend([pod("c-p-0", true, true, true)]);
        owned(&mut observed, "c-p-0", "set", "10.0.0.5");
        observed
    }

    fn owned(observed: &mut Observed, name: &str, set: &str, ip: &str) {
        let pod = Arc::make_mut(observed.pods.get_mut(name).unwrap());
        let owner = json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "name": "c-p",
            "uid": set, "controller": true});
        pod.metadata.owner_references = Some(vec![serde_json::from_value(owner).unwrap()]);
        pod.status.as_mut().unwrap().pod_ip = Some(ip.to_owned());
    }

    #[test]
    fn where_nothing_proves_who_a_node_is_only_own_pods_are_connected_to() {
        let key = ObjectRef::new("ns", "c");
        let mut observed =
            cluster(Some(r#"{"encryption": {"type": "none"}, "authentication": {"type": "none"}}"#));
        observed.pods.extend([pod("c-p-1", true, true, true), pod("c-p-2", true, true, true)]);
        owned(&mut observed, "c-p-1", "of somebody else", "10.0.0.6");
        owned(&mut observed, "c-p-2", "set", "127.0.0.1");
        let clients = Clients::new(1024 * 1024);
        for (nodes, address) in [
            (Nodes::Brokers, "c-p-0.c-kafka-brokers.ns.svc:9091"),
            (Nodes::Controllers, "c-p-0.c-kafka-brokers.ns.svc:9090"),
        ] {
            let admin = clients.get(&key, nodes, &observed).unwrap().unwrap();
            assert_eq!(admin.config().bootstrap, [address]);
            let hosts: Vec<_> = admin.config().hosts.clone().unwrap().into_iter().collect();
            let at = |host: &str| (host.to_owned(), IpAddr::from([10, 0, 0, 5]));
            let names =
                [at("c-p-0.c-kafka-brokers.ns.svc"), at("c-p-0.c-kafka-brokers.ns.svc.cluster.local")];
            assert_eq!(hosts, names);
            assert_eq!(admin.config().cluster_id.as_deref(), Some("own"));
        }
        // The pod was made anew.
        owned(&mut observed, "c-p-0", "set", "10.0.0.7");
        let admin = clients.get(&key, Nodes::Brokers, &observed).unwrap().unwrap();
        let hosts = admin.config().hosts.clone().unwrap();
        assert!(hosts.values().all(|ip| *ip == IpAddr::from([10, 0, 0, 7])), "{hosts:?}");
    }

    #[test]
    fn a_client_that_is_not_shared_is_of_the_same_nodes_and_is_not_kept() {
        let key = ObjectRef::new("ns", "c");
        let observed =
            cluster(Some(r#"{"encryption": {"type": "none"}, "authentication": {"type": "none"}}"#));
        let clients = Clients::new(1024 * 1024);
        let unshared = clients.unshared(&key, Nodes::Brokers, &observed).unwrap().unwrap();
        assert!(lock(&clients.known).is_empty());
        let shared = clients.get(&key, Nodes::Brokers, &observed).unwrap().unwrap();
        assert_eq!(format!("{:?}", unshared.config()), format!("{:?}", shared.config()));
    }

    #[test]
    fn nobody_is_asked_without_certificates_where_no_own_pod_has_an_address() {
        let key = ObjectRef::new("ns", "c");
        let mut observed =
            cluster(Some(r#"{"encryption": {"type": "none"}, "authentication": {"type": "none"}}"#));
        owned(&mut observed, "c-p-0", "of somebody else", "10.0.0.5");
        let clients = Clients::new(1024 * 1024);
        assert!(clients.get(&key, Nodes::Brokers, &observed).unwrap().is_none());
    }
}
