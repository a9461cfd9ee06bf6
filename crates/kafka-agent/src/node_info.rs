//! What a node needs to know of its Kubernetes node: rack and addresses. Pure.

use std::fmt::Write as _;

use serde::Deserialize;

/// Types of node addresses in the order in which they are preferred for clients from outside.
const PREFERENCE: [&str; 5] = ["ExternalDNS", "ExternalIP", "InternalDNS", "InternalIP", "Hostname"];

/// The part of a Kubernetes Node that matters here.
#[derive(Debug, Default, Deserialize)]
pub struct Node {
    /// Its metadata.
    #[serde(default)]
    pub metadata: Metadata,
    /// Its status.
    #[serde(default)]
    pub status: Status,
}

/// Metadata of the node.
#[derive(Debug, Default, Deserialize)]
pub struct Metadata {
    /// Labels.
    #[serde(default)]
    pub labels: std::collections::BTreeMap<String, String>,
}

/// Status of the node.
#[derive(Debug, Default, Deserialize)]
pub struct Status {
    /// Addresses.
    #[serde(default)]
    pub addresses: Vec<Address>,
}

/// An address of the node.
#[derive(Debug, Deserialize)]
pub struct Address {
    /// `ExternalIP` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// The address.
    pub address: String,
}

/// The node does not tell what is asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// A label is missing.
    #[error(
        "the node {node} has no label {key}, which spec.kafka.rack.topologyKey names; label the node, or use one of: {present}"
    )]
    NoLabel {
        /// The node.
        node: String,
        /// The label.
        key: String,
        /// The labels it has.
        present: String,
    },
    /// No address.
    #[error("the node {node} has no address that a node-port listener could advertise")]
    NoAddress {
        /// The node.
        node: String,
    },
}

/// Content of `rack.id`: the value of the node's label `key`.
pub fn rack(name: &str, node: &Node, key: &str) -> Result<String, NodeError> {
    node.metadata.labels.get(key).cloned().ok_or_else(|| NodeError::NoLabel {
        node: name.to_owned(),
        key: key.to_owned(),
        present: node.metadata.labels.keys().cloned().collect::<Vec<_>>().join(", "),
    })
}

/// Content of `external.address`: one line `nodeport.TYPE.address=ADDRESS` for each type of address, in lower case, and
/// `nodeport.default.address=` with the most preferred one, which also stands for a type that the node has no address of.
pub fn external_addresses(name: &str, node: &Node) -> Result<String, NodeError> {
    let of_kind = |kind: &str| {
        let found = node.status.addresses.iter().find(|address| address.kind == kind);
        found.map(|address| address.address.as_str())
    };
    let default = PREFERENCE.into_iter().find_map(of_kind);
    let default = default.ok_or_else(|| NodeError::NoAddress { node: name.to_owned() })?;
    let mut lines = format!("nodeport.default.address={default}\n");
    for kind in PREFERENCE {
        // Writing to a string cannot fail.
        let _ =
            writeln!(lines, "nodeport.{}.address={}", kind.to_lowercase(), of_kind(kind).unwrap_or(default));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        serde_json::from_str(
            r#"{"metadata":{"name":"n","labels":{"zone":"a"}},"spec":{},"status":{"addresses":[
                {"type":"Hostname","address":"n.local"},{"type":"InternalIP","address":"10.0.0.7"},{"type":"InternalIP","address":"fd00::7"}]}}"#,
        )
        .unwrap()
    }

    #[test]
    fn the_preferred_address_is_the_default() {
        assert_eq!(
            external_addresses("n", &node()).unwrap(),
            "nodeport.default.address=10.0.0.7\nnodeport.externaldns.address=10.0.0.7\n\
             nodeport.externalip.address=10.0.0.7\nnodeport.internaldns.address=10.0.0.7\n\
             nodeport.internalip.address=10.0.0.7\nnodeport.hostname.address=n.local\n"
        );
        assert_eq!(external_addresses("n", &Node::default()), Err(NodeError::NoAddress { node: "n".into() }));
    }

    #[test]
    fn the_rack_is_a_label_and_a_missing_one_is_named() {
        assert_eq!(rack("n", &node(), "zone").unwrap(), "a");
        let message = rack("n", &node(), "region").unwrap_err().to_string();
        assert!(message.contains("no label region") && message.contains("zone"), "{message}");
    }
}
