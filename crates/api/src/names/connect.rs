//! The names of a KafkaConnect cluster and of what belongs to it.

/// Component name: StrimziPodSet, headless Service, ServiceAccount, NetworkPolicy, PodDisruptionBudget, Role.
pub fn component(c: &str) -> String {
    format!("{c}-connect")
}

/// Pod with an index from 0.
pub fn pod(c: &str, index: i32) -> String {
    format!("{c}-connect-{index}")
}

/// Service of the REST API.
pub fn api_service(c: &str) -> String {
    format!("{c}-connect-api")
}

/// Host name of the REST API.
pub fn api_host(c: &str, namespace: &str) -> String {
    super::service_dns(&api_service(c), namespace)
}

/// Key of a ConfigMap with the offsets of a KafkaConnector.
pub const OFFSETS_KEY: &str = "offsets.json";

/// ConfigMap with the workers' configuration.
pub fn config_map(c: &str) -> String {
    format!("{c}-connect-config")
}

/// RoleBinding.
pub fn role_binding(c: &str) -> String {
    format!("{c}-connect-connect-role")
}

/// Secret with the trusted certificates; the same for KafkaConnect and KafkaMirrorMaker2.
pub fn trusted_certs_secret(c: &str) -> String {
    format!("{c}-connect-tls-trusted-certs")
}

/// Secret with the JMX user and password.
pub fn jmx_secret(c: &str) -> String {
    format!("{c}-kafka-connect-jmx")
}

/// ClusterRoleBinding, made only for rack awareness by topology label.
pub fn init_cluster_role_binding(namespace: &str, c: &str) -> String {
    format!("strimzi-{namespace}-{c}-connect-init")
}

/// ConfigMap with the Dockerfile of an image build.
pub fn dockerfile_config_map(c: &str) -> String {
    format!("{c}-connect-dockerfile")
}

/// Pod, ServiceAccount and BuildConfig of an image build.
pub fn build(c: &str) -> String {
    format!("{c}-connect-build")
}
