//! Desired Kubernetes objects: what a plan wants written or deleted, and how a live object differs from it.
//!
//! Nothing here talks to an API server: [`DesiredObject`] is a value, and [`compare::differences`] compares two of them.

pub mod canonical;
pub mod compare;
mod desired;
mod object;
mod owner;
pub mod quantity;
pub mod schema;

pub use compare::{Difference, covers, differences};
pub use desired::{Deletion, DesiredObject, FinalizerRemoval, ObjectId, Precondition};
pub use object::{Object, add_labels, json, merge_metadata};
pub use owner::{Owner, Pairs};
