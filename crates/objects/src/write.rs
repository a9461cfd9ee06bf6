//! What writing a desired object does to the live one, and in which order objects are written.

use std::ops::Deref;

use api::kinds;
use serde::Serialize;
use serde_json::Value;

use crate::compare::{Difference, LentList, differences, differences_with};
use crate::desired::{DesiredObject, Precondition};
use crate::schema::SERVER_METADATA;

/// A desired object, and what its write does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Write {
    /// The object, without anything that an apply must not carry.
    #[serde(flatten)]
    pub desired: DesiredObject,
    /// When it is written.
    pub stage: Stage,
    /// What the write does.
    pub change: Change,
}

impl Deref for Write {
    type Target = DesiredObject;

    fn deref(&self) -> &DesiredObject {
        &self.desired
    }
}

/// The order of writes: a stage begins when the one before it is done. Deletions come after all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Stage {
    /// Objects with new keys, one after the other, because later ones are signed by earlier ones.
    NewKeys,
    /// What pods use. There is no order among these.
    Used,
    /// What runs the pods, when all that they mount is there; and what binds a role of theirs, because the API server wants to
    /// see a role before it lets anybody bind it.
    Last,
    /// What programs beside the pods use, such as the entity operator: the pods do without it. The plan says of an object that it
    /// is one of these ([`DesiredObject::beside`]).
    UsedBeside,
    /// The Deployments of these programs, and what binds their roles. A quota or a webhook may refuse them: the pods, their
    /// certificates and their restarts must not wait for that.
    Beside,
    /// What leads clients to the pods from outside Kubernetes. Its write can fail for reasons of its own, such as a port that is
    /// in use or a quota of load balancers, and nothing else waits for it.
    Access,
}

/// What a write does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Change {
    /// There is no such object. If there is one by the time of the write, the plan is outdated and that object stays as it is.
    Create,
    /// An object that does not carry the labels by which it would be known is taken over, or was not looked for: it is written as a whole.
    Put,
    /// The live object differs.
    Update {
        /// In these fields.
        differences: Vec<Difference>,
        /// The resource version that was seen.
        version: Option<String>,
    },
    /// The live object has it all: nothing is written.
    Keep,
}

/// What is known of the live object that has the name of a desired one.
#[derive(Debug, Clone, PartialEq)]
pub enum Live<'a> {
    /// The object, with our entry of the managed fields.
    Object(Value),
    /// The same without its longest list, which is lent for the comparison and not copied.
    WithoutList(Value, LentList<'a>),
    /// There is none.
    Absent,
    /// That is not known.
    Unseen,
}

impl Write {
    /// Compares a desired object with the live one.
    pub fn of(mut desired: DesiredObject, live: &Live<'_>) -> Self {
        clean(&mut desired.object);
        let change = match live {
            Live::Absent => Change::Create,
            Live::Unseen => Change::Put,
            Live::Object(live) => change(live, differences(live, &desired.object)),
            Live::WithoutList(live, list) => change(live, differences_with(live, *list, &desired.object)),
        };
        Self { stage: Stage::of(&desired), desired, change }
    }

    /// Compares all objects of a plan, and puts them into the order in which they are written.
    pub fn all<'a>(desired: Vec<DesiredObject>, live: impl Fn(&DesiredObject) -> Live<'a>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(desired.len());
        for desired in desired {
            let live = live(&desired);
            all.push(Self::of(desired, &live));
        }
        all.sort_by_key(|write| write.stage);
        all
    }

    /// Whether it is right only while the object is as it was seen.
    pub fn is_conditional(&self) -> bool {
        self.change == Change::Create || self.precondition != Precondition::None
    }

    /// Whether anything is written.
    pub fn is_change(&self) -> bool {
        self.change != Change::Keep
    }
}

fn change(live: &Value, differences: Vec<Difference>) -> Change {
    if differences.is_empty() {
        return Change::Keep;
    }
    let version = live.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(ToOwned::to_owned);
    Change::Update { differences, version }
}

impl Stage {
    /// Whether everything after a write of this stage waits until it succeeds.
    pub fn holds_up(self) -> bool {
        self <= Self::Last
    }

    fn of(desired: &DesiredObject) -> Self {
        if desired.beside {
            let runs = matches!(desired.reference.kind.as_str(), "Deployment" | "RoleBinding");
            return if runs { Self::Beside } else { Self::UsedBeside };
        }
        if desired.precondition != Precondition::None {
            return Self::NewKeys;
        }
        match desired.reference.kind.as_str() {
            // What cert-manager fills, too: nodes that need it wait for it anyway, and everything else does not.
            "Ingress" | "Route" | "TLSRoute" | "Certificate" => Self::Access,
            "Secret" if desired.object.get("data").is_none() => Self::Access,
            "Service" if desired.object.pointer("/spec/type").is_some_and(|type_| type_ != "ClusterIP") => {
                Self::Access
            }
            kinds::STRIMZI_POD_SET | "Deployment" | "RoleBinding" | "ClusterRoleBinding" => Self::Last,
            _ => Self::Used,
        }
    }
}

