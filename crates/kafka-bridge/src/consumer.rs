//! Consumers: many of them, each with a client of the library, and none with a thread of ours.

pub mod held;
pub mod instance;
pub mod polling;
pub mod registry;
