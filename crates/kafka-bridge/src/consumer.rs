//! Consumers: many of them, each with a client of the library, and none with a thread of ours.

pub(crate) mod delivery;
pub(crate) mod held;
pub(crate) mod instance;
pub(crate) mod polling;
pub(crate) mod registry;
pub(crate) mod told;
pub(crate) mod unstarted;
