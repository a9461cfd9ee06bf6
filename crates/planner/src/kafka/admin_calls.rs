//! What Kafka itself is told: levels of features, registrations, voters. Options have `config/live`.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::labels;
use k8s_openapi::api::core::v1::Pod;

use super::admin_call::AdminCall;
use super::cluster::{Cluster, Node, Warning};
use super::features;
use super::observed::{KafkaView, Observed};
use super::planned::Plan;
use super::transitions::leaving::Replicas;
use super::voter_removals::{self, VoterRemoval};
use crate::words;

/// Brokers that one plan unregisters at most: a pass that makes very many calls keeps a place from other clusters.
const UNREGISTERED_AT_A_TIME: usize = 10;

/// Whether the next pass is to come soon: there are as many calls of a kind as one plan makes, or a call after which Kafka is to be looked
/// at again.
pub(super) fn are_to_be_seen(calls: &[AdminCall], observed: &Observed) -> bool {
    let unregistrations = calls.iter().filter(|call| matches!(call, AdminCall::UnregisterBroker { .. }));
    let is_to_be_seen = |call: &AdminCall| {
        matches!(call, AdminCall::AlterDefaultUserQuotas { .. } | AdminCall::RemoveVoter { .. })
            || features::is_new(call, observed)
    };
    unregistrations.count() >= UNREGISTERED_AT_A_TIME || calls.iter().any(is_to_be_seen)
}

/// What Kafka is told.
#[derive(Debug)]
pub(super) struct Told {
    /// The calls.
    pub calls: Vec<AdminCall>,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// Whether something is waited for of which no event tells.
    pub look_again: bool,
}

/// The calls of a plan but those about options.
pub(super) fn of(cluster: &Cluster, view: &KafkaView, observed: &Observed, plan: &Plan) -> Told {
    let mut calls = Vec::new();
    let model = cluster.version.model();
    let nodes = cluster.nodes();
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
    let refused = refused(&calls, observed);
    let is_version = |call: &AdminCall| matches!(call, AdminCall::UpdateMetadataVersion { .. });
    let changes_version = refused.is_none() && calls.iter().any(is_version);
    let mut warnings = features::warnings(cluster, view, &calls, observed);
    warnings.extend(refused);
    let mut told = Told { calls, warnings, look_again: false };
    if let Some(quorum) = &view.quorum {
        match voter_removals::plan(cluster, quorum, observed, &plan.roll.wanted, changes_version) {
            VoterRemoval::Settled => {}
            VoterRemoval::Now(call) => told.calls.push(call),
            VoterRemoval::Waits(warning) => {
                told.warnings.push(warning);
                told.look_again = true;
            }
        }
    }
    told
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
