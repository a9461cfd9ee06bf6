//! The names of what Strimzi ran for a KafkaMirrorMaker.

/// Component name: Deployment, ServiceAccount, PodDisruptionBudget.
pub fn component(c: &str) -> String {
    format!("{c}-mirror-maker")
}
