//! Plans of a cluster that cannot be carried out: its status says why, what runs is left as it is, and certificates that are
//! there are renewed all the same.

use std::time::Duration;

use api::conditions::reasons;
use jiff::Timestamp;
use pki::MaterialRequest;

use super::certificates::{ending, upkeep};
use super::cluster::Cluster;
use super::live_objects;
use super::need::Need;
use super::observed::Observed;
use super::planned::{Common, Plan};
use super::settled::{self, Settled};
use super::status;
use super::validate::{Invalid, Problem};
use crate::status::failed;

/// The plan of a resource that is wrong.
pub(super) fn refused(kafka: &api::Kafka, invalid: &Invalid, observed: &Observed, now: Timestamp) -> Plan {
    let mut plan = match invalid.cluster.as_deref() {
        Some(cluster) => certificates(cluster, observed, now),
        None => Plan::default(),
    };
    if !plan.needs.is_empty() {
        return plan;
    }
    let need = invalid.cluster.as_deref().and_then(|one| ending::need_while_refused(one, observed, now));
    if let Some(need) = need {
        return Plan::asking(vec![need]);
    }
    let ending = invalid.cluster.as_deref().and_then(|cluster| ending::while_refused(cluster, observed, now));
    let mut warnings = invalid.warnings.clone();
    warnings.extend(ending);
    warnings.extend(status::errors_of_live_pods(observed));
    plan.status.kafka =
        Some(crate::status::refused(kafka, invalid.reason, &invalid.message(), &warnings, now));
    plan.waiting_for.push(format!("a correction of the resource: {}", invalid.message()));
    plan
}

/// The plan of a new resource of an older version: objects that come with it may be on their way.
pub(super) fn waiting_for_pools(kafka: &api::Kafka, seconds: u64, now: Timestamp) -> Plan {
    let why = "the resource is new: KafkaNodePools that come with it are waited for before its own replicas and storage count";
    let mut plan = Plan::default();
    plan.status.kafka = Some(failed(kafka, None, reasons::CREATING, why, now));
    plan.waiting_for.push(why.to_owned());
    plan.look_again = Some(Duration::from_secs(seconds));
    plan
}

/// The plan of a cluster of which objects cannot be read: `why` names them. Nothing else is decided, because what is missing
/// would be taken for gone.
pub(super) fn unreadable(kafka: &api::Kafka, why: &str, observed: &Observed, now: Timestamp) -> Plan {
    let cluster = match settled::settle(kafka, observed, now) {
        Ok(Settled { cluster, .. }) => Some(Box::new(cluster)),
        Err(invalid) => invalid.cluster,
    };
    let mut plan = match cluster.as_deref() {
        Some(cluster) => certificates(cluster, observed, now),
        None => Plan::default(),
    };
    if plan.needs.is_empty() {
        let status = failed(kafka, None, reasons::INVALID_CONFIGURATION, why, now);
        plan.status.kafka = Some(status);
        plan.waiting_for.push(why.to_owned());
    }
    plan
}

/// What has to be made, or else the Secrets to write. What cannot be made is left.
fn certificates(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Plan {
    match upkeep::prolong(cluster, observed, now) {
        Ok(wanted) => Common { apply: live_objects::writes(observed, wanted), ..Common::default() }.into(),
        Err(requests) => {
            let needs = needs_of(requests);
            if unmakeable(&needs, observed).is_empty() { Plan::asking(needs) } else { Plan::default() }
        }
    }
}

/// Requests as needs.
pub(super) fn needs_of(requests: Vec<MaterialRequest>) -> Vec<Need> {
    requests.into_iter().map(|request| Need::Material(Box::new(request))).collect()
}

/// What could not be made, and why.
pub(super) fn unmakeable(needs: &[Need], observed: &Observed) -> Vec<Problem> {
    let problem = |need: &Need| {
        let (Need::Material(request), Some(silence)) = (need, observed.silence(need)) else { return None };
        Some(Problem::new(request.id(), format!("cannot be made: {silence}")))
    };
    needs.iter().filter_map(problem).collect()
}
