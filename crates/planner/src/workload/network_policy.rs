//! NetworkPolicies: who may connect to pods.

use api::labels;
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::{DesiredObject, Object, Owner, Pairs};

/// Where the cluster operator runs, as far as it knows.
#[derive(Debug, Clone, Copy)]
pub struct OperatorPlace<'a> {
    /// Its namespace.
    pub namespace: Option<&'a str>,
    /// Labels that select its namespace; empty: none were configured.
    pub labels: &'a Pairs,
}

/// The policy of the pods that the labels select.
pub(crate) fn policy(
    owner: &Owner,
    name: String,
    labels: Pairs,
    ingress: Vec<NetworkPolicyIngressRule>,
) -> DesiredObject {
    let spec = NetworkPolicySpec {
        pod_selector: Some(selector(labels::selector(&labels))),
        ingress: Some(ingress),
        policy_types: Some(vec!["Ingress".to_owned()]),
        ..NetworkPolicySpec::default()
    };
    let body = NetworkPolicy { spec: Some(spec), ..NetworkPolicy::default() };
    Object::new(owner, name, labels, body).build()
}

/// Lets these peers connect to a port; `None`: everybody.
pub(crate) fn rule(port: i32, from: Option<Vec<NetworkPolicyPeer>>) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { ports: Some(vec![policy_port(port)]), from }
}

/// A TCP port.
pub(crate) fn policy_port(port: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    }
}

fn selector(labels: Pairs) -> LabelSelector {
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// The pods of the namespace with these labels.
pub(crate) fn pods(labels: Pairs) -> NetworkPolicyPeer {
    NetworkPolicyPeer { pod_selector: Some(selector(labels)), ..NetworkPolicyPeer::default() }
}

/// The cluster operator: in its own namespace when that is this one, else in namespaces with the configured labels, and
/// without these in its own by the label with which Kubernetes names a namespace. Only an operator that does not know where
/// it runs is let in from any namespace.
pub(crate) fn operator_peer(namespace: &str, operator: &OperatorPlace<'_>) -> NetworkPolicyPeer {
    let pods = pods([(labels::KIND.to_owned(), labels::KIND_CLUSTER_OPERATOR.to_owned())].into());
    if operator.namespace == Some(namespace) {
        return pods;
    }
    let namespaces = match operator.namespace {
        _ if !operator.labels.is_empty() => selector(operator.labels.clone()),
        Some(namespace) => {
            selector([(labels::KUBERNETES_NAMESPACE_NAME.to_owned(), namespace.to_owned())].into())
        }
        // A selector without labels selects every namespace.
        None => LabelSelector::default(),
    };
    NetworkPolicyPeer { namespace_selector: Some(namespaces), ..pods }
}
