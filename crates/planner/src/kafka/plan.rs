//! Puts the plan of a Kafka cluster together. Pure: what was seen and the time in, a [`Plan`] out.

use jiff::Timestamp;

use super::certificates;
use super::cluster::{Cluster, Quorum};
use super::complete_plan::complete;
use super::jmx;
use super::need::Need;
use super::observed::Observed;
use super::older::implied;
use super::pod_state;
use super::settled::{self, Settled};
use super::transitions::cluster_id::CLUSTER_ID_REQUEST;
use super::transitions::quorum::directory_id_request;
use super::transitions::scaling::needs_replicas;
use super::transitions::tiered_storage;
use super::transitions::volume_removal;
use super::upkeep_plan::{self, needs_of, refused, unmakeable};
use super::validate::Invalid;
use crate::findings::Held;
use pki::MaterialRequest;

pub use super::operator_hold::HeldPlan;
pub use super::planned::{Forgotten, Plan, PlannedNode, StatusPlan};

/// Plans one pass over one Kafka cluster, as far as the answers in `observed` allow.
///
/// - A resource that is wrong yields a plan that writes statuses, and certificates that are about to end.
/// - While something has to be known or made first, the plan says what, and is not to be carried out.
/// - Else the plan is complete, and carrying it out again changes nothing.
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let Some(kafka) = observed.kafka.as_deref() else { return Plan::default() };
    if let Some(why) = &observed.incomplete {
        return upkeep_plan::unreadable(kafka, why, observed, now);
    }
    if implied::are_awaited(observed) {
        let seconds = implied::wait_seconds(observed, now).unwrap_or(1);
        return upkeep_plan::waiting_for_pools(kafka, seconds, now);
    }
    let questions = about_kafka(observed);
    if !questions.is_empty() {
        return Plan::asking(questions);
    }
    let Settled { cluster, mut warnings, held } = match settled::settle(kafka, observed, now) {
        Ok(settled) => settled,
        Err(invalid) => return refused(kafka, &invalid, observed, now),
    };
    warnings.extend(held.iter().map(Held::warning));
    warnings.sort();
    let mut requests = identifiers(&cluster);
    requests.extend(jmx::requests(&cluster, observed));
    let certificates = match certificates::plan(&cluster, observed, now) {
        certificates::CertificatePlan::Wrong(problems) => {
            let reason = api::conditions::reasons::INVALID_RESOURCE;
            let invalid = Invalid { reason, problems, warnings, cluster: Some(Box::new(cluster)) };
            return refused(kafka, &invalid, observed, now);
        }
        certificates::CertificatePlan::Missing(missing) => {
            requests.extend(missing);
            None
        }
        certificates::CertificatePlan::Ready(certificates) => Some(certificates),
    };
    if let Some(certificates) = certificates.filter(|_| requests.is_empty()) {
        return match complete(kafka, &cluster, &certificates, observed, warnings.clone(), now) {
            Ok(mut plan) => {
                plan.held = held;
                plan
            }
            Err(problems) => {
                let reason = api::conditions::reasons::INVALID_RESOURCE;
                let invalid = Invalid { reason, problems, warnings, cluster: Some(Box::new(cluster)) };
                refused(kafka, &invalid, observed, now)
            }
        };
    }
    let needs = needs_of(requests);
    let problems = unmakeable(&needs, observed);
    if problems.is_empty() {
        return Plan::asking(needs);
    }
    let reason = api::conditions::reasons::INTERNAL_ERROR;
    let invalid = Invalid { reason, problems, warnings, cluster: Some(Box::new(cluster)) };
    let mut plan = refused(kafka, &invalid, observed, now);
    plan.failure = Some(invalid.message());
    plan
}

/// What has to be asked of Kafka before anything is decided. Only a broker that is ready is asked: before that there is
/// nobody who could answer.
fn about_kafka(observed: &Observed) -> Vec<Need> {
    if !pod_state::some_broker_is_ready(observed) {
        return Vec::new();
    }
    let mut needs = Vec::new();
    match &observed.view {
        None => needs.push(Need::Kafka),
        Some(view) if view.brokers_with_replicas.is_none() && needs_replicas(observed) => {
            needs.push(Need::BrokersWithReplicas);
        }
        Some(_) => {}
    }
    if observed.view.is_some() && observed.tiered_topics.is_none() && tiered_storage::is_taken_out(observed) {
        needs.push(Need::TieredTopics);
    }
    if observed.view.is_some() && observed.log_dirs.is_none() {
        needs.extend(volume_removal::question(observed));
    }
    // What follows from it needs the other answer as well.
    if observed.log_dirs.is_some() && observed.leaderless.is_none() {
        needs.extend(volume_removal::elections::question(observed));
    }
    needs.retain(|need| observed.silence(need).is_none());
    needs
}

/// Identifiers that must be made first.
fn identifiers(cluster: &Cluster) -> Vec<MaterialRequest> {
    let mut requests = Vec::new();
    if cluster.cluster_id.is_none() {
        requests.push(MaterialRequest::Uuid { id: CLUSTER_ID_REQUEST.to_owned() });
    }
    if let Quorum::Dynamic { directory_ids, initial, .. } = &cluster.quorum {
        for node in initial.iter().filter(|node| !directory_ids.contains_key(node)) {
            requests.push(MaterialRequest::Uuid { id: directory_id_request(*node) });
        }
    }
    requests
}
