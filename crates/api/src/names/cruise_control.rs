//! The names of Cruise Control and of what belongs to it.

/// Deployment, ServiceAccount, Service and PodDisruptionBudget.
pub fn deployment(c: &str) -> String {
    format!("{c}-cruise-control")
}

/// ConfigMap with its configuration and the brokers' capacities.
pub fn config_map(c: &str) -> String {
    format!("{c}-cruise-control-config")
}

/// Certificate Secret.
pub fn certs_secret(c: &str) -> String {
    format!("{c}-cruise-control-certs")
}

/// Secret with the users of its REST API.
pub fn api_secret(c: &str) -> String {
    format!("{c}-cruise-control-api")
}

/// NetworkPolicy.
pub fn network_policy(c: &str) -> String {
    format!("{c}-network-policy-cruise-control")
}
