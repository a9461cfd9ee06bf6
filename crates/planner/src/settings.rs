//! The operator's settings, as far as plans of any kind depend on them.

use std::collections::BTreeMap;

use api::env::{CONNECT_BUILD_TIMEOUT_MS_DEFAULT, own};

use crate::kafka::cluster::OperatorRolls;
use crate::workload::Defaults;
use crate::workload::network_policy::OperatorPlace;
use crate::workload::operand::Switches;

/// The part of the operator's settings that plans depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the operator's environment")]
pub struct PlanSettings {
    /// Version of the operator, for `operatorLastSuccessfulVersion`.
    pub operator_version: String,
    /// Image with the operators and the agent.
    pub operator_image: String,
    /// Image of the topic operator, when it is another one.
    pub topic_operator_image: Option<String>,
    /// Image of the user operator, when it is another one.
    pub user_operator_image: Option<String>,
    /// Image of the Kafka Exporter, when it is another one.
    pub kafka_exporter_image: Option<String>,
    /// Image of the proxies of listeners with a single address: Envoy.
    pub envoy_image: String,
    /// Kafka version to image (`STRIMZI_KAFKA_IMAGES`); a version without an entry has no image.
    pub kafka_images: BTreeMap<String, String>,
    /// Kafka version to image of Kafka Connect (`STRIMZI_KAFKA_CONNECT_IMAGES`); a version without an entry has that of Kafka.
    pub kafka_connect_images: BTreeMap<String, String>,
    /// The same of MirrorMaker 2 (`STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES`).
    pub kafka_mirror_maker2_images: BTreeMap<String, String>,
    /// `Always`, `IfNotPresent`, `Never`, or `None` for the default of Kubernetes.
    pub image_pull_policy: Option<String>,
    /// Names of the image pull secrets of every operand.
    pub image_pull_secrets: Vec<String>,
    /// Whether NetworkPolicies are made.
    pub network_policies: bool,
    /// Whether PodDisruptionBudgets are made.
    pub pod_disruption_budgets: bool,
    /// Whether the operator may make ClusterRoleBindings, with which pods read the rack label of their Kubernetes node.
    pub cluster_role_bindings: bool,
    /// Whether PKCS #12 trust stores are put beside the certificates of the authorities.
    pub pkcs12: bool,
    /// Namespace of the operator.
    pub operator_namespace: Option<String>,
    /// Labels that select the operator's namespace in NetworkPolicies; empty: any namespace.
    pub operator_namespace_labels: BTreeMap<String, String>,
    /// Whether the entity operator may watch another namespace than the cluster's.
    pub entity_operator_watched_namespace: bool,
    /// `cluster.local` unless the cluster says otherwise.
    pub dns_domain: String,
    /// Pattern of labels that are not copied from custom resources (`STRIMZI_LABELS_EXCLUSION_PATTERN`);
    /// `None`: the default.
    pub labels_exclusion_pattern: Option<String>,
    /// Labels put on every Kafka pod (`STRIMZI_CUSTOM_KAFKA_LABELS`).
    pub custom_kafka_labels: BTreeMap<String, String>,
    /// Labels put on every entity operator pod.
    pub custom_entity_operator_labels: BTreeMap<String, String>,
    /// Labels put on every Kafka Exporter pod.
    pub custom_kafka_exporter_labels: BTreeMap<String, String>,
    /// Labels put on every Kafka Connect pod (`STRIMZI_CUSTOM_KAFKA_CONNECT_LABELS`).
    pub custom_kafka_connect_labels: BTreeMap<String, String>,
    /// Image of bridges (`STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE`); `None`: the operator's.
    pub kafka_bridge_image: Option<String>,
    /// Labels put on every pod of a bridge (`STRIMZI_CUSTOM_KAFKA_BRIDGE_LABELS`).
    pub custom_kafka_bridge_labels: BTreeMap<String, String>,
    /// Labels put on the Service of every bridge (`STRIMZI_CUSTOM_KAFKA_BRIDGE_SERVICE_LABELS`).
    pub custom_kafka_bridge_service_labels: BTreeMap<String, String>,
    /// Annotations put on the Service of every bridge (`STRIMZI_CUSTOM_KAFKA_BRIDGE_SERVICE_ANNOTATIONS`).
    pub custom_kafka_bridge_service_annotations: BTreeMap<String, String>,
    /// Labels put on every MirrorMaker 2 pod (`STRIMZI_CUSTOM_KAFKA_MIRROR_MAKER2_LABELS`).
    pub custom_kafka_mirror_maker2_labels: BTreeMap<String, String>,
    /// How images are built for Kafka Connect.
    pub image_builds: ImageBuildSettings,
    /// Environment variables copied into every operand container (the proxy settings).
    pub shared_environment: BTreeMap<String, String>,
    /// Feature gates that differ from their default, to be passed on.
    pub feature_gates: String,
    /// Whether resources may have object overrides.
    pub object_overrides: bool,
    /// What rolls of a new version of the operator wait for where the Kafka resource does not say it.
    pub operator_rolls: OperatorRolls,
    /// Nodes that a cluster may grow to.
    pub max_nodes: usize,
    /// Ids that one annotation may wish for.
    pub max_wished_ids: usize,
    /// Bytes of the largest ConfigMap that the operator reads.
    pub largest_config_map: usize,
}

