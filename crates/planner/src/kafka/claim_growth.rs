//! How a wanted claim fits the live claim: sizes only grow, and only where the storage class lets them.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;

use api::conditions::reasons;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::apimachinery::pkg::api::resource;
use objects::Object;
use objects::quantity::Quantity;

use super::cluster::Warning;
use super::objects::claim::STORAGE;
use super::observed::Observed;
use crate::ownership::CLAIM;

/// The claim as it can be applied. A class that matters and is not known is added to `unknown`.
pub(super) fn fitted(
    mut wanted: Object<PersistentVolumeClaim>,
    observed: &Observed,
    warnings: &mut Vec<Warning>,
    unknown: &mut BTreeSet<String>,
) -> Object<PersistentVolumeClaim> {
    let name = wanted.body.metadata.name.clone().unwrap_or_default();
    let restored = || restored(&name, observed);
    let Some(live) = observed.claims.get(&name).cloned().or_else(restored) else { return wanted };
    keep_class(&mut wanted, &live);
    let (Some(present), Some(size)) = (requested(&live), requested(&wanted.body)) else { return wanted };
    let (Some(has), Some(wants)) = (Quantity::parse(&present), Quantity::parse(&size)) else { return wanted };
    let keep = match wants.cmp(&has) {
        // A claim that is larger than asked for is as good.
        Ordering::Less => true,
        Ordering::Equal => false,
        Ordering::Greater => match growth(&live, observed) {
            Growth::Possible => false,
            Growth::Later => true,
            Growth::Unknown(class) => {
                unknown.insert(class);
                true
            }
            Growth::Impossible(why) => {
                warnings.push(Warning {
                    reason: reasons::PVC_RESIZING_WARNING.to_owned(),
                    message: format!("claim {name} cannot grow from {present} to {size}: {why}"),
                });
                true
            }
        },
    };
    if keep {
        let resources = wanted.body.spec.get_or_insert_default().resources.get_or_insert_default();
        let requests = resources.requests.get_or_insert_default();
        requests.insert(STORAGE.to_owned(), resource::Quantity(present));
    }
    wanted
}

/// The claim of this name that a user made by hand, without the operator's labels, for example for a restored volume.
fn restored(name: &str, observed: &Observed) -> Option<Arc<PersistentVolumeClaim>> {
    let mut claims = observed.holders.iter().filter(|(id, _)| id.kind == CLAIM && id.name == name);
    claims.find_map(|(_, holder)| holder.as_ref()?.body.as_ref()?.parse()).map(Arc::new)
}

/// An existing claim keeps its storage class: a class that the resource names later is for new claims.
fn keep_class(wanted: &mut Object<PersistentVolumeClaim>, live: &PersistentVolumeClaim) {
    let present = live.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    let class = &mut wanted.body.spec.get_or_insert_default().storage_class_name;
    if class.is_some() && present.is_some() {
        *class = present;
    }
}

/// Whether a claim can grow.
enum Growth {
    Possible,
    /// Not before it is bound: the event of that brings the next pass.
    Later,
    /// It depends on this storage class.
    Unknown(String),
    Impossible(String),
}

fn growth(claim: &PersistentVolumeClaim, observed: &Observed) -> Growth {
    if claim.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Bound") {
        return Growth::Later;
    }
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone()).unwrap_or_default();
    if class.is_empty() {
        return Growth::Impossible("it has no storage class".to_owned());
    }
    match observed.storage_classes.get(&class) {
        None => Growth::Unknown(class),
        Some(Some(false)) => Growth::Impossible(format!(
            "its storage class {class:?} does not allow it; set allowVolumeExpansion: true there if its \
             provisioner can do it, or write the former size"
        )),
        // The API server judges.
        Some(Some(true) | None) => Growth::Possible,
    }
}

fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    requests.get(STORAGE).map(|quantity| quantity.0.clone())
}
