//! Kafka's cluster id: made once, before the first node, and found again wherever it was written down.

use api::names;
use pki::Material;

use crate::kafka::observed::Observed;

/// Material that becomes the cluster id.
pub(crate) const CLUSTER_ID_REQUEST: &str = "cluster-id";

/// What is known of the cluster id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClusterId {
    /// It was written down.
    Known(String),
    /// It was made in this pass.
    Made(String),
    /// It has to be made.
    Missing,
}

impl ClusterId {
    /// Finds it: in the status of the Kafka resource, in those of the pools, in the configuration of the nodes.
    pub(crate) fn of(observed: &Observed) -> Self {
        let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
        let from_kafka = status.and_then(|status| status.cluster_id.clone());
        let from_pools = || {
            let mut statuses = observed.pools.iter().filter_map(|pool| pool.status.as_ref());
            statuses.find_map(|status| status.cluster_id.clone())
        };
        let from_nodes = || {
            let mut contents = observed.config_maps.values().filter_map(|map| map.data.as_ref());
            contents.find_map(|data| data.get(names::keys::CLUSTER_ID).filter(|id| !id.is_empty()).cloned())
        };
        if let Some(known) = from_kafka.or_else(from_pools).or_else(from_nodes) {
            return Self::Known(known);
        }
        match observed.made.get(CLUSTER_ID_REQUEST) {
            Some(Material::Text(text)) => Self::Made(text.0.clone()),
            _ => Self::Missing,
        }
    }

    /// The id, if there is one.
    pub(crate) fn into_id(self) -> Option<String> {
        match self {
            Self::Known(id) | Self::Made(id) => Some(id),
            Self::Missing => None,
        }
    }
}

/// The cluster id, if it is written down somewhere: nodes that have another one are none of the cluster's.
pub fn known_cluster_id(observed: &Observed) -> Option<String> {
    match ClusterId::of(observed) {
        ClusterId::Known(id) => Some(id),
        ClusterId::Made(_) | ClusterId::Missing => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::ConfigMap;
    use pki::SecretPem;

    use super::*;

    #[test]
    fn what_was_written_down_wins_over_what_was_just_made() {
        let mut observed = Observed::default();
        assert_eq!(ClusterId::of(&observed), ClusterId::Missing);
        let made = Material::Text(SecretPem("made".to_owned()));
        observed.made.insert(CLUSTER_ID_REQUEST.to_owned(), made);
        assert_eq!(ClusterId::of(&observed), ClusterId::Made("made".to_owned()));
        let data = BTreeMap::from([(names::keys::CLUSTER_ID.to_owned(), "written".to_owned())]);
        let map = ConfigMap { data: Some(data), ..ConfigMap::default() };
        observed.config_maps.insert("my-dual-0".to_owned(), Arc::new(map));
        assert_eq!(ClusterId::of(&observed), ClusterId::Known("written".to_owned()));
    }
}
