//! The metadata version to reach while the version of Kafka changes: the present one stays until every pod runs the new
//! version.

use std::collections::BTreeSet;

use api::{annotations, labels, names};
use kube_core::ResourceExt;

use crate::findings::Findings;
use crate::kafka::observed::Observed;
use crate::versions::KafkaVersion;

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
        let component = names::kafka(cluster);
        let of_nodes =
            observed.pods.values().filter(|pod| pod.labels().get(labels::NAME) == Some(&component));
        let run = of_nodes.filter_map(|pod| pod.annotations().get(annotations::KAFKA_VERSION));
        let from: BTreeSet<String> = run.filter(|runs| **runs != version.version).cloned().collect();
        if from.is_empty() { Self::Settled } else { Self::Changing { from, metadata: present } }
    }

    /// The metadata version to reach, given the one that is asked for.
    pub(crate) fn metadata_version(&self, asked: &str) -> String {
        match self {
            Self::Settled | Self::Changing { metadata: None, .. } => asked.to_owned(),
            Self::Changing { metadata: Some(metadata), .. } | Self::Refused { metadata } => metadata.clone(),
        }
    }

    /// Says why it cannot be made.
    pub(crate) fn say(&self, version: &KafkaVersion, findings: &mut Findings) {
        if let Self::Refused { metadata } = self {
            findings.problem(
                "spec.kafka.version",
                format!(
                    "Kafka {} cannot run with the present metadata version {metadata}: lower spec.kafka.metadataVersion \
                     first, then the version",
                    version.version
                ),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::kafka::observed::KafkaView;
    use crate::versions;

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
}
