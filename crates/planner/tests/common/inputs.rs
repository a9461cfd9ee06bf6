//! What clusters on paper are made of: manifests, and the settings of the operator.

use std::collections::BTreeMap;

use planner::settings::PlanSettings;
use serde_json::Value;

/// The documents of a YAML file.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let parts = text.split("\n---\n").filter(|part| !part.trim().is_empty());
    parts.map(|part| serde_saphyr::from_str(part).unwrap()).collect()
}

/// The file under `tests/reference`.
pub(crate) fn reference(name: &str) -> String {
    let path = format!("{}/tests/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

pub(crate) fn settings() -> PlanSettings {
    PlanSettings {
        operator_image: "kastellan/operator:test".to_owned(),
        kafka_images: BTreeMap::from([
            ("4.3.1".to_owned(), "apache/kafka:4.3.1".to_owned()),
            ("4.2.1".to_owned(), "apache/kafka:4.2.1".to_owned()),
        ]),
        operator_namespace: Some("operators".to_owned()),
        ..PlanSettings::default()
    }
}
