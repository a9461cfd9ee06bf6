//! `spec.externalConfiguration` of v1beta2: variables and volumes of workers, in place of which v1 has templates.

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, SecretVolumeSource};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use super::pod_template::ContainerEnvVar;

/// Folder below which each volume is mounted, by its name.
pub const EXTERNAL_CONFIGURATION_FOLDER: &str = "/opt/kafka/external-configuration";
/// How the names of these volumes begin in a pod.
pub const EXTERNAL_VOLUME_PREFIX: &str = "ext-conf-";

/// What workers have for the configurations of connectors.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExternalConfiguration {
    /// Environment variables out of Secrets and ConfigMaps.
    pub env: Option<Vec<ContainerEnvVar>>,
    /// Secrets and ConfigMaps as folders.
    pub volumes: Option<Vec<ExternalVolume>>,
}

/// A Secret or a ConfigMap as a folder.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExternalVolume {
    /// Name of the folder.
    pub name: Option<String>,
    /// The ConfigMap.
    pub config_map: Option<ConfigMapVolumeSource>,
    /// The Secret.
    pub secret: Option<SecretVolumeSource>,
}
