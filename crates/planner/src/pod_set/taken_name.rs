//! What a pod is that has the name of a wanted one and is in no cache.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// What such a pod is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// The cache was behind, and will bring it.
    Known,
    /// It is the set's and lost these labels, by which it is found: it gets them back.
    LacksLabels(BTreeMap<String, String>),
    /// It is not the set's, in words.
    Stranger(String),
}

/// Judges by the metadata of the wanted pod and of the pod that was found, for the pod set with this UID.
pub fn judge(wanted: &ObjectMeta, found: &ObjectMeta, set_uid: Option<&str>) -> Taken {
    let lost = lost_labels(wanted, found);
    if lost.is_empty() {
        return Taken::Known;
    }
    let mut owners = found.owner_references.iter().flatten();
    if set_uid.is_some() && owners.any(|owner| Some(owner.uid.as_str()) == set_uid) {
        return Taken::LacksLabels(lost);
    }
    Taken::Stranger(format!(
        "a pod of its name exists{} and does not belong to the pod set: delete that pod, or give the node pool or the \
         cluster another name",
        made_by(found)
    ))
}

/// Strimzi's labels that a pod lacks, or has with another value.
fn lost_labels(wanted: &ObjectMeta, found: &ObjectMeta) -> BTreeMap<String, String> {
    let has = |name: &String| found.labels.as_ref().and_then(|labels| labels.get(name));
    let wanted = wanted.labels.iter().flatten();
    let of_strimzi = wanted.filter(|(name, _)| name.starts_with("strimzi.io/"));
    let lost = of_strimzi.filter(|(name, value)| has(name) != Some(*value));
    lost.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Who made an object, in words behind its name.
fn made_by(found: &ObjectMeta) -> String {
    let owner = found.owner_references.iter().flatten().next();
    let owner = owner.map(|owner| format!(", made by {} {},", owner.kind, owner.name));
    let manager = || found.managed_fields.iter().flatten().find_map(|entry| entry.manager.as_ref());
    owner.or_else(|| Some(format!(", made by {},", manager()?))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn meta(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_labels_by_which_a_pod_is_found_count_as_lost() {
        let wanted =
            meta(json!({"labels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka", "app": "x"}}));
        let found = meta(json!({"labels": {"strimzi.io/cluster": "c"}}));
        assert_eq!(lost_labels(&wanted, &found), [("strimzi.io/kind".to_owned(), "Kafka".to_owned())].into());
        assert!(lost_labels(&wanted, &wanted).is_empty());
    }

    #[test]
    fn who_made_a_pod_is_said_as_far_as_it_is_known() {
        let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "mine", "uid": "u"});
        let managers = json!([{"manager": "kubectl-create"}]);
        assert_eq!(
            made_by(&meta(json!({"ownerReferences": [owner], "managedFields": managers}))),
            ", made by StatefulSet mine,"
        );
        assert_eq!(made_by(&meta(json!({"managedFields": managers}))), ", made by kubectl-create,");
        assert_eq!(made_by(&ObjectMeta::default()), "");
    }

    #[test]
    fn only_a_pod_of_the_set_gets_labels_back() {
        let wanted = meta(json!({"labels": {"strimzi.io/cluster": "c"}}));
        let ours = meta(json!({"ownerReferences": [
            {"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "name": "s", "uid": "u"}]}));
        let lost = [("strimzi.io/cluster".to_owned(), "c".to_owned())].into();
        assert_eq!(judge(&wanted, &ours, Some("u")), Taken::LacksLabels(lost));
        for set in [None, Some("other")] {
            assert!(
                matches!(judge(&wanted, &ours, set), Taken::Stranger(why) if why.contains("delete that pod"))
            );
        }
        assert_eq!(judge(&wanted, &wanted, None), Taken::Known);
    }
}
