//! Options whose values are secrets: the result refers to a Secret that the user makes, and Kafka reads them from files.

use api::common::pod_template::{AdditionalVolume, ContainerTemplate, PodTemplate};
use api::kafka_node_pool::KafkaNodePoolTemplate;
use k8s_openapi::api::core::v1::{SecretVolumeSource, VolumeMount};
use serde_json::Value;

use crate::convert::notes::Notes;

const VOLUME: &str = "converted-options";
const FOLDER: &str = "/mnt/converted-options";
const PROVIDER: &str = "dir";
const CLASS: &str = "org.apache.kafka.common.config.provider.DirectoryConfigProvider";

/// The Secret of a cluster.
#[derive(Debug)]
pub(super) struct Vault {
    secret: String,
    keys: Vec<String>,
}

impl Vault {
    /// The Secret of the cluster of this name, with nothing in it.
    pub(super) fn new(cluster: &str) -> Self {
        Self { secret: format!("{cluster}-converted-options"), keys: Vec::new() }
    }

    /// What stands in the resource in place of a value; `key` is that of the Secret.
    pub(super) fn keep(&mut self, key: &str, path: &str, notes: &mut Notes) -> Value {
        let key = key.to_owned();
        notes.lost(
            path,
            &Value::Null,
            format!(
                "the value may be a secret, and is not printed: put it into the Secret {} under the key {key} (kubectl create secret \
                 generic {} --from-file={key}=FILE) before you apply the result; pods wait for that Secret",
                self.secret, self.secret
            ),
        );
        let reference = format!("${{{PROVIDER}:{FOLDER}:{key}}}");
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
        Value::from(reference)
    }

    /// Whether a value was put into it.
    pub(super) fn is_needed(&self) -> bool {
        !self.keys.is_empty()
    }

    /// What Kafka needs to find the values.
    pub(super) fn provider(config: &mut api::schema::FreeMap) {
        let others = config.remove("config.providers");
        let others = others.as_ref().and_then(Value::as_str).filter(|names| !names.is_empty());
        let names = others.map_or_else(|| PROVIDER.to_owned(), |names| format!("{names},{PROVIDER}"));
        config.insert("config.providers".to_owned(), Value::from(names));
        config.insert(format!("config.providers.{PROVIDER}.class"), Value::from(CLASS));
    }

    /// Lets the pods of a pool see the Secret.
    pub(super) fn mount(&self, template: &mut Option<KafkaNodePoolTemplate>) {
        let template = template.get_or_insert_with(KafkaNodePoolTemplate::default);
        let pod = template.pod.get_or_insert_with(PodTemplate::default);
        let secret =
            SecretVolumeSource { secret_name: Some(self.secret.clone()), ..SecretVolumeSource::default() };
        pod.volumes.get_or_insert_with(Vec::new).push(AdditionalVolume {
            name: Some(VOLUME.to_owned()),
            secret: Some(secret),
            ..AdditionalVolume::default()
        });
        let container = template.kafka_container.get_or_insert_with(ContainerTemplate::default);
        container.volume_mounts.get_or_insert_with(Vec::new).push(VolumeMount {
            name: VOLUME.to_owned(),
            mount_path: FOLDER.to_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        });
    }
}
