//! What every resource with workers says of fields that are unknown, or not carried out.

use api::conditions::reasons;
use api::last_applied;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::findings::Findings;

/// Warns of them. `rack_init_image`: whether the resource names an image that finds the rack.
pub(crate) fn say(metadata: &ObjectMeta, rack_init_image: bool, findings: &mut Findings) {
    if let Some(complaint) = last_applied::complaint(metadata) {
        findings.warn(reasons::UNKNOWN_FIELDS, complaint);
    }
    if rack_init_image {
        let message = "spec.clientRackInitImage: without effect: the agent finds the rack, whose image is the operator's; remove it";
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}
