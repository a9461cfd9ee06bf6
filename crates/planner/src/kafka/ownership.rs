//! Whose an object is that has a name which the cluster needs. What belongs to somebody else is neither written nor adopted:
//! the status names it, and only what cannot do without it waits.
//! [`super::holder`] tells whose an object is.

use api::conditions::reasons;
use api::names;
use objects::{DesiredObject, ObjectId};

use super::cluster::{Cluster, Warning};
use super::holder::{Holder, Whose};
use super::need::Need;
use super::observed::Observed;
use super::planned::Plan;
use super::status::Progress;

/// Kinds that are looked at. A claim holds data and may be made by hand for the node that is to find it; pod sets are
/// compared while the pools are validated, and pods are the pod sets' business. Cluster-wide bindings tell by their subject.
const KINDS: [&str; 12] = [
    "ConfigMap",
    "Deployment",
    "Ingress",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Route",
    "Secret",
    "Service",
    "ServiceAccount",
    "TLSRoute",
];

/// Seconds until an object of somebody else's is looked at again: nothing announces that it went.
const AGAIN_SECONDS: u64 = 15;

/// Takes out of the plan what belongs to somebody else, and what cannot do without it; asks for what is not known. Returns
/// whether the pods of Kafka have to stay as they are.
pub fn leave_to_others(
    cluster: &Cluster,
    observed: &Observed,
    plan: &mut Plan,
    progress: &mut Progress,
) -> bool {
    let (mut unknown, mut strangers) = (Vec::new(), Vec::new());
    for wanted in plan.apply.iter().map(|object| &object.reference).filter(|object| is_looked_at(object)) {
        match holder(cluster, observed, wanted) {
            Some(holder) => {
                strangers.extend(holder.other(cluster).map(|whose| (wanted.clone(), whose)));
            }
            None if observed.holders.contains_key(wanted) => {}
            None => unknown.push(wanted.clone()),
        }
    }
    if !unknown.is_empty() {
        let need = Need::Holders(unknown.clone());
        let Some(silence) = observed.silence(&need) else {
            plan.needs.push(need);
            return false;
        };
        strangers.extend(unknown.into_iter().map(|object| (object, Whose::Unknown(silence.to_string()))));
    }
    if strangers.is_empty() {
        return false;
    }
    let again = plan.requeue_seconds.map_or(AGAIN_SECONDS, |planned| planned.min(AGAIN_SECONDS));
    plan.requeue_seconds = Some(again);
    progress.stuck = true;
    let mut messages = Vec::new();
    for (object, whose) in &strangers {
        let message = words(cluster, object, whose);
        let reason = reasons::FOREIGN_OBJECT.to_owned();
        progress.warnings.push(Warning { reason, message: message.clone() });
        messages.push(message);
    }
    let objects: Vec<&ObjectId> = strangers.iter().map(|(object, _)| object).collect();
    let waits = Waits::of(cluster, &objects);
    if waits.pods {
        messages.push("the pods of Kafka stay as they are until then".to_owned());
    }
    progress.waiting_for.splice(0..0, messages);
    plan.apply.retain(|wanted| !objects.contains(&&wanted.reference) && !waits.concerns(cluster, wanted));
    waits.pods
}

fn is_looked_at(object: &ObjectId) -> bool {
    KINDS.contains(&object.kind.as_str())
}

/// What is known of the object that has a name; `None`: nothing.
fn holder(cluster: &Cluster, observed: &Observed, object: &ObjectId) -> Option<Holder> {
    let name = &object.name;
    if object.namespace.as_ref() == Some(&cluster.namespace) {
        let metadata = match object.kind.as_str() {
            "Secret" => observed.secrets.get(name).map(|found| &found.metadata),
            "ConfigMap" => observed.config_maps.get(name).map(|found| &found.metadata),
            "Deployment" => observed.deployments.get(name).map(|found| &found.metadata),
            _ => None,
        };
        if let Some(metadata) = metadata {
            return Some(Holder::of(metadata));
        }
    }
    let labelled =
        observed.others.get(object).map(|facts| Holder::labelled(cluster, facts.controller.clone()));
    labelled.or_else(|| observed.holders.get(object).cloned().flatten())
}

