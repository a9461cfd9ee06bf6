//! What the plan of workers has to know, or to have made, before it is complete.

use std::collections::BTreeMap;

use objects::ObjectId;
use pki::{Material, MaterialRequest};
use serde::Serialize;

use crate::ownership::Holder;
pub use crate::silence::{Silence, SilenceKind};

/// Something that a plan asks for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum WorkerNeed {
    /// A password that has to be made.
    Material(Box<MaterialRequest>),
    /// Which classes of connectors the workers offer that are pods with this fingerprint.
    Plugins(String),
    /// Whose the objects are that have these names, if there are any.
    Holders(Vec<ObjectId>),
}

/// An answer.
#[derive(Debug, Clone)]
pub enum WorkerAnswer {
    /// What was made.
    Material(Material),
    /// What objects say of whose they are; `None`: there is no such object.
    Holders(BTreeMap<ObjectId, Option<Holder>>),
    /// There is none.
    Unknown(Silence),
}
