//! The trust bundle while pods are not yet told that they lose trust.

use std::collections::BTreeSet;

use api::names;
use k8s_openapi::api::core::v1::Secret;
use objects::DesiredObject;

use crate::kafka::observed::Observed;

/// How a certificate ends in PEM.
const END: &str = "-----END CERTIFICATE-----";

/// Leaves the live bundle as it is where the new one would only take trust away. One that is lost is made anew, and one that lacks
/// something is written.
pub(crate) fn keep(cluster: &str, observed: &Observed, desired: &mut Vec<DesiredObject>) {
    let name = names::trust_bundle_secret(cluster);
    let Some(live) = observed.secrets.get(&name) else { return };
    desired.retain(|object| {
        let is_bundle = object.reference.kind == "Secret" && object.reference.name == name;
        !(is_bundle && has_all(live, object))
    });
}

/// Whether every certificate of a bundle is in the live one.
fn has_all(live: &Secret, wanted: &DesiredObject) -> bool {
    let Ok(wanted) = serde_json::from_value::<Secret>(wanted.object.clone()) else { return false };
    wanted.data.iter().flatten().all(|(key, wanted)| {
        let there = live.data.as_ref().and_then(|data| data.get(key));
        there.is_some_and(|there| certificates(&wanted.0).is_subset(&certificates(&there.0)))
    })
}

fn certificates(pem: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(pem);
    text.split(END).map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
}
