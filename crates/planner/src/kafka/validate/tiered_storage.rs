//! `spec.kafka.tieredStorage`.

use api::kafka::KafkaClusterSpec;

use super::{Findings, text};
use crate::kafka::cluster::TieredStorage;

/// Path of the section.
const SECTION: &str = "spec.kafka.tieredStorage.remoteStorageManager";

/// Reads the section.
pub fn read(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<TieredStorage> {
    // There is but one type.
    let raw = spec.tiered_storage.as_ref()?.remote_storage_manager.clone().unwrap_or_default();
    let field = format!("{SECTION}.className");
    let class = raw.class_name.unwrap_or_default();
    if class.is_empty() {
        findings.problem(&*field, "is missing: name the class that stores segments");
    } else {
        text::class(&class, &field, findings);
    }
    let mut config = raw.config.unwrap_or_default();
    config.retain(|name, _| text::option_name(name, &format!("{SECTION}.config"), findings));
    Some(TieredStorage { class, class_path: raw.class_path.filter(|path| !path.is_empty()), config })
}
