//! The proxy of a listener with a single address, and what belongs to it.

/// Deployment, ConfigMap, NetworkPolicy and PodDisruptionBudget; also the name of the component.
pub fn deployment(c: &str, listener: &str) -> String {
    format!("{c}-kafka-{listener}-proxy")
}

/// Whether a component is the proxy of some listener of a cluster: of a listener that is gone, too.
pub fn is_of(c: &str, component: &str) -> bool {
    let rest = component.strip_prefix(c).and_then(|rest| rest.strip_prefix("-kafka-"));
    let listener = rest.and_then(|rest| rest.strip_suffix("-proxy")).unwrap_or_default();
    !listener.is_empty() && listener.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
}

/// The container.
pub const CONTAINER: &str = "envoy";
/// Key of the ConfigMap: what the proxy is started with.
pub const BOOTSTRAP: &str = "bootstrap.json";
/// Key of the ConfigMap: the ports.
pub const LISTENERS: &str = "listeners.json";
/// Key of the ConfigMap: the brokers.
pub const CLUSTERS: &str = "clusters.json";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_known_by_its_name_whatever_the_listener() {
        assert!(is_of("my", &deployment("my", "ext")));
        for other in
            ["my-kafka-proxy", "my-kafka--proxy", "my-kafka-a-b-proxy", "your-kafka-ext-proxy", "my-kafka"]
        {
            assert!(!is_of("my", other), "{other}");
        }
    }
}
