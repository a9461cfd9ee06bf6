//! A StrimziPodSet with its pods.

use api::common::template::MetadataTemplate;
use api::{StrimziPodSet, StrimziPodSetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use objects::{DesiredObject, Object, Owner, Pairs};
use serde_json::Value;

use super::manual_update::ManualUpdate;

/// A pod set under construction, without its pods.
pub(crate) fn new(owner: &Owner, name: &str, labels: Pairs, selector: Pairs) -> Object<StrimziPodSet> {
    let spec = StrimziPodSetSpec {
        selector: LabelSelector { match_labels: Some(selector), ..LabelSelector::default() },
        pods: Vec::new(),
    };
    Object::new(owner, name, labels, StrimziPodSet::new(name, spec))
}

/// The finished pod set with these pods. `manual` says which live pods are to be restarted because a user asked for it.
pub(crate) fn with_pods(
    mut object: Object<StrimziPodSet>,
    manual: Option<&ManualUpdate>,
    template: Option<&MetadataTemplate>,
    pods: Vec<Value>,
) -> DesiredObject {
    if let Some(manual) = manual {
        object = manual.note(object);
    }
    let mut built = object.template(template).build();
    // Put in afterwards: as a part of the body they would be copied once more, the largest part of all objects of a resource.
    built.object["spec"]["pods"] = Value::Array(pods);
    built
}
