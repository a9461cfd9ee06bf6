//! The metadata version to reach while the version of Kafka changes: the present one stays until every pod runs the new
//! version.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, labels, names};
use kube_core::ResourceExt;

use crate::findings::Findings;
use crate::kafka::feature_view::is_name;
use crate::kafka::observed::Observed;
use crate::versions::{self, KafkaVersion};
use crate::words;

/// How far a change of the version of Kafka is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// Every pod that there is runs the version that is asked for.
    Settled,
    /// Pods of other versions are there.
    Changing {
        /// Those versions.
        from: BTreeSet<String>,
        /// The metadata version in use, which stays; `None`: it is not known.
        metadata: Option<String>,
    },
    /// The version that is asked for cannot run with the metadata version in use.
    Refused {
        /// The metadata version in use.
        metadata: String,
    },
    /// The wanted version is older than a running version, and cannot run with levels of features in use.
    FeaturesRefused {
        /// Name, level, and the highest level that the older version supports, of each.
        features: Vec<(String, i16, i16)>,
        /// The metadata version in use; `None`: it is not known.
        metadata: Option<String>,
    },
}

impl Upgrade {
    /// Decides; `kafka` is the name of the cluster, and `version` the one that is asked for.
    pub(crate) fn of(cluster: &str, version: &KafkaVersion, observed: &Observed) -> Self {
        let model = version.model();
        let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
        let said = observed.view.as_ref().and_then(|view| model.metadata_name(view.metadata_level?));
        let present = said
            .map(str::to_owned)
            .or_else(|| status.and_then(|status| status.kafka_metadata_version.clone()));
        if let Some(metadata) = present.clone().filter(|present| model.metadata_level(present).is_none()) {
            return Self::Refused { metadata };
        }
        let mut from = versions_that_run(&names::kafka(cluster), observed);
        from.remove(&version.version);
        if from.is_empty() {
            return Self::Settled;
        }
        let features = too_high(version, observed);
        if !features.is_empty() && from.iter().any(|runs| versions::is_older(&version.version, runs)) {
            return Self::FeaturesRefused { features, metadata: present };
        }
        Self::Changing { from, metadata: present }
    }

    /// The metadata version to reach, given the one that is asked for.
    pub(crate) fn metadata_version(&self, asked: &str) -> String {
        match self {
            Self::Settled => asked.to_owned(),
            Self::Changing { metadata, .. } | Self::FeaturesRefused { metadata, .. } => {
                metadata.clone().unwrap_or_else(|| asked.to_owned())
            }
            Self::Refused { metadata } => metadata.clone(),
        }
    }

    /// Says why it cannot be made.
    pub(crate) fn say(&self, version: &KafkaVersion, findings: &mut Findings) {
        let message = match self {
            Self::Settled | Self::Changing { .. } => return,
            Self::Refused { metadata } => format!(
                "Kafka {} cannot run with the present metadata version {metadata}: write the Kafka version that runs. To go back, \
                 first lower spec.kafka.metadataVersion; Kafka never lowers it to one before 4.3-IV0 once it was there",
                version.version
            ),
            Self::FeaturesRefused { features, .. } => {
                let levels: Vec<String> = features
                    .iter()
                    .map(|(name, level, most)| {
                        let name = if is_name(name) { name.clone() } else { words::quoted(name) };
                        format!("{name}={level} (at most {most})")
                    })
                    .collect();
                // The names are those of brokers, and a person pastes the command.
                let named = features.iter().filter(|(name, ..)| is_name(name));
                let lower = named.map(|(name, _, most)| format!(" --feature {name}={most}"));
                format!(
                    "Kafka {} cannot run with the present levels of features {}: write the version that runs, lower them first \
                     (kafka-features.sh downgrade{}; out of the annotation {} too), then write the version",
                    version.version,
                    words::first(&levels, NAMED, ", "),
                    lower.take(NAMED).collect::<String>(),
                    annotations::FEATURE_LEVELS
                )
            }
        };
        findings.problem("spec.kafka.version", message);
    }
}

/// Features that a message names.
const NAMED: usize = 10;

/// The versions of Kafka that pods run. `component` is the name of the cluster's nodes as a component.
pub(crate) fn versions_that_run(component: &str, observed: &Observed) -> BTreeSet<String> {
    let of_nodes = observed
        .pods
        .values()
        .filter(|pod| pod.labels().get(labels::NAME).is_some_and(|name| name == component));
    of_nodes.filter_map(|pod| pod.annotations().get(annotations::KAFKA_VERSION)).cloned().collect()
}

