//! How pods are restarted, whatever runs in them: which goes now, and what the others wait for. A kind says what its pods are and
//! what keeps them from being down together ([`order::Rules`]); all the rest is the same for all.

pub(crate) mod order;
pub mod pod_state;
pub(crate) mod started_with;
pub mod waiting;
