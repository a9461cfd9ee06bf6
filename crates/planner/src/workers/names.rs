//! The names of the objects of workers.

use api::names::{connect, mirror_maker2};

/// The names of the objects of the workers of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerNames {
    /// The component: the StrimziPodSet, the headless Service, the ServiceAccount, the NetworkPolicy, the PodDisruptionBudget, the
    /// Role and the container.
    pub component: String,
    /// The Service of the REST API.
    pub api_service: String,
    /// The ConfigMap.
    pub config_map: String,
    /// The RoleBinding.
    pub role_binding: String,
    /// The Secret with the trusted certificates.
    pub trusted_secret: String,
    /// The Secret of remote JMX.
    pub jmx_secret: String,
    /// The ClusterRoleBinding, for a rack that is a label of Kubernetes nodes.
    pub cluster_role_binding: String,
}

impl WorkerNames {
    /// Those of a KafkaConnect.
    pub fn of_connect(namespace: &str, name: &str) -> Self {
        Self {
            component: connect::component(name),
            api_service: connect::api_service(name),
            config_map: connect::config_map(name),
            role_binding: connect::role_binding(name),
            trusted_secret: connect::trusted_certs_secret(name),
            jmx_secret: connect::jmx_secret(name),
            cluster_role_binding: connect::init_cluster_role_binding(namespace, name),
        }
    }

    /// Those of a KafkaMirrorMaker2.
    pub fn of_mirror_maker(namespace: &str, name: &str) -> Self {
        Self {
            component: mirror_maker2::component(name),
            api_service: mirror_maker2::api_service(name),
            config_map: mirror_maker2::config_map(name),
            role_binding: mirror_maker2::role_binding(name),
            trusted_secret: connect::trusted_certs_secret(name),
            jmx_secret: connect::jmx_secret(name),
            cluster_role_binding: mirror_maker2::init_cluster_role_binding(namespace, name),
        }
    }

    /// A worker by its number, from 0.
    pub fn pod(&self, number: usize) -> String {
        format!("{}-{number}", self.component)
    }
}
