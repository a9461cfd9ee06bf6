//! StrimziPodSets: makes the pods that a set lists and removes those that it does not. `observe → plan → apply → status`.
//!
//! This controller never rolls: a pod that runs with another revision than the listed one stays until the roll of its
//! cluster deletes it.

pub(crate) mod apply;
mod create;
pub(crate) mod errors;
mod resize;
