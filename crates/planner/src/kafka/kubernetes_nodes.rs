//! The Kubernetes nodes that brokers run on: what has to be known of them, and who may know it.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::names;

use super::cluster::{Cluster, Rack, Warning};
use super::need::Need;
use super::observed::Observed;

/// The Kubernetes nodes that run brokers: clients begin at their addresses where a listener has node ports.
pub(super) fn question(cluster: &Cluster, observed: &Observed) -> Option<Need> {
    if !cluster.has_node_ports() {
        return None;
    }
    let brokers = cluster.nodes().into_iter().filter(|node| node.pool.broker);
    let pods = brokers.filter_map(|node| observed.pods.get(&cluster.pod_name(node)));
    let names: BTreeSet<String> =
        pods.filter_map(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone())).collect();
    let is_known = names.iter().all(|name| observed.exposed.node_addresses.contains_key(name));
    (!is_known).then_some(Need::NodeAddresses(names))
}

/// What an administrator has to do where the operator may not.
pub(super) fn need_a_binding(cluster: &Cluster) -> Warning {
    let name = names::kafka_init_cluster_role_binding(&cluster.namespace, &cluster.name);
    let account = names::kafka(&cluster.name);
    let of_rack = matches!(cluster.rack, Some(Rack::TopologyLabel(_)));
    Warning {
        reason: reasons::CLUSTER_ROLE_BINDING_NOT_MADE.to_owned(),
        message: format!(
            "{}: pods read {} of their Kubernetes node, for which this operator may make no ClusterRoleBinding: have a \
             ClusterRole with the right to get nodes bound to the service account {account} of the namespace {}, for \
             example as ClusterRoleBinding {name}, or use {}",
            if of_rack { "spec.kafka.rack.topologyKey" } else { "spec.kafka.listeners" },
            if of_rack { "the label" } else { "the address" },
            cluster.namespace,
            if of_rack {
                "spec.kafka.rack.type: environment-variable"
            } else {
                "listeners of another type than nodeport"
            },
        ),
    }
}
