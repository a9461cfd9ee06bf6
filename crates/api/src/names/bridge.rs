//! The names of a KafkaBridge and of what belongs to it.

/// Deployment, ServiceAccount, PodDisruptionBudget and Role.
pub fn component(c: &str) -> String {
    format!("{c}-bridge")
}

/// Service of the HTTP API.
pub fn service(c: &str) -> String {
    format!("{c}-bridge-service")
}

/// ConfigMap with the bridge's configuration.
pub fn config_map(c: &str) -> String {
    format!("{c}-bridge-config")
}

/// RoleBinding.
pub fn role_binding(c: &str) -> String {
    format!("{c}-bridge-role")
}

/// ClusterRoleBinding, made only for rack awareness by topology label.
pub fn init_cluster_role_binding(namespace: &str, c: &str) -> String {
    format!("strimzi-{namespace}-{c}-bridge-init")
}

/// Secret with the trusted certificates.
pub fn trusted_certs_secret(c: &str) -> String {
    format!("{c}-bridge-tls-trusted-certs")
}
