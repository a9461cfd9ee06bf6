//! Objects that a plan wants written or deleted, as values that can be printed and compared.

use serde::Serialize;
use serde_json::Value;

/// One object to write with server-side apply. Printed, it never shows what a Secret contains.
#[derive(Clone, PartialEq, Serialize)]
pub struct DesiredObject {
    /// API version, kind, namespace and name.
    #[serde(flatten)]
    pub reference: ObjectId,
    /// The whole object as it is sent, `apiVersion` and `kind` included; only fields that we own.
    #[serde(serialize_with = "without_secrets")]
    pub object: Value,
    /// What must hold for the write to be right; a violated one ends the pass, which is then repeated.
    pub precondition: Precondition,
    /// Whether it is of a program beside the pods for which the resource exists, so that nothing waits for its write. A printed
    /// write says it as its stage.
    #[serde(skip)]
    pub beside: bool,
}

impl std::fmt::Debug for DesiredObject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => formatter.write_str(&text),
            Err(_) => Err(std::fmt::Error),
        }
    }
}

/// Printed plans never show what a Secret contains.
fn without_secrets<S: serde::Serializer>(object: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return object.serialize(serializer);
    }
    let mut shown = object.clone();
    if let Some(data) = shown.get_mut("data").and_then(Value::as_object_mut) {
        for value in data.values_mut() {
            *value = Value::String("***".to_owned());
        }
    }
    shown.serialize(serializer)
}

/// What must hold for a write to be right.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub enum Precondition {
    /// Nothing: the content follows from the custom resources alone.
    #[default]
    None,
    /// The object must not exist yet (create it, do not apply): it holds newly made key material.
    Absent,
    /// The object must still have this resource version (put it into the applied object).
    ResourceVersion(String),
}

/// Names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectId {
    /// For instance `apps/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// `None` for cluster-wide objects.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

/// An object that gets or loses finalizers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FinalizerChange {
    /// Which object.
    pub object: ObjectId,
    /// The version that it must still have: the list is written as a whole.
    pub resource_version: Option<String>,
    /// All that it is to have.
    pub finalizers: Vec<String>,
}

/// An object to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Which object.
    pub object: ObjectId,
    /// Uid of the object that was seen: what was made in its place meanwhile stays. `None` only for what holds no data.
    pub uid: Option<String>,
}
