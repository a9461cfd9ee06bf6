//! StrimziPodSets: which pods of a set to make, to delete and to adopt.

pub mod plan;
