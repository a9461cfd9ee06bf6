//! How a wanted claim fits the one that is there: sizes only grow, and only where the storage class lets them.

use api::conditions::reasons;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use serde_json::Value;

use super::actions::DesiredObject;
use super::cluster::Warning;
use super::observed::Observed;
use super::validate::storage::quantity;

/// The claim as it can be applied.
pub fn fitted(mut wanted: DesiredObject, observed: &Observed, warnings: &mut Vec<Warning>) -> DesiredObject {
    let name = wanted.reference.name.clone();
    let Some(live) = observed.claims.get(&name) else { return wanted };
    let present = requested(live);
    let size = wanted.object["spec"]["resources"]["requests"]["storage"].as_str().map(str::to_owned);
    let (Some(present), Some(size)) = (present, size) else { return wanted };
    let (Some(has), Some(wants)) = (quantity(&present), quantity(&size)) else { return wanted };
    let keep = if wants < has {
        // A claim that is larger than asked for is as good.
        true
    } else if wants > has && !may_grow(live, observed) {
        let class = class(live).unwrap_or_default();
        warnings.push(Warning {
            reason: reasons::PVC_RESIZING_WARNING.to_owned(),
            message: format!(
                "claim {name} cannot grow from {present} to {size}: its storage class {class:?} does not allow it"
            ),
        });
        true
    } else {
        false
    };
    if keep {
        wanted.object["spec"]["resources"]["requests"]["storage"] = Value::String(present);
    }
    wanted
}

fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get("storage").map(|quantity| quantity.0.clone())
}

fn class(claim: &PersistentVolumeClaim) -> Option<String> {
    claim.spec.as_ref()?.storage_class_name.clone()
}

/// Unknown classes are left to the API server to judge.
fn may_grow(claim: &PersistentVolumeClaim, observed: &Observed) -> bool {
    match (&observed.expandable_storage_classes, class(claim)) {
        (Some(expandable), Some(class)) => expandable.contains(&class),
        _ => true,
    }
}
