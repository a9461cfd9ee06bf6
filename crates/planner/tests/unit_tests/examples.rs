//! Every example is a cluster that would be made as it stands: nothing of it is refused, unknown, deprecated or without effect.

use crate::common;

use std::path::Path;
use std::sync::Arc;

use api::{Kafka, KafkaNodePool};
use planner::kafka::validate::{Specs, alone};
use planner::settings::PlanSettings;
use serde_json::Value;

#[test]
fn every_example_is_accepted_without_a_warning_about_its_fields() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut clusters = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let all = common::documents(&text);
        let of_kind = |kind: &str| -> Vec<Value> {
            all.iter().filter(|document| document["kind"] == kind).cloned().collect()
        };
        let pools = of_kind("KafkaNodePool").into_iter().map(|pool| {
            let pool: KafkaNodePool = serde_json::from_value(pool).unwrap();
            Arc::new(pool)
        });
        let pools: Vec<_> = pools.collect();
        let settings = PlanSettings {
            object_overrides: true,
            entity_operator_watched_namespace: true,
            ..common::settings()
        };
        for kafka in of_kind("Kafka") {
            let kafka: Kafka = serde_json::from_value(kafka).unwrap();
            let judged = alone(Specs { kafka: &kafka, pools: &pools }, &settings);
            let (_, warnings) =
                judged.unwrap_or_else(|invalid| panic!("{}: {}", path.display(), invalid.message()));
            let about_fields = [
                "UnsupportedFields",
                "UnknownFields",
                "DeprecatedFields",
                "FieldsWithoutEffect",
                "TemplateLabelIgnored",
            ];
            let said: Vec<_> =
                warnings.iter().filter(|one| about_fields.contains(&one.reason.as_str())).collect();
            assert!(said.is_empty(), "{}: {said:?}", path.display());
            clusters += 1;
        }
    }
    assert!(clusters >= 10, "{clusters}");
}