/// Drops what an apply must not carry: nulls (they would be owned), the status and the server's metadata.
fn clean(desired: &mut Value) {
    drop_nulls(desired);
    let Some(fields) = desired.as_object_mut() else { return };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in SERVER_METADATA {
            metadata.remove(*name);
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let mut has_null = false;
            for value in fields.values_mut() {
                if value.is_null() {
                    has_null = true;
                } else {
                    drop_nulls(value);
                }
            }
            // Nearly nowhere.
            if has_null {
                fields.retain(|_, value| !value.is_null());
            }
        }
        Value::Array(items) => {
            for item in items {
                drop_nulls(item);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::desired::ObjectId;

    fn desired(kind: &str, name: &str, precondition: Precondition) -> DesiredObject {
        let reference = ObjectId {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("ns".to_owned()),
            name: name.to_owned(),
        };
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "ns"},
            "data": {"k": "v", "gone": null}, "status": {}});
        DesiredObject { reference, object, precondition, beside: false }
    }

    #[test]
    fn what_a_write_does_follows_from_the_live_object() {
        let change = |live: Live<'_>| Write::of(desired("ConfigMap", "m", Precondition::None), &live).change;
        assert_eq!((change(Live::Absent), change(Live::Unseen)), (Change::Create, Change::Put));
        let live =
            |value: &str| Live::Object(json!({"metadata": {"resourceVersion": "7"}, "data": {"k": value}}));
        let Change::Update { differences, version } = change(live("w")) else { panic!("it differs") };
        assert_eq!(version.as_deref(), Some("7"));
        let paths: Vec<&str> = differences.iter().map(|one| one.path.as_str()).collect();
        assert!(paths.contains(&"data.k"), "{paths:?}");
        let same = desired("ConfigMap", "m", Precondition::None);
        let write = Write::of(same.clone(), &Live::Object(same.object));
        assert_eq!(write.change, Change::Keep);
        assert!(!write.is_change());
        assert_eq!(write.object["data"], json!({"k": "v"}), "a null would be owned");
        assert_eq!(write.object.get("status"), None);
    }

    #[test]
    fn new_keys_come_first_and_what_runs_pods_or_binds_roles_last() {
        let new = Precondition::Absent;
        let all = vec![
            desired("Deployment", "a", Precondition::None),
            desired("ConfigMap", "b", Precondition::None),
            desired("Secret", "c", new.clone()),
            desired("RoleBinding", "d", Precondition::None),
            desired("Service", "e", Precondition::None),
            desired("Secret", "f", new),
        ];
        let order: Vec<(String, Stage)> = Write::all(all, |_| Live::Absent)
            .iter()
            .map(|write| (write.reference.name.clone(), write.stage))
            .collect();
        let expected = [
            ("c", Stage::NewKeys),
            ("f", Stage::NewKeys),
            ("b", Stage::Used),
            ("e", Stage::Used),
            ("a", Stage::Last),
            ("d", Stage::Last),
        ];
        assert_eq!(order, expected.map(|(name, stage)| (name.to_owned(), stage)));
    }

    #[test]
    fn nothing_waits_for_what_programs_beside_the_pods_use_and_are() {
        let stage = |kind: &str, beside: bool, precondition: Precondition| {
            Write::of(DesiredObject { beside, ..desired(kind, "a", precondition) }, &Live::Absent).stage
        };
        // Its certificate signs nothing.
        assert_eq!(stage("Secret", true, Precondition::Absent), Stage::UsedBeside);
        assert_eq!(stage("Role", true, Precondition::None), Stage::UsedBeside);
        assert_eq!(stage("RoleBinding", true, Precondition::None), Stage::Beside);
        assert_eq!(stage("Deployment", true, Precondition::None), Stage::Beside);
        assert!(!Stage::UsedBeside.holds_up() && !Stage::Beside.holds_up() && !Stage::Access.holds_up());
        assert_eq!(stage("Secret", false, Precondition::Absent), Stage::NewKeys);
        assert_eq!(stage("StrimziPodSet", false, Precondition::None), Stage::Last);
        assert!(Stage::NewKeys.holds_up() && Stage::Used.holds_up() && Stage::Last.holds_up());
    }

    #[test]
    fn a_printed_write_of_a_secret_shows_no_key() {
        let mut secret = desired("Secret", "s", Precondition::None);
        secret.object["data"] = json!({"ca.key": "precious"});
        let live = json!({"metadata": {}, "data": {"ca.key": "older"}});
        let write = Write::of(secret, &Live::Object(live));
        let printed = format!("{write:?} {}", serde_json::to_string(&write).unwrap());
        assert!(printed.contains("data[ca.key]"), "{printed}");
        assert!(!printed.contains("precious") && !printed.contains("older"), "{printed}");
    }
}
