//! The name of every object the operators make, as a function of the name of its custom resource.
//!
//! `c` is always the name of the custom resource (the cluster), `pool` that of a node pool, `id` a node id.
//! These names are visible to clients, users and dashboards and must not change.

pub mod bridge;
pub mod connect;
pub mod cruise_control;
pub mod mirror_maker;
pub mod mirror_maker2;
pub mod proxy;

/// Value of the label `strimzi.io/name` on objects that belong to no single component (CAs, the trust bundle).
pub const SHARED_COMPONENT_NAME: &str = "strimzi";

/// The pool of the brokers that a Kafka resource of an older version describes itself. Its pods and claims have the names that
/// those of a cluster with ZooKeeper had.
pub const IMPLIED_BROKER_POOL: &str = "kafka";
/// The pool of the controllers that stand in the place of ZooKeeper.
pub const IMPLIED_CONTROLLER_POOL: &str = "controller";

/// Component name of ZooKeeper's nodes, where there were any: value of `strimzi.io/name` and name of their StrimziPodSet.
pub fn zookeeper(c: &str) -> String {
    format!("{c}-zookeeper")
}

/// Component name of the Kafka nodes: value of `strimzi.io/name`, name of their Role, ServiceAccount and
/// PodDisruptionBudget.
pub fn kafka(c: &str) -> String {
    format!("{c}-kafka")
}

/// Of the webhook for evictions: its ValidatingWebhookConfiguration and Service, and the Secret with its certificate.
pub const EVICTION_WEBHOOK: &str = "kastellan-evictions";

/// Of the webhook for evictions within its ValidatingWebhookConfiguration.
pub const EVICTION_WEBHOOK_ENTRY: &str = "evictions.kastellan.io";

/// StrimziPodSet of a node pool.
pub fn pod_set(c: &str, pool: &str) -> String {
    format!("{c}-{pool}")
}

/// Pod of one node; also the name of its ConfigMap and of its certificate Secret.
pub fn pod(c: &str, pool: &str, id: i32) -> String {
    format!("{c}-{pool}-{id}")
}

/// Service that clients inside Kubernetes bootstrap from.
pub fn bootstrap_service(c: &str) -> String {
    format!("{c}-kafka-bootstrap")
}

/// Headless Service that gives every Kafka pod its DNS name.
pub fn brokers_service(c: &str) -> String {
    format!("{c}-kafka-brokers")
}

/// DNS name of a Service inside the cluster, without the cluster's DNS domain: `<service>.<namespace>.svc`.
pub fn service_dns(service: &str, namespace: &str) -> String {
    format!("{service}.{namespace}.svc")
}

/// DNS name of a Kafka pod behind the headless Service, without the cluster's DNS domain.
pub fn pod_dns(c: &str, pod: &str, namespace: &str) -> String {
    format!("{pod}.{c}-kafka-brokers.{namespace}.svc")
}

/// True for the one listener whose objects keep the names they had before listeners had names.
fn has_old_external_name(listener: &str, port: i32) -> bool {
    listener == "external" && port == 9094
}

/// Bootstrap Service of a listener that is not `internal`.
pub fn external_bootstrap_service(c: &str, listener: &str) -> String {
    format!("{c}-kafka-{listener}-bootstrap")
}

/// Bootstrap Route, Ingress or TLSRoute of a listener. The listener `external` on port 9094 keeps its old name.
pub fn external_bootstrap_route(c: &str, listener: &str, port: i32) -> String {
    if has_old_external_name(listener, port) {
        bootstrap_service(c)
    } else {
        external_bootstrap_service(c, listener)
    }
}

/// Service, Route, Ingress or TLSRoute of one broker of a listener that is not `internal`.
/// The listener `external` on port 9094 keeps its old name.
pub fn per_broker_service(c: &str, pool: &str, listener: &str, port: i32, id: i32) -> String {
    if has_old_external_name(listener, port) {
        pod(c, pool, id)
    } else {
        format!("{c}-{pool}-{listener}-{id}")
    }
}

/// PersistentVolumeClaim of a pod: `data-<pod>` with one volume, `data-<volume id>-<pod>` with `jbod`.
pub fn persistent_volume_claim(volume_id: Option<i32>, pod: &str) -> String {
    match volume_id {
        Some(volume_id) => format!("data-{volume_id}-{pod}"),
        None => format!("data-{pod}"),
    }
}

