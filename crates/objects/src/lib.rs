//! Desired Kubernetes objects: what a plan wants written or deleted, and how a live object differs from it.
//!
//! Nothing here talks to an API server: [`DesiredObject`] is a value, [`compare::differences`] compares it with a live object, and
//! [`Write`] is what comes of that.

pub mod canonical;
pub mod compare;
mod desired;
mod object;
pub mod overlay;
mod owner;
pub mod quantity;
pub mod schema;
mod stored;
mod write;

pub use compare::{Difference, LentList, differences};
pub use desired::{Deletion, DesiredObject, FinalizerChange, ObjectId, Precondition};
pub use object::{Object, add_labels, json, merge_metadata, typed};
pub use owner::{Owner, Pairs};
pub use stored::Stored;
pub use write::{Change, Live, Stage, Write};
