//! Port numbers, port names and internal listener names.

/// KRaft controllers.
pub const CONTROL_PLANE: i32 = 9090;
/// Traffic between brokers and from the operators.
pub const REPLICATION: i32 = 9091;
/// The lowest port a user's listener may have.
pub const LISTENER_MIN: i32 = 9092;
/// HTTPS port of the agent in Strimzi's Kafka pods. Kept reserved and listed, so that Services look the same.
pub const KAFKA_AGENT: i32 = 8443;
/// Metrics of JMX-exporter style.
pub const METRICS: i32 = 9404;
/// Remote JMX.
pub const JMX: i32 = 9999;
/// REST API of Kafka Connect and MirrorMaker 2.
pub const CONNECT_REST: i32 = 8083;
/// Default HTTP port of the bridge.
pub const BRIDGE_HTTP: i32 = 8080;
/// Management port of the bridge (health and metrics).
pub const BRIDGE_MANAGEMENT: i32 = 8081;
/// REST API of Cruise Control.
pub const CRUISE_CONTROL: i32 = 9090;
/// Health and metrics of the cluster operator.
pub const CLUSTER_OPERATOR_HTTP: i32 = 8080;
/// HTTPS port on which the cluster operator is asked before pods are evicted.
pub const CLUSTER_OPERATOR_EVICTIONS: i32 = 8443;
/// Health and metrics of the topic operator.
pub const TOPIC_OPERATOR_HTTP: i32 = 8080;
/// Health and metrics of the user operator.
pub const USER_OPERATOR_HTTP: i32 = 8081;

/// Ports that no user's listener may use although they are 9092 or higher.
pub const FORBIDDEN_LISTENER_PORTS: [i32; 2] = [METRICS, JMX];

/// The lowest port of a proxy: those below are for root alone.
pub const PROXY_MIN: i32 = 1024;

/// Name of [`CONTROL_PLANE`].
pub const CONTROL_PLANE_NAME: &str = "tcp-ctrlplane";
/// What the options of the listener for controllers begin with.
pub const CONTROL_PLANE_OPTIONS: &str = "listener.name.controlplane-9090.";
/// What the options of the listener for brokers and operators begin with.
pub const REPLICATION_OPTIONS: &str = "listener.name.replication-9091.";
/// Name of [`REPLICATION`].
pub const REPLICATION_NAME: &str = "tcp-replication";
/// Name of [`KAFKA_AGENT`].
pub const KAFKA_AGENT_NAME: &str = "tcp-kafkaagent";
/// Name of [`METRICS`].
pub const METRICS_NAME: &str = "tcp-prometheus";
/// Name of [`JMX`].
pub const JMX_NAME: &str = "jmx";
/// Name of [`CONNECT_REST`] and of [`CRUISE_CONTROL`], and of the bridge's HTTP port.
pub const REST_API_NAME: &str = "rest-api";
/// Name of [`BRIDGE_MANAGEMENT`].
pub const REST_API_MANAGEMENT_NAME: &str = "rest-api-mgmt";
/// Name of [`CLUSTER_OPERATOR_HTTP`].
pub const HTTP_NAME: &str = "http";
/// Name of [`TOPIC_OPERATOR_HTTP`].
pub const TOPIC_OPERATOR_HTTP_NAME: &str = "healthcheck-to";
/// Name of [`USER_OPERATOR_HTTP`].
pub const USER_OPERATOR_HTTP_NAME: &str = "healthcheck-uo";

/// Kafka's name for the listener of the KRaft controllers.
pub const CONTROL_PLANE_LISTENER: &str = "CONTROLPLANE-9090";
/// Kafka's name for the listener between brokers.
pub const REPLICATION_LISTENER: &str = "REPLICATION-9091";

/// Kafka's name of a user's listener: upper-case name and port, for example `PLAIN-9092`.
pub fn listener_identifier(name: &str, port: i32) -> String {
    format!("{}-{port}", name.to_uppercase())
}

/// Prefix of a listener's own Kafka properties, for example `listener.name.plain-9092.`.
pub fn listener_property_prefix(name: &str, port: i32) -> String {
    format!("listener.name.{}-{port}.", name.to_lowercase())
}

/// Port name of a user's listener in Services and pods: two old listeners keep their names.
pub fn listener_port_name(name: &str, port: i32) -> String {
    match (name, port) {
        ("plain", 9092) => "tcp-clients".to_owned(),
        ("tls", 9093) => "tcp-clientstls".to_owned(),
        _ => format!("tcp-{name}"),
    }
}

/// Name of the port of a broker in the Service of a listener with a single address.
pub fn broker_port_name(id: i32) -> String {
    format!("tcp-broker-{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_named_as_clients_and_policies_know_them() {
        assert_eq!(listener_identifier("scram", 9094), "SCRAM-9094");
        assert_eq!(listener_property_prefix("scram", 9094), "listener.name.scram-9094.");
        assert_eq!(listener_port_name("plain", 9092), "tcp-clients");
        assert_eq!(listener_port_name("plain", 9095), "tcp-plain");
        let prefix = |listener: &str| format!("listener.name.{}.", listener.to_lowercase());
        assert_eq!(prefix(CONTROL_PLANE_LISTENER), CONTROL_PLANE_OPTIONS);
        assert_eq!(prefix(REPLICATION_LISTENER), REPLICATION_OPTIONS);
        assert!(crate::env::KAFKA_BOOTSTRAP_SERVERS_DEFAULT.ends_with(&format!(":{REPLICATION}")));
    }
}