/// The names of pods of which [`persistent_volume_claim`] may make the name of a claim: the name of a cluster may look like a
/// volume id.
pub fn pods_of_claim(claim: &str) -> impl Iterator<Item = &str> {
    let pod = claim.strip_prefix("data-");
    let behind_id = pod.and_then(|pod| pod.split_once('-')).filter(|(id, _)| id.parse::<u32>().is_ok());
    pod.into_iter().chain(behind_id.map(|(_, pod)| pod))
}

/// ClusterRoleBinding of the Kafka nodes, made only for rack awareness by topology label and for node ports.
pub fn kafka_init_cluster_role_binding(namespace: &str, c: &str) -> String {
    format!("strimzi-{namespace}-{c}-kafka-init")
}

/// ClusterRole that lets pods read their Kubernetes node; the chart makes it.
pub const BROKER_CLUSTER_ROLE: &str = "strimzi-kafka-broker";
/// ClusterRole that lets clients of Kafka read the label of their Kubernetes node that is their rack.
pub const CLIENT_CLUSTER_ROLE: &str = "strimzi-kafka-client";

/// NetworkPolicy of the Kafka nodes.
pub fn kafka_network_policy(c: &str) -> String {
    format!("{c}-network-policy-kafka")
}

/// The user of remote JMX, unless the Secret names another one.
pub const JMX_USER: &str = "kafka-jmx";

/// Secret with the JMX user and password of the Kafka nodes.
pub fn kafka_jmx_secret(c: &str) -> String {
    format!("{c}-kafka-jmx")
}

/// Secret with the private key of the cluster CA (key `ca.key`).
pub fn cluster_ca_key_secret(c: &str) -> String {
    format!("{c}-cluster-ca")
}

/// Secret with the certificate of the cluster CA (key `ca.crt`), the one that clients trust.
pub fn cluster_ca_cert_secret(c: &str) -> String {
    format!("{c}-cluster-ca-cert")
}

/// Secret with the private key of the clients CA (key `ca.key`).
pub fn clients_ca_key_secret(c: &str) -> String {
    format!("{c}-clients-ca")
}

/// Secret with the certificate of the clients CA (key `ca.crt`).
pub fn clients_ca_cert_secret(c: &str) -> String {
    format!("{c}-clients-ca-cert")
}

/// Secret with the concatenated certificates every node trusts.
pub fn trust_bundle_secret(c: &str) -> String {
    format!("{c}-trustbundle")
}

/// Secret with the certificate the cluster operator itself uses towards Kafka.
pub fn cluster_operator_certs_secret(c: &str) -> String {
    format!("{c}-cluster-operator-certs")
}

/// Every Secret that a Kafka cluster may have beside those of its nodes.
pub fn secrets_of_kafka(c: &str) -> [String; 13] {
    [
        cluster_ca_key_secret(c),
        cluster_ca_cert_secret(c),
        clients_ca_key_secret(c),
        clients_ca_cert_secret(c),
        trust_bundle_secret(c),
        cluster_operator_certs_secret(c),
        kafka_jmx_secret(c),
        entity_operator::topic_operator_certs_secret(c),
        entity_operator::user_operator_certs_secret(c),
        entity_operator::topic_operator_cruise_control_secret(c),
        cruise_control::certs_secret(c),
        cruise_control::api_secret(c),
        kafka_exporter::certs_secret(c),
    ]
}

/// The Secret in which cert-manager keeps the certificate for another Secret.
pub fn issued_secret(secret: &str) -> String {
    format!("{secret}{ISSUED_SUFFIX}")
}

/// How the names of Secrets end in which cert-manager keeps certificates.
pub const ISSUED_SUFFIX: &str = "-cm";

/// KafkaRebalance that is made when brokers were added or removed; `mode` is `add-brokers` or `remove-brokers`.
pub fn auto_rebalance(c: &str, mode: &str) -> String {
    format!("{c}-auto-rebalancing-{mode}")
}

