//! Where in a pod the files are that the options of a client name: volumes, mounts, and what the agent puts together.

use api::agent::{JaasPassword, KeyStore, container};
use k8s_openapi::api::core::v1::{KeyToPath, SecretVolumeSource, Volume, VolumeMount};

use super::{Access, Authentication};
use crate::workload::volume;

/// Permissions of the files with keys and passwords: for the user and the group of the container.
const KEY_MODE: i32 = 0o440;
/// Permissions of the files with trusted certificates.
const TRUST_MODE: i32 = 0o444;
/// The volume with that Secret.
const TRUSTED_VOLUME: &str = "trusted-certs";

/// The files of one client in a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFiles {
    /// A name that no other client of the pod has; a part of the names of a volume and of files, so it is a DNS label.
    pub name: String,
    /// The key of the Secret with trusted certificates that holds those of this client.
    pub trusted_key: String,
}

impl ClientFiles {
    /// Name of the file with the certificate of a client.
    const CERTIFICATE: &'static str = "client.crt";
    /// Name of the file with the private key of a client.
    const KEY: &'static str = "client.key";
    /// Name of the file with the password of a client.
    pub const PASSWORD: &'static str = "password";

    /// The file with the trusted certificates.
    pub fn trusted_path(&self) -> String {
        format!("{}/{}", container::TRUSTED_CERTIFICATES, self.trusted_key)
    }

    /// The folder with what the client proves itself by.
    pub fn own_folder(&self) -> String {
        format!("{}/{}", container::CLIENTS, self.name)
    }

    /// The key store that the agent puts together.
    pub fn key_store_path(&self) -> String {
        format!("{}/{}.pem", container::MADE_BY_AGENT, self.name)
    }

    /// What the agent has to put together for the client.
    pub fn key_store(&self, access: &Access) -> Option<KeyStore> {
        let folder = self.own_folder();
        matches!(access.authentication, Authentication::Certificate { .. }).then(|| KeyStore {
            target: self.key_store_path().into(),
            key: format!("{folder}/{}", Self::KEY).into(),
            certificates: format!("{folder}/{}", Self::CERTIFICATE).into(),
        })
    }

    /// The password that the agent has to make ready for configurations of connectors.
    pub fn jaas_password(&self, access: &Access) -> Option<JaasPassword> {
        matches!(access.authentication, Authentication::Password { .. }).then(|| JaasPassword {
            source: format!("{}/{}", self.own_folder(), Self::PASSWORD).into(),
            target: format!("{}/{}", container::JAAS_PASSWORDS, self.name).into(),
        })
    }

    /// The volume with what the client proves itself by, and its mount: only the keys of the Secret that the resource names.
    pub fn own_volume(&self, access: &Access) -> Option<(Volume, VolumeMount)> {
        let item = |key: &str, path: &str| KeyToPath {
            key: key.to_owned(),
            path: path.to_owned(),
            ..KeyToPath::default()
        };
        let (secret, items) = match &access.authentication {
            Authentication::Certificate { secret, certificate, key } => {
                (secret, vec![item(certificate, Self::CERTIFICATE), item(key, Self::KEY)])
            }
            Authentication::Password { secret, key, .. } => (secret, vec![item(key, Self::PASSWORD)]),
            Authentication::None | Authentication::Custom { .. } => return None,
        };
        let source = SecretVolumeSource {
            secret_name: Some(secret.clone()),
            default_mode: Some(KEY_MODE),
            items: Some(items),
            ..SecretVolumeSource::default()
        };
        let name = format!("{}-credentials", self.name);
        let mount = volume::read_only(&name, &self.own_folder());
        Some((Volume { name, secret: Some(source), ..Volume::default() }, mount))
    }
}

/// The volume with the trusted certificates of all clients of a pod, and its mount.
pub fn trusted_volume(secret: &str) -> (Volume, VolumeMount) {
    let mount = volume::read_only(TRUSTED_VOLUME, container::TRUSTED_CERTIFICATES);
    (volume::secret(TRUSTED_VOLUME, secret, TRUST_MODE), mount)
}
