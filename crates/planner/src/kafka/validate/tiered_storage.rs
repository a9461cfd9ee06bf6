//! `spec.kafka.tieredStorage`.

use api::kafka::KafkaClusterSpec;

use super::{Findings, text};
use crate::kafka::cluster::TieredStorage;

/// Path of the section.
const SECTION: &str = "spec.kafka.tieredStorage.remoteStorageManager";

/// The longest `classPath` in bytes.
const LONGEST_CLASS_PATH: usize = 4096;

/// Reads the section.
pub(super) fn read(spec: &KafkaClusterSpec, findings: &mut Findings) -> Option<TieredStorage> {
    // There is but one type.
    let raw = spec.tiered_storage.as_ref()?.remote_storage_manager.clone().unwrap_or_default();
    let field = format!("{SECTION}.className");
    let class = raw.class_name.unwrap_or_default();
    if class.is_empty() {
        findings.problem(&*field, "is missing: name the class that stores segments");
    } else {
        text::class(&class, &field, findings);
    }
    let class_path = raw.class_path.filter(|path| !path.is_empty());
    if let Some(path) = &class_path {
        class_path_is_plain(path, findings);
    }
    let mut config = raw.config.unwrap_or_default();
    config.retain(|name, _| text::option_name(name, &format!("{SECTION}.config"), findings));
    Some(TieredStorage { class, class_path, config })
}

/// The agent of a node looks into each place, and fills in placeholders: neither may lead to anything but jars.
fn class_path_is_plain(path: &str, findings: &mut Findings) {
    let field = format!("{SECTION}.classPath");
    if path.len() > LONGEST_CLASS_PATH {
        let message = format!("has {} bytes: write at most {LONGEST_CLASS_PATH}", path.len());
        findings.problem(field, message);
        return;
    }
    let is_plain = |place: &str| {
        let folders = place.trim_end_matches('*');
        place.starts_with('/')
            && !folders.contains(['*', '$', '\\'])
            && !folders.chars().any(char::is_control)
            && folders.split('/').any(|folder| !folder.is_empty())
            && !folders.split('/').any(|folder| folder == "..")
    };
    if let Some(place) = path.split(':').find(|place| !place.is_empty() && !is_plain(place)) {
        findings.problem(
            field,
            format!("{place:?} is no place of jars: write paths such as /opt/kafka/plugins/s3/*, with \":\" between them"),
        );
    }
}
