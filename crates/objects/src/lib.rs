//! Desired Kubernetes objects: what a plan wants written or deleted, and whether a live object already says it.
//!
//! Nothing here talks to an API server: [`DesiredObject`] is a value, and [`compare::covers`] compares two of them.

pub mod compare;
mod desired;
pub mod quantity;

pub use desired::{Deletion, DesiredObject, FinalizerRemoval, ObjectId, Precondition};
