//! Whether the operators accept what came out.

use std::collections::BTreeMap;
use std::sync::Arc;

use planner::kafka::validate::{Specs, alone};
use planner::settings::PlanSettings;
use planner::versions;

use super::resources::Resource;

/// Everything for which a cluster with its pools would be refused. Topics and users are correct as they are made.
pub(super) fn problems(resources: &[Resource]) -> Vec<String> {
    let kafka = resources.iter().find_map(|resource| match resource {
        Resource::Kafka(kafka) => Some(kafka),
        _ => None,
    });
    let Some(kafka) = kafka else { return Vec::new() };
    let pools: Vec<_> = resources
        .iter()
        .filter_map(|resource| match resource {
            Resource::Pool(pool) => Some(Arc::new((**pool).clone())),
            _ => None,
        })
        .collect();
    match alone(Specs { kafka, pools: &pools }, &settings()) {
        Ok(_) => Vec::new(),
        Err(invalid) => {
            let texts =
                invalid.problems.iter().map(|problem| format!("the result is not accepted: {problem}"));
            texts.collect()
        }
    }
}

/// An operator as it is installed, with an image for every version.
fn settings() -> PlanSettings {
    let images =
        versions::supported().iter().map(|known| (known.version.clone(), format!("kafka:{}", known.version)));
    PlanSettings { kafka_images: images.collect::<BTreeMap<_, _>>(), ..PlanSettings::default() }
}
