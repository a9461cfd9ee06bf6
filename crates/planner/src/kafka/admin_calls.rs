//! What Kafka itself is told: levels of features, registrations, voters. Options have `config/live`.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::labels;
use k8s_openapi::api::core::v1::Pod;

use super::admin_call::AdminCall;
use super::cluster::{Cluster, Node, Quorum, Warning};
use super::features;
use super::observed::{KafkaView, Observed};
use super::planned::Plan;
use super::transitions::leaving::Replicas;
use crate::words;

/// Brokers that one plan unregisters at most: a pass that makes very many calls keeps a place from other clusters.
const UNREGISTERED_AT_A_TIME: usize = 10;

/// Whether the next pass is to come soon: there are as many calls of a kind as one plan makes, or a call after which Kafka is to be looked
/// at again.
pub(super) fn are_to_be_seen(calls: &[AdminCall], observed: &Observed) -> bool {
    let unregistrations = calls.iter().filter(|call| matches!(call, AdminCall::UnregisterBroker { .. }));
    let is_to_be_seen = |call: &AdminCall| {
        matches!(call, AdminCall::AlterDefaultUserQuotas { .. }) || features::is_new(call, observed)
    };
    unregistrations.count() >= UNREGISTERED_AT_A_TIME || calls.iter().any(is_to_be_seen)
}

/// The calls of a plan but those about options.
pub(super) fn of(cluster: &Cluster, view: &KafkaView, observed: &Observed, plan: &Plan) -> Vec<AdminCall> {
    let mut calls = Vec::new();
    let model = cluster.version.model();
    // Nodes whose pods are still to come (they wait for an address or a certificate) belong to the cluster too: a founder of
    // the quorum is no voter to be removed.
    let nodes = cluster.nodes();
    let desired: BTreeSet<i32> = nodes.iter().map(|node| node.id).collect();
    // The metadata version moves only when every node runs what it should.
    let runs = |node: &Node<'_>| observed.pods.contains_key(&cluster.pod_name(*node));
    let all_current = plan.roll.wanted.is_empty() && nodes.iter().all(runs);
    let metadata = model.metadata_level(&cluster.metadata_version);
    if let (Some((name, level)), Some(present)) = (metadata, view.metadata_level)
        && level != present
        && all_current
    {
        calls.push(AdminCall::UpdateMetadataVersion {
            version: name.to_owned(),
            level,
            downgrade: level < present,
        });
    }
    let has_metadata = metadata.is_some_and(|(_, level)| view.metadata_level == Some(level));
    calls.extend(features::calls(cluster, view, observed, all_current && has_metadata));
    calls.extend(unregistrations(cluster, view, observed));
    let running: BTreeSet<i32> =
        observed.pods.keys().filter_map(|pod| pod.rsplit_once('-')?.1.parse().ok()).collect();
    if let (Some(quorum), Quorum::Dynamic { .. }) = (&view.quorum, &cluster.quorum) {
        let gone: BTreeMap<&i32, &String> =
            quorum.voters.iter().filter(|(id, _)| !desired.contains(id) && !running.contains(id)).collect();
        // One at a time: each changes what a majority is.
        if let Some((controller, directory_id)) = gone.first_key_value().filter(|_| quorum.leader >= 0) {
            calls.push(AdminCall::RemoveVoter {
                controller: **controller,
                directory_id: (*directory_id).clone(),
            });
        }
    }
    calls
}

/// What to say of levels of features that Kafka does not get.
pub(super) fn warnings(
    cluster: &Cluster,
    view: &KafkaView,
    calls: &[AdminCall],
    observed: &Observed,
) -> Vec<Warning> {
    let mut warnings = features::warnings(cluster, view, calls, observed);
    warnings.extend(refused(calls, observed));
    warnings
}

/// What to say of a metadata version that Kafka refused the last time. It is asked for again with each pass.
fn refused(calls: &[AdminCall], observed: &Observed) -> Option<Warning> {
    let why = observed.options.metadata_refused.as_ref()?;
    let version = calls.iter().find_map(|call| match call {
        AdminCall::UpdateMetadataVersion { version, .. } => Some(version),
        _ => None,
    })?;
    let message = format!(
        "spec.kafka.metadataVersion: the metadata version stays as it is, for Kafka refuses {version}: {}; write the one that Kafka has, or \
         mend what keeps it from the other",
        words::shortened(why)
    );
    Some(Warning { reason: reasons::METADATA_UPDATE_FAILED.to_owned(), message })
}

/// Brokers that no pool has any more, that do not run and that hold no replica. Any other broker has to stay registered.
fn unregistrations(cluster: &Cluster, view: &KafkaView, observed: &Observed) -> Vec<AdminCall> {
    let brokers = cluster.broker_ids();
    let as_broker = |pod: &&Pod| {
        pod.metadata
            .labels
            .as_ref()
            .and_then(|all| all.get(labels::BROKER_ROLE))
            .is_none_or(|role| role == "true")
    };
    let running: BTreeSet<i32> = observed
        .pods
        .values()
        .map(AsRef::as_ref)
        .filter(as_broker)
        .filter_map(|pod| pod.metadata.name.as_deref()?.rsplit_once('-')?.1.parse().ok())
        .collect();
    let replicas = Replicas::of(observed);
    let gone = view.registered_brokers.iter().filter(|id| {
        !brokers.contains(id)
            && !running.contains(id)
            && !view.active_brokers.contains(id)
            && replicas.hold(&BTreeSet::from([**id])).is_none()
    });
    gone.take(UNREGISTERED_AT_A_TIME).map(|broker| AdminCall::UnregisterBroker { broker: *broker }).collect()
}