/// What cannot do without objects of somebody else's.
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a part of the cluster that waits or not")]
struct Waits {
    /// The pods of Kafka.
    pods: bool,
    /// The entity operator.
    entity_operator: bool,
    /// The exporter.
    kafka_exporter: bool,
    /// Everything that is signed.
    secrets: bool,
}

impl Waits {
    fn of(cluster: &Cluster, strangers: &[&ObjectId]) -> Self {
        let authorities = [
            names::cluster_ca_key_secret(&cluster.name),
            names::cluster_ca_cert_secret(&cluster.name),
            names::clients_ca_key_secret(&cluster.name),
            names::clients_ca_cert_secret(&cluster.name),
        ];
        let own = names::cluster_operator_certs_secret(&cluster.name);
        let exporter = [
            names::kafka_exporter::deployment(&cluster.name),
            names::kafka_exporter::certs_secret(&cluster.name),
        ];
        let mut waits = Self::default();
        for object in strangers {
            let is = |kinds: &[&str]| kinds.contains(&object.kind.as_str());
            let is_authority = is(&["Secret"]) && authorities.contains(&object.name);
            let of_entity_operator = object.name.starts_with(&format!("{}-entity-", cluster.name));
            let of_exporter = exporter.contains(&object.name);
            waits.secrets |= is_authority;
            if is_authority || of_exporter {
                waits.kafka_exporter |= !is(&["PodDisruptionBudget"]);
            }
            if is_authority || of_entity_operator {
                waits.entity_operator |= !is(&["PodDisruptionBudget", "Service"]);
            }
            // What pods mount or run as, and what keeps others away from them or gives them their names.
            let is_of_pods = is(&["Secret", "ConfigMap", "ServiceAccount", "NetworkPolicy"])
                || object.name == names::brokers_service(&cluster.name);
            waits.pods |= is_of_pods && !of_entity_operator && !of_exporter && object.name != own;
        }
        waits
    }

    fn concerns(&self, cluster: &Cluster, wanted: &DesiredObject) -> bool {
        match wanted.reference.kind.as_str() {
            "StrimziPodSet" => self.pods,
            "Deployment" if wanted.reference.name == names::kafka_exporter::deployment(&cluster.name) => {
                self.kafka_exporter
            }
            "Deployment" => self.entity_operator,
            "Secret" => self.secrets,
            _ => false,
        }
    }
}

fn words(cluster: &Cluster, object: &ObjectId, whose: &Whose) -> String {
    let (kind, name) = (&object.kind, &object.name);
    let elsewhere = object.namespace.as_ref().filter(|namespace| **namespace != cluster.namespace);
    let of_namespace = elsewhere.map(|namespace| format!(" of namespace {namespace}")).unwrap_or_default();
    match whose {
        Whose::Of(owner) => format!(
            "{kind} {name}{of_namespace} belongs to {owner} and is left as it is, though the cluster needs an object of \
             this name: give {owner} another name, or the Kafka resource"
        ),
        Whose::Unlabelled(maker) => {
            let made = maker.as_ref().map(|maker| format!(" (made by {maker})")).unwrap_or_default();
            format!(
                "{kind} {name}{of_namespace}{made} exists without the labels strimzi.io/kind: Kafka and strimzi.io/cluster: \
                 {} and is left as it is: add them if it belongs to the cluster, which then sets it right, else delete it \
                 or give the Kafka resource another name",
                cluster.name
            )
        }
        Whose::Unknown(why) => {
            format!("whether {kind} {name}{of_namespace} belongs to somebody else is not known: {why}")
        }
    }
}