/// Features whose level in force the version does not know, with the highest that it knows.
fn too_high(version: &KafkaVersion, observed: &Observed) -> Vec<(String, i16, i16)> {
    let known = &version.model().features;
    let status = observed.kafka.as_ref().and_then(|kafka| kafka.status.as_ref());
    let said: BTreeMap<&str, i16> = match &observed.view {
        Some(view) if !view.features.is_empty() => {
            view.features.iter().map(|(name, feature)| (name.as_str(), feature.level)).collect()
        }
        // As it was before Kafka ceased to answer.
        _ => {
            let features = status.and_then(|status| status.features.as_ref()).into_iter().flatten();
            features.filter_map(|one| Some((one.name.as_deref()?, i16::try_from(one.level?).ok()?))).collect()
        }
    };
    let most = |name: &str| known.get(name).copied().unwrap_or_default();
    let all = said.into_iter().map(|(name, level)| (name.to_owned(), level, most(name)));
    all.filter(|(_, level, most)| level > most).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::kafka::feature_view::FeatureView;
    use crate::kafka::observed::KafkaView;

    fn observed(metadata_level: Option<i16>, running: &[&str]) -> Observed {
        let mut observed = Observed {
            view: Some(KafkaView { metadata_level, ..KafkaView::default() }),
            ..Observed::default()
        };
        for (index, version) in running.iter().enumerate() {
            let pod = json!({"metadata": {"labels": {"strimzi.io/name": "my-kafka"},
                "annotations": {"strimzi.io/kafka-version": version}}});
            observed.pods.insert(index.to_string(), Arc::new(serde_json::from_value(pod).unwrap()));
        }
        observed
    }

    #[test]
    fn the_metadata_version_moves_when_every_pod_runs_the_new_version() {
        let version = versions::find("4.3.1").unwrap();
        let (level, name) = {
            let (name, level) = version.model().metadata_versions.first().unwrap();
            (*level, name.clone())
        };
        let state = |running: &[&str]| Upgrade::of("my", version, &observed(Some(level), running));
        assert_eq!(state(&["4.3.1", "4.3.1"]), Upgrade::Settled);
        assert_eq!(state(&["4.3.1"]).metadata_version("4.3-IV0"), "4.3-IV0");
        let half = state(&["4.2.1", "4.3.1"]);
        let from = BTreeSet::from(["4.2.1".to_owned()]);
        assert_eq!(half, Upgrade::Changing { from, metadata: Some(name.clone()) });
        assert_eq!(half.metadata_version("4.3-IV0"), name);
    }

    #[test]
    fn a_version_that_cannot_run_with_the_present_metadata_is_refused() {
        let mut observed = observed(None, &["4.3.1"]);
        let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "my"},
            "spec": {"kafka": {"listeners": []}}, "status": {"kafkaMetadataVersion": "9.9-IV0"}});
        observed.kafka = Some(Arc::new(serde_json::from_value(kafka).unwrap()));
        let version = versions::find("4.3.1").unwrap();
        let refused = Upgrade::of("my", version, &observed);
        assert_eq!(refused, Upgrade::Refused { metadata: "9.9-IV0".to_owned() });
        let mut findings = Findings::default();
        refused.say(version, &mut findings);
        assert!(findings.problems[0].message.contains("4.3.1 cannot run"));
    }

    #[test]
    fn the_way_back_is_refused_while_features_have_levels_that_the_older_version_does_not_know() {
        let older = versions::find("4.2.1").unwrap();
        let level = older.model().metadata_versions.last().unwrap().1;
        let with = |features: &[(&str, i16)], running: &[&str]| {
            let mut observed = observed(Some(level), running);
            let features = features.iter().map(|(name, level)| {
                ((*name).to_owned(), FeatureView { level: *level, supported: Some(*level) })
            });
            observed.view.as_mut().unwrap().features = features.collect();
            observed
        };
        let most = older.model().features["transaction.version"];
        let known = with(&[("transaction.version", most), ("of.tomorrow.version", 0)], &["4.3.1"]);
        assert!(matches!(Upgrade::of("my", older, &known), Upgrade::Changing { .. }));

        let too_high = [("of.tomorrow.version", 1), ("transaction.version", most + 1)];
        let refused = Upgrade::of("my", older, &with(&too_high, &["4.3.1", "4.2.1"]));
        let mut findings = Findings::default();
        refused.say(older, &mut findings);
        let message = &findings.problems[0].message;
        for part in
            ["4.2.1 cannot run", "of.tomorrow.version=1 (at most 0)", "--feature of.tomorrow.version=0"]
        {
            assert!(message.contains(part), "{message}");
        }
        assert_eq!(refused.metadata_version("4.2-IV1"), "4.2-IV1");
        // A name that a shell would run holds the way back, and is in no command.
        let refused = Upgrade::of("my", older, &with(&[("a;$(reboot)", 1)], &["4.3.1"]));
        let mut findings = Findings::default();
        refused.say(older, &mut findings);
        let message = &findings.problems[0].message;
        assert!(
            message.contains(r#""a;$(reboot)"=1 (at most 0)"#) && !message.contains("--feature"),
            "{message}"
        );
        // What runs, runs with them; and a newer version is no way back.
        assert_eq!(Upgrade::of("my", older, &with(&too_high, &["4.2.1"])), Upgrade::Settled);
        let newer = Upgrade::of("my", older, &with(&too_high, &["4.2.0"]));
        assert!(matches!(newer, Upgrade::Changing { .. }), "{newer:?}");
        // While Kafka does not answer, the status tells.
        let mut silent = observed(None, &["4.3.1"]);
        let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": "my"},
            "spec": {"kafka": {"listeners": []}}, "status": {"features": [{"name": "of.tomorrow.version", "level": 1}]}});
        silent.kafka = Some(Arc::new(serde_json::from_value(kafka).unwrap()));
        assert!(matches!(Upgrade::of("my", older, &silent), Upgrade::FeaturesRefused { .. }));
    }
}
