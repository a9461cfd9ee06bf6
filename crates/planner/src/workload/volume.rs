//! Volumes of pods and their mounts.

use std::collections::BTreeSet;

use api::common::pod_template::PodTemplate;
use k8s_openapi::api::core::v1::{
    ConfigMapProjection, ConfigMapVolumeSource, DownwardAPIProjection, DownwardAPIVolumeFile,
    EmptyDirVolumeSource, KeyToPath, ObjectFieldSelector, PersistentVolumeClaimVolumeSource, Pod,
    ProjectedVolumeSource, SecretVolumeSource, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// Where a service account's token is looked for.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// Name of the volume with the token.
const TOKEN_VOLUME: &str = "kube-api-access";
/// Seconds after which a token is replaced.
const TOKEN_SECONDS: i64 = 3600;
/// Size of `/tmp` unless the template says otherwise.
const TMP_SIZE: &str = "5Mi";

/// Everybody may read the files, the owner may write.
pub(crate) const READABLE: i32 = 0o644;

/// The volume with the token, for pods that talk to the API server; it is never mounted by default.
pub(crate) fn token() -> Volume {
    let token = VolumeProjection {
        service_account_token: Some(ServiceAccountTokenProjection {
            expiration_seconds: Some(TOKEN_SECONDS),
            path: "token".to_owned(),
            ..ServiceAccountTokenProjection::default()
        }),
        ..VolumeProjection::default()
    };
    let ca = VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: "kube-root-ca.crt".to_owned(),
            items: Some(vec![KeyToPath {
                key: "ca.crt".to_owned(),
                path: "ca.crt".to_owned(),
                ..KeyToPath::default()
            }]),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    };
    let namespace = VolumeProjection {
        downward_api: Some(DownwardAPIProjection {
            items: Some(vec![DownwardAPIVolumeFile {
                path: "namespace".to_owned(),
                field_ref: Some(field_of_pod("metadata.namespace")),
                ..DownwardAPIVolumeFile::default()
            }]),
        }),
        ..VolumeProjection::default()
    };
    Volume {
        name: TOKEN_VOLUME.to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(READABLE),
            sources: Some(vec![token, ca, namespace]),
        }),
        ..Volume::default()
    }
}

/// A field of the pod that a variable or a file shows.
pub(crate) fn field_of_pod(path: &str) -> ObjectFieldSelector {
    ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() }
}

/// The mount of [`token`].
pub(crate) fn token_mount() -> VolumeMount {
    read_only(TOKEN_VOLUME, TOKEN_PATH)
}

/// A volume in memory.
pub(crate) fn memory(name: &str, size: &str) -> Volume {
    let medium = Some("Memory".to_owned());
    let source = EmptyDirVolumeSource { medium, size_limit: Some(Quantity(size.to_owned())) };
    Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

/// `/tmp` in memory, as large as the pod template says.
pub(crate) fn tmp(name: &str, template: Option<&PodTemplate>) -> Volume {
    let size = template.and_then(|template| template.tmp_dir_size_limit.as_deref());
    memory(name, size.unwrap_or(TMP_SIZE))
}

/// A volume on the disk of the Kubernetes node that goes with the pod.
pub(crate) fn empty(name: &str, size_limit: Option<&str>) -> Volume {
    let size_limit = size_limit.map(|limit| Quantity(limit.to_owned()));
    let source = EmptyDirVolumeSource { size_limit, ..EmptyDirVolumeSource::default() };
    Volume { name: name.to_owned(), empty_dir: Some(source), ..Volume::default() }
}

/// The content of a ConfigMap.
pub(crate) fn config_map(name: &str, config_map: &str) -> Volume {
    let source = ConfigMapVolumeSource {
        name: config_map.to_owned(),
        default_mode: Some(READABLE),
        ..ConfigMapVolumeSource::default()
    };
    Volume { name: name.to_owned(), config_map: Some(source), ..Volume::default() }
}

/// The content of a Secret, in files with these permissions.
pub(crate) fn secret(name: &str, secret: &str, mode: i32) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        default_mode: Some(mode),
        ..SecretVolumeSource::default()
    };
    Volume { name: name.to_owned(), secret: Some(source), ..Volume::default() }
}

/// The volume of a claim.
pub(crate) fn claim(name: &str, claim: &str) -> Volume {
    let source = PersistentVolumeClaimVolumeSource {
        claim_name: claim.to_owned(),
        ..PersistentVolumeClaimVolumeSource::default()
    };
    Volume { name: name.to_owned(), persistent_volume_claim: Some(source), ..Volume::default() }
}

/// A mount that can be written to, as far as the volume can.
pub(crate) fn mount(name: &str, path: &str) -> VolumeMount {
    VolumeMount { name: name.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

/// A mount that can only be read.
pub(crate) fn read_only(name: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount(name, path) }
}

/// The names of volumes.
pub(crate) fn names(volumes: &[Volume]) -> BTreeSet<String> {
    volumes.iter().map(|volume| volume.name.clone()).collect()
}

/// Whether a live pod was made with a Secret.
pub(crate) fn mounts_secret(pod: &Pod, name: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    let mut secrets = volumes.into_iter().flatten().filter_map(|volume| volume.secret.as_ref());
    secrets.any(|mounted| mounted.secret_name.as_deref() == Some(name))
}
