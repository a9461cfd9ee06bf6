//! What users can add to generated pods and containers.

use k8s_openapi::api::core::v1::{
    Affinity, CSIVolumeSource, ConfigMapVolumeSource, EmptyDirVolumeSource, EnvVar, EnvVarSource, HostAlias,
    ImageVolumeSource, LocalObjectReference, PersistentVolumeClaimVolumeSource, PodDNSConfig,
    PodSecurityContext, SecretVolumeSource, SecurityContext, Toleration, TopologySpreadConstraint, Volume,
    VolumeMount,
};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::refs::{ConfigMapKeyRef, SecretKeyRef};
use super::template::MetadataTemplate;
use crate::schema::{Embedded, JsonSchema, string_enum};

/// A generated pod.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
    /// Secrets for pulling images. The default is what the operator was installed with.
    #[schemars(with = "Option<Vec<Embedded<LocalObjectReference>>>")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Security context of the pod. It replaces the operator's as a whole.
    #[schemars(with = "Option<Embedded<PodSecurityContext>>")]
    pub security_context: Option<PodSecurityContext>,
    /// Seconds a pod has for an orderly stop before it is killed. The default is 30; brokers with many partitions
    /// need more.
    #[schemars(range(min = 0))]
    pub termination_grace_period_seconds: Option<i64>,
    /// Where the pod may or should run.
    #[schemars(with = "Option<Embedded<Affinity>>")]
    pub affinity: Option<Affinity>,
    /// Taints the pod tolerates.
    #[schemars(with = "Option<Vec<Embedded<Toleration>>>")]
    pub tolerations: Option<Vec<Toleration>>,
    /// How pods are spread over zones and nodes.
    #[schemars(with = "Option<Vec<Embedded<TopologySpreadConstraint>>>")]
    pub topology_spread_constraints: Option<Vec<TopologySpreadConstraint>>,
    /// Name of the pod's PriorityClass. The default is the cluster's default class.
    pub priority_class_name: Option<String>,
    /// Name of the scheduler. The default is Kubernetes' own.
    pub scheduler_name: Option<String>,
    /// Lines to add to the pod's `/etc/hosts`.
    #[schemars(with = "Option<Vec<Embedded<HostAlias>>>")]
    pub host_aliases: Option<Vec<HostAlias>>,
    /// DNS policy. The default is `ClusterFirst`.
    pub dns_policy: Option<DnsPolicy>,
    /// DNS options, on top of what the policy yields.
    #[schemars(with = "Option<Embedded<PodDNSConfig>>")]
    pub dns_config: Option<PodDNSConfig>,
    /// Whether containers get an environment variable for each Service. The default is Kubernetes' own: true.
    pub enable_service_links: Option<bool>,
    /// Size of the volume in memory at `/tmp`. The default is `5Mi`.
    #[schemars(regex(pattern = r"^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"))]
    pub tmp_dir_size_limit: Option<String>,
    /// Volumes to add; containers mount them below `/mnt`.
    pub volumes: Option<Vec<AdditionalVolume>>,
    /// Volumes to add whose sources differ from pod to pod: `{nodeId}` and `{nodePodName}` in names of sources are
    /// replaced.
    pub templated_volumes: Option<Vec<TemplatedVolume>>,
    /// Whether the pod shares the node's user namespace. The default is Kubernetes' own: true.
    pub host_users: Option<bool>,
}

/// Stands in the schema for a [`PodTemplate`] of a Deployment, whose pods have no names of their own and so no
/// `templatedVolumes`.
#[derive(Debug)]
pub struct DeploymentPodTemplate;

string_enum! {
    /// DNS policies of pods.
    DnsPolicy {
        /// The cluster's DNS.
        ClusterFirst = "ClusterFirst",
        /// The cluster's DNS, for pods in the host's network.
        ClusterFirstWithHostNet = "ClusterFirstWithHostNet",
        /// The Kubernetes node's DNS.
        Default = "Default",
        /// Only what `dnsConfig` says.
        None = "None",
    }
}

