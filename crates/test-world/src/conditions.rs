//! What the statuses of resources say, whatever their kind.

use api::conditions::Condition;
use serde::Serialize;
use serde_json::Value;

fn field(object: &impl Serialize, pointer: &str) -> Option<Value> {
    serde_json::to_value(object).unwrap().pointer(pointer).cloned()
}

/// The conditions of a resource.
pub fn conditions(object: &impl Serialize) -> Vec<Condition> {
    let conditions = field(object, "/status/conditions").filter(|conditions| !conditions.is_null());
    conditions.map(|conditions| serde_json::from_value(conditions).unwrap()).unwrap_or_default()
}

/// Whether a condition of the resource is accepted.
pub fn has(object: &impl Serialize, accept: impl Fn(&Condition) -> bool) -> bool {
    conditions(object).iter().any(accept)
}

/// The condition of this type.
pub fn condition(object: &impl Serialize, type_: &str) -> Option<Condition> {
    conditions(object).into_iter().find(|condition| condition.type_ == type_)
}

/// Whether the resource is Ready.
pub fn is_ready(object: &impl Serialize) -> bool {
    has(object, |condition| condition.is("Ready"))
}

/// The condition by which a resource says that it is not ready: Ready with the status False, or NotReady.
pub fn refusal(object: &impl Serialize) -> Option<Condition> {
    let refuses = |condition: &Condition| {
        condition.is("NotReady") || condition.type_ == "Ready" && condition.status == "False"
    };
    conditions(object).into_iter().find(refuses)
}

/// Whether the status speaks about the resource as it is now.
pub fn is_current(object: &impl Serialize) -> bool {
    let observed = field(object, "/status/observedGeneration");
    observed.is_some_and(|observed| {
        !observed.is_null() && Some(observed) == field(object, "/metadata/generation")
    })
}
