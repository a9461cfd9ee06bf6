//! Whose an object is that has a name which the cluster needs. What belongs to another owner is neither written nor adopted:
//! the status names it, and only what cannot do without it waits.
//! [`crate::ownership`] tells whose an object is.

use std::collections::BTreeSet;

use api::conditions::reasons;
use api::kinds;
use api::names;
use objects::{DesiredObject, ObjectId};

use super::cluster::{Cluster, Warning};
use super::components;
use super::held_authorities;
use super::live_objects;
use super::need::Need;
use super::observed::Observed;
use super::planned::Plan;
use super::status::Progress;
use crate::ownership::{CLAIM, CLUSTER_ROLE_BINDING};

/// Seconds until an object of another owner is looked at again: nothing announces that it went.
const AGAIN_SECONDS: u64 = 15;

/// Takes out of what is wanted what belongs to another owner, and what cannot do without it; asks for what is not known.
/// Returns whether the pods of Kafka have to stay as they are.
pub(super) fn leave_to_others(
    cluster: &Cluster,
    observed: &Observed,
    desired: &mut Vec<DesiredObject>,
    plan: &mut Plan,
    progress: &mut Progress,
) -> bool {
    let claimant = cluster.claimant();
    let wanted = desired.iter().map(|object| &object.reference);
    let silence =
        |unknown: &[ObjectId]| observed.silence(&Need::Holders(unknown.to_vec())).map(ToString::to_string);
    let strangers = match live_objects::of_cluster(observed).strangers(&claimant, wanted, silence) {
        Ok(strangers) => strangers,
        Err(unknown) => {
            plan.needs.push(Need::Holders(unknown));
            return false;
        }
    };
    if strangers.is_empty() {
        return false;
    }
    plan.look_again_in(AGAIN_SECONDS);
    progress.stuck = true;
    let mut messages = Vec::new();
    for stranger in &strangers {
        let message = stranger.words(&claimant);
        let reason = reasons::FOREIGN_OBJECT.to_owned();
        progress.warnings.push(Warning { reason, message: message.clone() });
        messages.push(message);
    }
    let objects: Vec<&ObjectId> = strangers.iter().map(|stranger| &stranger.object).collect();
    let waits = Waits::of(cluster, &objects);
    let held = held_authorities::held(cluster, &objects);
    messages.extend(held.iter().map(|role| held_authorities::words(*role).to_owned()));
    if waits.pods {
        messages.push("the pods of Kafka stay as they are until then".to_owned());
    }
    progress.waiting_for.splice(0..0, messages);
    progress.held_by_others = strangers.iter().map(|stranger| stranger.object.clone()).collect();
    let all = std::mem::take(desired).into_iter();
    let may_be_written =
        all.filter(|wanted| !objects.contains(&&wanted.reference) && !waits.concerns(wanted));
    let while_held = |wanted: DesiredObject| {
        let mut roles = held.iter();
        roles.try_fold(wanted, |wanted, role| held_authorities::while_held(cluster, observed, *role, wanted))
    };
    *desired = may_be_written.filter_map(while_held).collect();
    waits.pods
}

/// What cannot do without objects of other owners.
#[derive(Debug, Default)]
struct Waits {
    /// The pods of Kafka.
    pods: bool,
    /// Deployments of components beside them, by name.
    deployments: BTreeSet<String>,
}

impl Waits {
    fn of(cluster: &Cluster, strangers: &[&ObjectId]) -> Self {
        let name = cluster.name.as_str();
        let authorities = [
            names::cluster_ca_key_secret(name),
            names::cluster_ca_cert_secret(name),
            names::clients_ca_key_secret(name),
            names::clients_ca_cert_secret(name),
        ];
        let own = names::cluster_operator_certs_secret(name);
        let mut waits = Self::default();
        for object in strangers {
            let is = |kinds: &[&str]| kinds.contains(&object.kind.as_str());
            let beside = components::beside(name, &object.name);
            if is(&["Secret"]) && authorities.contains(&object.name) {
                let certified = components::ALL.into_iter().filter(|component| component.needs_authorities);
                waits.deployments.extend(certified.filter_map(|one| one.deployment(name, &object.name)));
            }
            if !is(&["PodDisruptionBudget", "Service"]) {
                waits
                    .deployments
                    .extend(beside.and_then(|component| component.deployment(name, &object.name)));
            }
            // What pods mount or run as, and what keeps others away from them or gives them their names.
            let is_of_pods = is(&["Secret", "ConfigMap", "ServiceAccount", "NetworkPolicy"])
                || is(&[CLAIM, CLUSTER_ROLE_BINDING])
                || object.name == names::brokers_service(name);
            waits.pods |= is_of_pods && beside.is_none() && object.name != own;
        }
        waits
    }

    fn concerns(&self, wanted: &DesiredObject) -> bool {
        match wanted.reference.kind.as_str() {
            kinds::STRIMZI_POD_SET => self.pods,
            "Deployment" => self.deployments.contains(&wanted.reference.name),
            _ => false,
        }
    }
}
