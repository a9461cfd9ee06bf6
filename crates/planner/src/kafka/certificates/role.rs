//! Which of the two authorities of a cluster, and what they are called.

use api::{names, principals};

use crate::kafka::cluster::{CaSettings, Cluster};

/// Which authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Of the cluster's own components.
    Cluster,
    /// Of the users.
    Clients,
}

impl Role {
    /// For instance `cluster-ca`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => principals::CLUSTER_CA,
            Self::Clients => principals::CLIENTS_CA,
        }
    }

    /// Names of the Secrets with the certificate and with the key.
    pub fn names(self, cluster: &str) -> (String, String) {
        match self {
            Self::Cluster => (names::cluster_ca_cert_secret(cluster), names::cluster_ca_key_secret(cluster)),
            Self::Clients => (names::clients_ca_cert_secret(cluster), names::clients_ca_key_secret(cluster)),
        }
    }

    /// For instance `cluster-ca v0`.
    pub fn common_name(self, key_generation: i64) -> String {
        format!("{} v{key_generation}", self.name())
    }

    /// The number of the key in such a common name.
    pub fn number_in(self, common_name: &str) -> Option<i64> {
        common_name.strip_prefix(self.name())?.strip_prefix(" v")?.parse().ok()
    }

    /// Its section of the resource.
    pub fn settings(self, cluster: &Cluster) -> &CaSettings {
        match self {
            Self::Cluster => &cluster.cluster_ca,
            Self::Clients => &cluster.clients_ca,
        }
    }
}
