//! `resources` of containers.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::ResourceRequirements;

use super::Findings;

/// The API server tells claims for devices apart by their names: it takes none without one, and no two of one name. `field`
/// is the path of the section.
pub(super) fn claims(resources: Option<&ResourceRequirements>, field: &str, findings: &mut Findings) {
    let claims = resources.and_then(|resources| resources.claims.as_ref());
    let mut seen = BTreeSet::new();
    for (index, claim) in claims.into_iter().flatten().enumerate() {
        let path = format!("{field}.claims[{index}].name");
        if claim.name.is_empty() {
            findings.problem(path, "is missing: name the claim for devices, or remove it");
        } else if !seen.insert(&claim.name) {
            findings.problem(path, format!("{:?} is used twice: leave one of the two", claim.name));
        }
    }
}