/// Containers.
pub mod containers {
    /// Kafka, in the pods of a Kafka cluster.
    pub const KAFKA: &str = "kafka";
    /// The topic operator, in the pod of the entity operator.
    pub const TOPIC_OPERATOR: &str = "topic-operator";
    /// The user operator, in the pod of the entity operator.
    pub const USER_OPERATOR: &str = "user-operator";
}

/// Keys of the Secrets and ConfigMaps.
pub mod keys {
    /// Certificate of a certificate authority.
    pub const CA_CRT: &str = "ca.crt";
    /// Private key of a certificate authority, PKCS #8 PEM.
    pub const CA_KEY: &str = "ca.key";
    /// PKCS #12 store with the certificate of a certificate authority.
    pub const CA_P12: &str = "ca.p12";
    /// Password of [`CA_P12`].
    pub const CA_PASSWORD: &str = "ca.password";
    /// Certificates of the cluster CA in the trust bundle.
    pub const TRUST_BUNDLE_CLUSTER_CA: &str = "cluster-ca.crt";
    /// Certificates of the clients CA in the trust bundle.
    pub const TRUST_BUNDLE_CLIENTS_CA: &str = "clients-ca.crt";
    /// In the Secret of a node: a copy of the cluster CAs that it is told to trust, for the case that the others are lost.
    pub const NODE_CLUSTER_CAS: &str = "cluster-cas.pem";
    /// In the Secret of a node: the same of the clients CAs.
    pub const NODE_CLIENTS_CAS: &str = "clients-cas.pem";
    /// Certificate in the cluster operator's Secret.
    pub const CLUSTER_OPERATOR_CRT: &str = "cluster-operator.crt";
    /// Certificate of the Kafka Exporter.
    pub const KAFKA_EXPORTER_CRT: &str = "kafka-exporter.crt";
    /// Private key of the Kafka Exporter.
    pub const KAFKA_EXPORTER_KEY: &str = "kafka-exporter.key";
    /// Private key in the cluster operator's Secret.
    pub const CLUSTER_OPERATOR_KEY: &str = "cluster-operator.key";
    /// Certificate in the Secrets of the topic and the user operator.
    pub const ENTITY_OPERATOR_CRT: &str = "entity-operator.crt";
    /// Private key in the Secrets of the topic and the user operator.
    pub const ENTITY_OPERATOR_KEY: &str = "entity-operator.key";
    /// Certificate of a `tls` user.
    pub const USER_CRT: &str = "user.crt";
    /// Private key of a `tls` user.
    pub const USER_KEY: &str = "user.key";
    /// PKCS #12 store of a `tls` user.
    pub const USER_P12: &str = "user.p12";
    /// Password of [`USER_P12`].
    pub const USER_PASSWORD: &str = "user.password";
    /// Password of a `scram-sha-512` user.
    pub const PASSWORD: &str = "password";
    /// JAAS configuration of a `scram-sha-512` user.
    pub const SASL_JAAS_CONFIG: &str = "sasl.jaas.config";
    /// Kafka's configuration in a node's ConfigMap, as Java properties.
    pub const SERVER_CONFIG: &str = "server.config";
    /// Configuration of the agent in a node's ConfigMap, as JSON.
    pub const AGENT_CONFIG: &str = "agent.config";
    /// The Dockerfile of an image build.
    pub const DOCKERFILE: &str = "Dockerfile";
    /// The list of what an image build brings into the image.
    pub const PLUG_INS: &str = "plug-ins.json";
    /// Credentials for registries in a Secret of type `kubernetes.io/dockerconfigjson`.
    pub const DOCKER_CONFIG: &str = ".dockerconfigjson";
    /// The same in a Secret of the older type `kubernetes.io/dockercfg`.
    pub const OLDER_DOCKER_CONFIG: &str = ".dockercfg";
    /// Configuration of the workers of Kafka Connect and MirrorMaker 2, as Java properties.
    pub const KAFKA_CONNECT_PROPERTIES: &str = "kafka-connect.properties";
    /// Configuration of the bridge, as Java properties.
    pub const APPLICATION_PROPERTIES: &str = "application.properties";
    /// Logging configuration.
    pub const LOG4J2_PROPERTIES: &str = "log4j2.properties";
    /// The cluster id in a node's ConfigMap.
    pub const CLUSTER_ID: &str = "cluster.id";
    /// The metadata version in a node's ConfigMap, for the first format of its storage.
    pub const METADATA_VERSION: &str = "metadata.version";
    /// Configuration of the JMX exporter.
    pub const METRICS_CONFIG: &str = "metrics-config.json";
    /// User name in a JMX Secret.
    pub const JMX_USERNAME: &str = "jmx-username";
    /// Password in a JMX Secret.
    pub const JMX_PASSWORD: &str = "jmx-password";
}

