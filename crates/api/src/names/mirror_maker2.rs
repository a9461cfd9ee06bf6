//! The names of a KafkaMirrorMaker2 and of what belongs to it.

/// Component name: StrimziPodSet, headless Service, ServiceAccount, NetworkPolicy, PodDisruptionBudget, Role.
pub fn component(c: &str) -> String {
    format!("{c}-mirrormaker2")
}

/// Pod with an index from 0.
pub fn pod(c: &str, index: i32) -> String {
    format!("{c}-mirrormaker2-{index}")
}

/// Service of the REST API.
pub fn api_service(c: &str) -> String {
    format!("{c}-mirrormaker2-api")
}

/// Host name of the REST API.
pub fn api_host(c: &str, namespace: &str) -> String {
    super::service_dns(&api_service(c), namespace)
}

/// The package of the connectors' classes.
const PACKAGE: &str = "org.apache.kafka.connect.mirror";

/// The full name of a class of connectors, for instance `MirrorSourceConnector`.
pub fn class(short: &str) -> String {
    format!("{PACKAGE}.{short}")
}

/// Name of a connector: the aliases of both clusters and the short name of its class.
pub fn connector(source: &str, target: &str, class: &str) -> String {
    format!("{source}->{target}.{class}")
}

/// Key of a ConfigMap with the offsets of a connector: keys have no `>`.
pub fn offsets_key(connector: &str) -> String {
    format!("{}.json", connector.replace("->", "--"))
}

/// Key of the Secret with trusted certificates that has those of the cluster with an alias.
pub fn trusted_key(alias: &str) -> String {
    format!("{alias}-ca.crt")
}

/// ConfigMap with the workers' configuration.
pub fn config_map(c: &str) -> String {
    format!("{c}-mirrormaker2-config")
}

/// RoleBinding.
pub fn role_binding(c: &str) -> String {
    format!("{c}-mirrormaker2-role")
}

/// ClusterRoleBinding, made only for rack awareness by topology label.
pub fn init_cluster_role_binding(namespace: &str, c: &str) -> String {
    format!("strimzi-{namespace}-{c}-mirrormaker2-init")
}
