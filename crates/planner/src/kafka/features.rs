//! The levels of Kafka's features besides the metadata version: which it has, and which of those that the resource asks for are raised
//! now. None is lowered: what a lower level loses, only a person knows.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::kafka::status::FeatureStatus;
use api::{annotations, names};

use super::admin_call::AdminCall;
use super::cluster::{Cluster, FeatureLevels, Warning};
use super::feature_view::{FeatureView, KRAFT, METADATA};
use super::observed::{KafkaView, Observed};
use super::transitions::upgrade;
use crate::pod_words::is_ready;
use crate::versions::{self, KafkaVersion};
use crate::words;

/// What the status says of the features.
pub(super) fn status(cluster: &Cluster, view: &KafkaView, observed: &Observed) -> Vec<FeatureStatus> {
    let supported = supported(cluster, view, observed);
    let said = view.features.iter().map(|(name, feature)| FeatureStatus {
        name: Some(name.clone()),
        level: Some(feature.level.into()),
        supported_level: supported.get(name.as_str()).map(|level| i32::from(*level)),
    });
    said.collect()
}

/// The highest level of each feature that every node supports. One node was asked. While pods run several versions, what each of
/// these supports counts too; an unknown version says nothing, and then no level is known.
fn supported<'a>(cluster: &Cluster, view: &'a KafkaView, observed: &Observed) -> BTreeMap<&'a str, i16> {
    let run = upgrade::versions_that_run(&names::kafka(&cluster.name), observed);
    let several = Some(run).filter(|run| run.len() > 1).unwrap_or_default();
    let models: Option<Vec<_>> =
        several.iter().map(|version| versions::find(version).map(KafkaVersion::model)).collect();
    let Some(models) = models else {
        return BTreeMap::new();
    };
    let of_one = |name: &str, feature: &FeatureView| {
        let by_version = models.iter().map(|model| model.features.get(name).copied().unwrap_or_default());
        by_version.chain(feature.supported).min()
    };
    let all = view.features.iter().filter(|(_, feature)| feature.supported.is_some());
    all.filter_map(|(name, feature)| Some((name.as_str(), of_one(name, feature)?))).collect()
}

/// The levels to raise: those that Kafka refused the last time, and of the others one. `is_settled`: no pod is to be restarted, and the
/// metadata version is as wanted.
pub(super) fn calls(
    cluster: &Cluster,
    view: &KafkaView,
    observed: &Observed,
    is_settled: bool,
) -> Vec<AdminCall> {
    let is_well = |name: &String| observed.pods.get(name).is_some_and(|pod| is_ready(pod));
    if !is_settled || !cluster.nodes().iter().all(|node| is_well(&cluster.pod_name(*node))) {
        return Vec::new();
    }
    let supported = supported(cluster, view, observed);
    let raised = |(name, level): (&str, i16)| {
        let present = view.features.get(name)?.level;
        let is_had = *supported.get(name)? >= level;
        (is_had && level > present).then(|| AdminCall::RaiseFeature { name: name.to_owned(), level })
    };
    let all = wanted(cluster, &supported).into_iter().filter_map(raised);
    let (new, refused): (Vec<_>, Vec<_>) = all.partition(|call| is_new(call, observed));
    new.into_iter().take(1).chain(refused).collect()
}

/// Whether the call raises a level that Kafka did not refuse the last time: then it is to be looked soon what came of it.
pub(super) fn is_new(call: &AdminCall, observed: &Observed) -> bool {
    let AdminCall::RaiseFeature { name, level } = call else { return false };
    observed.options.features_refused.get(name).is_none_or(|refused| refused.level != *level)
}

/// The levels that are asked for, but for those of features that have other ways.
fn wanted<'a>(cluster: &'a Cluster, supported: &BTreeMap<&'a str, i16>) -> Vec<(&'a str, i16)> {
    match &cluster.feature_levels {
        FeatureLevels::Kept => Vec::new(),
        FeatureLevels::Latest => {
            let all = supported.iter().filter(|(name, _)| ![METADATA, KRAFT].contains(name));
            all.map(|(name, level)| (*name, *level)).collect()
        }
        FeatureLevels::Named(levels) => levels.iter().map(|(name, level)| (name.as_str(), *level)).collect(),
    }
}

/// What to say of levels that are not raised.
pub(super) fn warnings(
    cluster: &Cluster,
    view: &KafkaView,
    calls: &[AdminCall],
    observed: &Observed,
) -> Vec<Warning> {
    let of = |reason: &str, message: String| Warning {
        reason: reason.to_owned(),
        message: format!("metadata.annotations.{}: {message}", annotations::FEATURE_LEVELS),
    };
    let complaints = complaints(cluster, view, observed);
    let invalid = (!complaints.is_empty())
        .then(|| of(reasons::INVALID_FEATURE_LEVELS, words::first(&complaints, NAMED, "; ")));
    let refused = calls.iter().filter_map(|call| {
        let AdminCall::RaiseFeature { name, level } = call else { return None };
        let refused = observed.options.features_refused.get(name).filter(|refused| refused.level == *level)?;
        let message = format!(
            "{name} keeps its level, for Kafka refuses {level}: {}; write the level that it has, or mend what keeps it from the other",
            words::shortened(&refused.why)
        );
        Some(of(reasons::FEATURE_UPDATE_FAILED, message))
    });
    invalid.into_iter().chain(refused).collect()
}

/// Complaints, and features to choose from, that one message has at most.
const NAMED: usize = 10;

/// What is wrong with the levels that are asked for, as far as Kafka says what there is.
fn complaints(cluster: &Cluster, view: &KafkaView, observed: &Observed) -> Vec<String> {
    let FeatureLevels::Named(levels) = &cluster.feature_levels else { return Vec::new() };
    if view.features.is_empty() {
        return Vec::new();
    }
    let supported = supported(cluster, view, observed);
    let known: Vec<&str> = supported.keys().copied().filter(|name| *name != KRAFT).collect();
    let known = words::first(&known, NAMED, ", ");
    let complaint = |(name, level): (&String, &i16)| {
        let Some(FeatureView { level: present, .. }) = view.features.get(name) else {
            let (version, name) = (&cluster.version.version, words::quoted(name));
            return Some(format!("Kafka {version} has no feature {name}: write some of {known}"));
        };
        if level < present {
            return Some(format!(
                "{name} has the level {present} and is not lowered to {level}, for what a lower level loses is not known here: write \
                 {present}, or lower it with Kafka's own kafka-features.sh"
            ));
        }
        let most = supported.get(name.as_str()).filter(|most| *most < level)?;
        Some(format!("{name} has no level {level}, since every node supports {most} at most: write that"))
    };
    levels.iter().filter_map(complaint).collect()
}