/// The Deployment with the topic and user operator of a cluster, and what belongs to it.
pub mod entity_operator {
    /// Deployment, ServiceAccount, Role, NetworkPolicy and PodDisruptionBudget.
    pub fn deployment(c: &str) -> String {
        format!("{c}-entity-operator")
    }

    /// Component name of the topic operator.
    pub fn topic_operator(c: &str) -> String {
        format!("{c}-entity-topic-operator")
    }

    /// Component name of the user operator.
    pub fn user_operator(c: &str) -> String {
        format!("{c}-entity-user-operator")
    }

    /// RoleBinding of the topic operator.
    pub fn topic_operator_role_binding(c: &str) -> String {
        format!("{c}-entity-topic-operator-role")
    }

    /// RoleBinding of the user operator.
    pub fn user_operator_role_binding(c: &str) -> String {
        format!("{c}-entity-user-operator-role")
    }

    /// Role or RoleBinding in another namespace than the cluster's, which clusters of one name and of several namespaces may have
    /// theirs in: `own` is its name in the cluster's namespace. No namespace has a dot in its name.
    pub fn elsewhere(cluster_namespace: &str, own: &str) -> String {
        format!("{cluster_namespace}.{own}")
    }

    /// Certificate Secret of the topic operator.
    pub fn topic_operator_certs_secret(c: &str) -> String {
        format!("{c}-entity-topic-operator-certs")
    }

    /// Certificate Secret of the user operator.
    pub fn user_operator_certs_secret(c: &str) -> String {
        format!("{c}-entity-user-operator-certs")
    }

    /// Logging ConfigMap of the topic operator.
    pub fn topic_operator_config_map(c: &str) -> String {
        format!("{c}-entity-topic-operator-config")
    }

    /// Logging ConfigMap of the user operator.
    pub fn user_operator_config_map(c: &str) -> String {
        format!("{c}-entity-user-operator-config")
    }

    /// Secret with the topic operator's Cruise Control user.
    pub fn topic_operator_cruise_control_secret(c: &str) -> String {
        format!("{c}-entity-topic-operator-cc-api")
    }
}

/// The Kafka Exporter and what belongs to it.
pub mod kafka_exporter {
    /// Deployment, ServiceAccount, NetworkPolicy and PodDisruptionBudget.
    pub fn deployment(c: &str) -> String {
        format!("{c}-kafka-exporter")
    }

    /// Certificate Secret.
    pub fn certs_secret(c: &str) -> String {
        format!("{c}-kafka-exporter-certs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_external_listener_on_9094_keeps_its_old_names() {
        assert_eq!(per_broker_service("edge", "mixed", "external", 9094, 1), "edge-mixed-1");
        assert_eq!(external_bootstrap_route("edge", "external", 9094), "edge-kafka-bootstrap");
        assert_eq!(per_broker_service("edge", "mixed", "external", 9095, 1), "edge-mixed-external-1");
        assert_eq!(per_broker_service("edge", "mixed", "ing", 9096, 0), "edge-mixed-ing-0");
        assert_eq!(external_bootstrap_service("edge", "external"), "edge-kafka-external-bootstrap");
    }

    #[test]
    fn claims_carry_the_volume_id_only_with_jbod() {
        assert_eq!(persistent_volume_claim(Some(1), "shop-brokers-2"), "data-1-shop-brokers-2");
        assert_eq!(persistent_volume_claim(None, "shop-brokers-2"), "data-shop-brokers-2");
        let pods = |claim| pods_of_claim(claim).collect::<Vec<_>>();
        assert_eq!(pods("data-1-shop-brokers-2"), ["1-shop-brokers-2", "shop-brokers-2"]);
        assert_eq!(pods("data-shop-brokers-2"), ["shop-brokers-2"]);
        assert_eq!(pods("shop-brokers-2"), [""; 0]);
    }
}
