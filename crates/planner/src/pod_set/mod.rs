//! StrimziPodSets: which pods of a set to make, to delete and to adopt, and what is said of those to which it could not be done.

pub mod plan;
pub mod pod_error;
pub mod taken_name;
