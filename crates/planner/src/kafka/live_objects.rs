//! Which live object has the name of a desired one, out of what was observed, for the comparison of the two.

use objects::{DesiredObject, Live, Write, json};

use super::components;
use super::observed::Observed;
use crate::live_object::pod_set;

/// What writing these objects would do, in the order in which they are written. Each live object is read once.
pub(super) fn writes(observed: &Observed, mut wanted: Vec<DesiredObject>) -> Vec<Write> {
    for object in &mut wanted {
        object.beside = components::is_beside(object);
    }
    Write::all(wanted, |desired| live(observed, desired))
}

/// The live object that has the name of a desired one, as far as that is known.
pub(super) fn live<'a>(observed: &'a Observed, desired: &DesiredObject) -> Live<'a> {
    let id = &desired.reference;
    let name = &id.name;
    let own = observed.kafka.as_ref().and_then(|kafka| kafka.metadata.namespace.as_ref());
    let found = match id.kind.as_str() {
        _ if id.namespace.as_ref() != own => None,
        "ConfigMap" => observed.config_maps.get(name).map(|found| json(&**found)),
        "Deployment" => observed.deployments.get(name).map(|found| json(&**found)),
        "PersistentVolumeClaim" => observed.claims.get(name).map(|found| json(&**found)),
        "Secret" => observed.secrets.get(name).map(|found| json(&**found)),
        "StrimziPodSet" => match observed.pod_sets.get(name) {
            Some(found) => return pod_set(found),
            None => None,
        },
        _ => None,
    };
    let other = || observed.others.get(id)?.body.as_ref().map(|body| body.value());
    let held = observed.holders.get(id);
    let holder = || held?.as_ref()?.body.as_ref().map(|body| body.value());
    match found.or_else(other).or_else(holder) {
        Some(object) => Live::Object(object),
        None if held == Some(&None) => Live::Absent,
        None => Live::Unseen,
    }
}
