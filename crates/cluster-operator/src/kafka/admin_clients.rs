//! Admin clients of each cluster, with the operator's own certificate: one for the brokers, one for the controllers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, Reach, TlsConfig};
use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;

use planner::kafka::certificates::access::access;
use planner::kafka::observed::Observed;
use planner::kafka::pod_state;
use planner::kafka::transitions::internal_security;

/// Longest time for one call. Brokers that are up answer within milliseconds; a pass must not hang on one that is not.
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
    addresses: Vec<String>,
    speaks_tls: bool,
    identity: u64,
    admin: Admin,
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
        let addresses = addresses(key, nodes, observed);
        let Some(speech) = speech(observed).filter(|_| !addresses.is_empty()) else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        if let Speech::Tls(tls) = &speech {
            tls.trusted_certificates_pem.hash(&mut hasher);
            if let Some(identity) = &tls.identity {
                (&identity.certificate_chain_pem, &identity.key_pem).hash(&mut hasher);
            }
        }
        let identity = hasher.finish();
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get_mut(&(key.clone(), nodes))
            && known.addresses == addresses
            && known.speaks_tls == speech.is_tls()
        {
            if let Speech::Tls(tls) = &speech
                && known.identity != identity
            {
                known.admin.update_tls(tls)?;
                known.identity = identity;
            }
            return Ok(Some(known.admin.clone()));
        }
        let speaks_tls = speech.is_tls();
        let config = match nodes {
            Nodes::Brokers => AdminConfig::brokers(addresses.clone()),
            Nodes::Controllers => AdminConfig::controllers(addresses.clone()),
        };
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
        let admin = Admin::new(config)?;
        all.insert((key.clone(), nodes), Known { addresses, speaks_tls, identity, admin: admin.clone() });
        Ok(Some(admin))
    }

    /// Ends the clients of a cluster that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for nodes in [Nodes::Brokers, Nodes::Controllers] {
            all.remove(&(key.clone(), nodes));
        }
    }
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

    fn pod(
        name: &str,
        ready: bool,
        running: bool,
        controller: bool,
    ) -> (String, Arc<k8s_openapi::api::core::v1::Pod>) {
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
}
