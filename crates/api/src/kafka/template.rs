//! Additions to the objects generated for a cluster's nodes.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::pod_template::{ContainerTemplate, PodTemplate};
use crate::common::sections::sections;
use crate::common::template::{InternalServiceTemplate, PodDisruptionBudgetTemplate, ResourceTemplate};
use crate::kafka_node_pool::KafkaNodePoolTemplate;
use crate::present::Present;
use crate::schema::JsonSchema;

/// Additions to the objects generated for a cluster's nodes. Sections of a node pool replace these.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaClusterTemplate {
    /// The pods.
    pub pod: Option<PodTemplate>,
    /// The bootstrap Service inside Kubernetes.
    pub bootstrap_service: Option<InternalServiceTemplate>,
    /// The headless Service of the nodes.
    pub brokers_service: Option<InternalServiceTemplate>,
    /// The bootstrap Services of listeners that are not `internal`.
    pub external_bootstrap_service: Option<ResourceTemplate>,
    /// The Services of single brokers, made for listeners that are not `internal`.
    pub per_pod_service: Option<ResourceTemplate>,
    /// The bootstrap Routes and TLSRoutes.
    pub external_bootstrap_route: Option<ResourceTemplate>,
    /// The Routes and TLSRoutes of single brokers.
    pub per_pod_route: Option<ResourceTemplate>,
    /// The bootstrap Ingresses.
    pub external_bootstrap_ingress: Option<ResourceTemplate>,
    /// The Ingresses of single brokers.
    pub per_pod_ingress: Option<ResourceTemplate>,
    /// The PersistentVolumeClaims.
    pub persistent_volume_claim: Option<ResourceTemplate>,
    /// The PodDisruptionBudget over all nodes of the cluster.
    pub pod_disruption_budget: Option<PodDisruptionBudgetTemplate>,
    /// The container that runs Kafka.
    pub kafka_container: Option<ContainerTemplate>,
    /// The init container.
    pub init_container: Option<ContainerTemplate>,
    /// The Secret with the certificate of the cluster CA.
    pub cluster_ca_cert: Option<ResourceTemplate>,
    /// The ServiceAccount.
    pub service_account: Option<ResourceTemplate>,
    /// The Secret with the JMX user and password.
    pub jmx_secret: Option<ResourceTemplate>,
    /// The ClusterRoleBinding.
    pub cluster_role_binding: Option<ResourceTemplate>,
    /// The StrimziPodSets.
    pub pod_set: Option<ResourceTemplate>,
    /// Of older versions; without effect.
    #[schemars(skip)]
    pub statefulset: Option<Present>,
}

sections!(KafkaClusterTemplate {
    objects:
        bootstrap_service "bootstrapService",
        brokers_service "brokersService",
        external_bootstrap_service "externalBootstrapService",
        per_pod_service "perPodService",
        external_bootstrap_route "externalBootstrapRoute",
        per_pod_route "perPodRoute",
        external_bootstrap_ingress "externalBootstrapIngress",
        per_pod_ingress "perPodIngress",
        persistent_volume_claim "persistentVolumeClaim",
        pod_disruption_budget "podDisruptionBudget",
        cluster_ca_cert "clusterCaCert",
        service_account "serviceAccount",
        jmx_secret "jmxSecret",
        cluster_role_binding "clusterRoleBinding",
        pod_set "podSet";
    containers:
        kafka_container "kafkaContainer",
        init_container "initContainer";
});

impl KafkaClusterTemplate {
    /// What holds for a pool: each section that the pool has replaces the same section of the Kafka resource as a whole.
    pub fn overlaid(&self, pool: Option<&KafkaNodePoolTemplate>) -> Self {
        let mut all = self.clone();
        let Some(pool) = pool else { return all };
        lay(pool.pod_set.as_ref(), &mut all.pod_set);
        lay(pool.pod.as_ref(), &mut all.pod);
        lay(pool.per_pod_service.as_ref(), &mut all.per_pod_service);
        lay(pool.per_pod_route.as_ref(), &mut all.per_pod_route);
        lay(pool.per_pod_ingress.as_ref(), &mut all.per_pod_ingress);
        lay(pool.persistent_volume_claim.as_ref(), &mut all.persistent_volume_claim);
        lay(pool.kafka_container.as_ref(), &mut all.kafka_container);
        lay(pool.init_container.as_ref(), &mut all.init_container);
        all
    }
}

fn lay<T: Clone>(over: Option<&T>, under: &mut Option<T>) {
    if let Some(over) = over {
        *under = Some(over.clone());
    }
}
