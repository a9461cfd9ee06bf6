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