/// How images are built for Kafka Connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageBuildSettings {
    /// Image of Buildah; empty: no images are built.
    pub buildah_image: String,
    /// Labels put on every pod that builds (`STRIMZI_CUSTOM_KAFKA_CONNECT_BUILD_LABELS`).
    pub custom_labels: BTreeMap<String, String>,
    /// Seconds that a build may take.
    pub timeout_seconds: u64,
    /// Whether the pods that build run in a user namespace of their own.
    pub user_namespaces: bool,
    /// GiB that each folder of a build may take.
    pub folder_gib: u32,
    /// What the API server has of OpenShift for builds.
    pub openshift: OpenShiftBuilds,
}

/// What an API server has of OpenShift for builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenShiftBuilds {
    /// `build.openshift.io/v1`: images are built by Builds, and not by pods with Buildah.
    pub builds: bool,
    /// `image.openshift.io/v1`: images may go into ImageStreams.
    pub image_streams: bool,
}

impl Default for ImageBuildSettings {
    fn default() -> Self {
        Self {
            buildah_image: String::new(),
            custom_labels: BTreeMap::new(),
            timeout_seconds: CONNECT_BUILD_TIMEOUT_MS_DEFAULT / 1000,
            user_namespaces: false,
            folder_gib: own::BUILD_FOLDER_GIB_DEFAULT,
            openshift: OpenShiftBuilds::default(),
        }
    }
}

/// Default of `KASTELLAN_MAX_SECRET_KIB`, in bytes.
pub const LARGEST_CONFIG_MAP_DEFAULT: usize = 512 * 1024;

impl PlanSettings {
    /// Where the operator runs.
    pub fn operator_place(&self) -> OperatorPlace<'_> {
        OperatorPlace {
            namespace: self.operator_namespace.as_deref(),
            labels: &self.operator_namespace_labels,
        }
    }

    /// What goes with the Deployments of every kind.
    pub fn switches(&self) -> Switches {
        let (network_policies, pod_disruption_budgets) = (self.network_policies, self.pod_disruption_budgets);
        Switches { network_policies, pod_disruption_budgets }
    }

    /// All images that the installation runs, its own and those of operands.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        let always = [&self.operator_image, &self.envoy_image, &self.image_builds.buildah_image];
        let others = [
            &self.topic_operator_image,
            &self.user_operator_image,
            &self.kafka_exporter_image,
            &self.kafka_bridge_image,
        ];
        let versions = [&self.kafka_images, &self.kafka_connect_images, &self.kafka_mirror_maker2_images];
        let all = always.into_iter().chain(others.into_iter().flatten());
        let all = all.chain(versions.into_iter().flat_map(BTreeMap::values));
        all.map(String::as_str).filter(|image| !image.is_empty())
    }

    /// What holds for the pods of every kind.
    pub fn pod_defaults(&self) -> Defaults<'_> {
        Defaults {
            image_pull_policy: self.image_pull_policy.as_deref(),
            image_pull_secrets: &self.image_pull_secrets,
            environment: &self.shared_environment,
        }
    }
}

impl Default for PlanSettings {
    fn default() -> Self {
        Self {
            operator_version: env!("CARGO_PKG_VERSION").to_owned(),
            operator_image: String::new(),
            topic_operator_image: None,
            user_operator_image: None,
            kafka_exporter_image: None,
            envoy_image: own::ENVOY_IMAGE_DEFAULT.to_owned(),
            kafka_images: BTreeMap::new(),
            kafka_connect_images: BTreeMap::new(),
            kafka_mirror_maker2_images: BTreeMap::new(),
            image_pull_policy: None,
            image_pull_secrets: Vec::new(),
            network_policies: true,
            pod_disruption_budgets: true,
            cluster_role_bindings: true,
            pkcs12: true,
            operator_namespace: None,
            operator_namespace_labels: BTreeMap::new(),
            entity_operator_watched_namespace: false,
            dns_domain: "cluster.local".to_owned(),
            labels_exclusion_pattern: None,
            custom_kafka_labels: BTreeMap::new(),
            custom_entity_operator_labels: BTreeMap::new(),
            custom_kafka_exporter_labels: BTreeMap::new(),
            custom_kafka_connect_labels: BTreeMap::new(),
            kafka_bridge_image: None,
            custom_kafka_bridge_labels: BTreeMap::new(),
            custom_kafka_bridge_service_labels: BTreeMap::new(),
            custom_kafka_bridge_service_annotations: BTreeMap::new(),
            custom_kafka_mirror_maker2_labels: BTreeMap::new(),
            image_builds: ImageBuildSettings::default(),
            shared_environment: BTreeMap::new(),
            feature_gates: String::new(),
            object_overrides: false,
            max_nodes: own::MAX_NODES_DEFAULT,
            operator_rolls: OperatorRolls::default(),
            max_wished_ids: own::MAX_WISHED_IDS_DEFAULT,
            largest_config_map: LARGEST_CONFIG_MAP_DEFAULT,
        }
    }
}