/// A volume to add to a pod; exactly one source must be set.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "secret": {} }, "required": ["secret"] },
    { "properties": { "configMap": {} }, "required": ["configMap"] },
    { "properties": { "emptyDir": {} }, "required": ["emptyDir"] },
    { "properties": { "persistentVolumeClaim": {} }, "required": ["persistentVolumeClaim"] },
    { "properties": { "csi": {} }, "required": ["csi"] },
    { "properties": { "image": {} }, "required": ["image"] }
]))]
pub struct AdditionalVolume {
    /// Name by which containers mount the volume.
    pub name: Option<String>,
    /// Content of a Secret.
    #[schemars(with = "Option<Embedded<SecretVolumeSource>>")]
    pub secret: Option<SecretVolumeSource>,
    /// Content of a ConfigMap.
    #[schemars(with = "Option<Embedded<ConfigMapVolumeSource>>")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// An empty directory that goes with the pod.
    #[schemars(with = "Option<EmptyDirSchema>")]
    pub empty_dir: Option<EmptyDirVolumeSource>,
    /// A PersistentVolumeClaim that exists already.
    #[schemars(with = "Option<Embedded<PersistentVolumeClaimVolumeSource>>")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
    /// A volume of a CSI driver that goes with the pod.
    #[schemars(with = "Option<Embedded<CSIVolumeSource>>")]
    pub csi: Option<CSIVolumeSource>,
    /// Content of an image.
    #[schemars(with = "Option<Embedded<ImageVolumeSource>>")]
    pub image: Option<ImageVolumeSource>,
}

impl From<AdditionalVolume> for Volume {
    fn from(volume: AdditionalVolume) -> Self {
        Self {
            name: volume.name.unwrap_or_default(),
            secret: volume.secret,
            config_map: volume.config_map,
            empty_dir: volume.empty_dir,
            persistent_volume_claim: volume.persistent_volume_claim,
            csi: volume.csi,
            image: volume.image,
            ..Self::default()
        }
    }
}

/// A volume to add whose source differs from pod to pod; exactly one source must be set.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "secret": {} }, "required": ["secret"] },
    { "properties": { "configMap": {} }, "required": ["configMap"] },
    { "properties": { "persistentVolumeClaim": {} }, "required": ["persistentVolumeClaim"] }
]))]
pub struct TemplatedVolume {
    /// Name by which containers mount the volume.
    pub name: Option<String>,
    /// Content of a Secret.
    #[schemars(with = "Option<Embedded<SecretVolumeSource>>")]
    pub secret: Option<SecretVolumeSource>,
    /// Content of a ConfigMap.
    #[schemars(with = "Option<Embedded<ConfigMapVolumeSource>>")]
    pub config_map: Option<ConfigMapVolumeSource>,
    /// A PersistentVolumeClaim that exists already.
    #[schemars(with = "Option<Embedded<PersistentVolumeClaimVolumeSource>>")]
    pub persistent_volume_claim: Option<PersistentVolumeClaimVolumeSource>,
}

impl From<TemplatedVolume> for Volume {
    fn from(volume: TemplatedVolume) -> Self {
        Self {
            name: volume.name.unwrap_or_default(),
            secret: volume.secret,
            config_map: volume.config_map,
            persistent_volume_claim: volume.persistent_volume_claim,
            ..Self::default()
        }
    }
}

/// Stands in the schema for an `emptyDir`, whose values are checked more closely than Kubernetes does.
#[derive(Debug)]
pub struct EmptyDirSchema;

/// A generated container.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerTemplate {
    /// Environment variables to add; those of the operator are refused.
    pub env: Option<Vec<ContainerEnvVar>>,
    /// Security context of the container. It replaces the operator's as a whole.
    #[schemars(with = "Option<Embedded<SecurityContext>>")]
    pub security_context: Option<SecurityContext>,
    /// Volumes of the pod template to mount, only below `/mnt`.
    #[schemars(with = "Option<Vec<Embedded<VolumeMount>>>")]
    pub volume_mounts: Option<Vec<VolumeMount>>,
}

/// An environment variable; either a value or a source must be set.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "value": {} }, "required": ["value"] },
    { "properties": { "valueFrom": {} }, "required": ["valueFrom"] }
]))]
pub struct ContainerEnvVar {
    /// Name of the variable.
    pub name: Option<String>,
    /// Value of the variable.
    pub value: Option<String>,
    /// Where the value comes from.
    pub value_from: Option<ContainerEnvVarSource>,
}

impl From<ContainerEnvVar> for EnvVar {
    fn from(variable: ContainerEnvVar) -> Self {
        Self {
            name: variable.name.unwrap_or_default(),
            value: variable.value,
            value_from: variable.value_from.map(|source| EnvVarSource {
                secret_key_ref: source.secret_key_ref,
                config_map_key_ref: source.config_map_key_ref,
                ..EnvVarSource::default()
            }),
        }
    }
}

/// Where the value of an environment variable comes from; exactly one source must be set.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("oneOf" = [
    { "properties": { "secretKeyRef": {} }, "required": ["secretKeyRef"] },
    { "properties": { "configMapKeyRef": {} }, "required": ["configMapKeyRef"] }
]))]
pub struct ContainerEnvVarSource {
    /// A key of a Secret.
    #[schemars(with = "Option<Embedded<SecretKeyRef>>")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// A key of a ConfigMap.
    #[schemars(with = "Option<Embedded<ConfigMapKeyRef>>")]
    pub config_map_key_ref: Option<ConfigMapKeyRef>,
}
