//! The Kafka versions that can run, as data: `config-model/versions.json` beside the configuration models.

use std::sync::OnceLock;

use api::conditions::reasons;
use serde::Deserialize;

use crate::findings::Findings;

/// A Kafka version that can run.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KafkaVersion {
    /// For instance `4.3.1`.
    pub version: String,
    /// The metadata version of a new cluster.
    pub metadata: String,
    /// Version whose configuration model applies.
    pub model: String,
    /// Whether a resource without a version gets this one.
    #[serde(default)]
    pub default: bool,
}

/// Every supported version, oldest first.
pub fn supported() -> &'static [KafkaVersion] {
    static TABLE: OnceLock<Vec<KafkaVersion>> = OnceLock::new();
    TABLE.get_or_init(|| {
        serde_json::from_str(include_str!("../config-model/versions.json")).unwrap_or_default()
    })
}

/// The version of a resource that names none.
pub fn default_version() -> Option<&'static KafkaVersion> {
    supported().iter().find(|version| version.default).or_else(|| supported().last())
}

/// The supported version of that name.
pub fn find(version: &str) -> Option<&'static KafkaVersion> {
    supported().iter().find(|known| known.version == version)
}

/// The version that the field of a resource asks for. A version older than all that are supported runs as the default version.
pub fn read(asked: Option<&str>, field: &str, findings: &mut Findings) -> Option<KafkaVersion> {
    let Some(asked) = asked else { return default_version().cloned() };
    if let Some(version) = find(asked) {
        return Some(version.clone());
    }
    if is_older_than_supported(asked) {
        let default = default_version().cloned();
        let runs = default.as_ref().map(|version| version.version.clone()).unwrap_or_default();
        findings.warn(
            reasons::UNSUPPORTED_KAFKA_VERSION,
            format!("{field}: {asked} is older than every supported version; {runs} runs instead"),
        );
        return default;
    }
    findings.problem(field, format!("{asked:?} is not supported: write one of {}", supported_list()));
    None
}

/// `4.2.0, 4.2.1, …` for messages.
pub fn supported_list() -> String {
    let names: Vec<&str> = supported().iter().map(|known| known.version.as_str()).collect();
    names.join(", ")
}

/// Whether the version is older than every supported one; such clusters run on the default version.
pub fn is_older_than_supported(version: &str) -> bool {
    match (numbers(version), supported().first().and_then(|first| numbers(&first.version))) {
        (Some(asked), Some(oldest)) => asked < oldest,
        _ => false,
    }
}

/// Whether the one version is older than the other.
pub fn is_older(one: &str, other: &str) -> bool {
    matches!((numbers(one), numbers(other)), (Some(one), Some(other)) if one < other)
}

/// `4.3.1` as numbers, for comparison.
pub fn numbers(version: &str) -> Option<Vec<u32>> {
    let parts: Result<Vec<u32>, _> = version.split('.').map(str::parse).collect();
    parts.ok().filter(|parts| parts.len() == 2 || parts.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_told_from_unknown_ones() {
        assert!(is_older_than_supported("3.9.0"));
        assert!(is_older_than_supported("2.8"));
        assert!(!is_older_than_supported("4.9.0"));
        assert!(!is_older_than_supported("latest"));
    }
}
