//! Where things lie in the container of a Kafka node or of a worker, and how its agent is asked: the operator mounts and names them, the agent
//! reads and writes them.

/// Path of the request for the state of the node, answered with an [`AgentReport`](super::AgentReport) among other fields.
pub const BROKER_STATE: &str = "/v1/broker-state";

/// `brokerState` in that answer while the logs are recovered that an unclean stop left: the number is Kafka's own.
pub const RECOVERY: u8 = 2;

/// Folder of the node's ConfigMap. Its files are named by [`crate::names::keys`].
pub const CUSTOM_CONFIG: &str = "/opt/kafka/custom-config";

/// Folder of the node's Secret: its certificate and key.
pub const NODE_CERTIFICATES: &str = "/opt/kafka/node-certs";

/// Folder of the Secret with the authorities that the node trusts.
pub const TRUST_BUNDLE: &str = "/opt/kafka/trust-bundle";

/// The authority of nodes and operators, a file of [`TRUST_BUNDLE`].
pub const CLUSTER_TRUST: &str = "/opt/kafka/trust-bundle/cluster-ca.crt";

/// The authority of clients, a file of [`TRUST_BUNDLE`].
pub const CLIENTS_TRUST: &str = "/opt/kafka/trust-bundle/clients-ca.crt";

/// Folder of what the agent makes: the final configuration, key stores, its socket.
pub const MADE_BY_AGENT: &str = "/var/opt/kafka";

/// The node's key and certificate chain, a file of [`MADE_BY_AGENT`].
pub const NODE_KEYSTORE: &str = "/var/opt/kafka/node.pem";

/// Folder of what the agent finds out about the Kubernetes node.
pub const KUBERNETES_NODE: &str = "/opt/kafka/init";

/// The file of [`KUBERNETES_NODE`] with the rack.
pub const RACK_FILE: &str = "rack.id";

/// The file of [`KUBERNETES_NODE`] with the addresses.
pub const ADDRESSES_FILE: &str = "external.address";

/// Folder that the agent itself is copied to.
pub const AGENT_FOLDER: &str = "/opt/kastellan";

/// A folder with nothing in it, a folder of [`MADE_BY_AGENT`].
pub const NOTHING: &str = "/var/opt/kafka/nothing";

/// The jar with the class that makes TLS engines for Kafka, a file of [`AGENT_FOLDER`].
pub const TLS_JAR: &str = "/opt/kastellan/kastellan-tls.jar";

/// That class: it reads certificates again when they change.
pub const TLS_CLASS: &str = "io.kastellan.tls.ReloadingSslEngineFactory";

/// Folder of the Secret with the user and the password of remote JMX.
pub const JMX_CREDENTIALS: &str = "/opt/kafka/jmx";

/// Folder of the Secret with the certificates that the clients of a pod trust.
pub const TRUSTED_CERTIFICATES: &str = "/opt/kafka/trusted-certs";

/// Folder below which users mount what they add to a pod.
pub const USERS: &str = "/mnt";

/// Where a pod that is a client of Kafka finds what it proves itself by: a folder for each client.
pub const CLIENTS: &str = "/opt/kafka/clients";

/// Folder of the passwords that the agent makes ready for JAAS configurations within configurations of connectors.
pub const JAAS_PASSWORDS: &str = "/var/opt/kafka/jaas";

/// Files in [`JAAS_PASSWORDS`] with the interceptors of the clients of connectors that read and that write: empty where their jars are
/// not there, since a connector does not start with a class that is not there.
pub const INTERCEPTOR_FILES: [&str; 2] = ["consumer-interceptors", "producer-interceptors"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::keys;

    #[test]
    fn files_lie_in_their_folders() {
        assert_eq!(CLUSTER_TRUST, format!("{TRUST_BUNDLE}/{}", keys::TRUST_BUNDLE_CLUSTER_CA));
        assert_eq!(CLIENTS_TRUST, format!("{TRUST_BUNDLE}/{}", keys::TRUST_BUNDLE_CLIENTS_CA));
        for file in [NODE_KEYSTORE, JAAS_PASSWORDS, NOTHING] {
            assert!(file.starts_with(&format!("{MADE_BY_AGENT}/")));
        }
    }
}
