//! What becomes of a KafkaConnector: from the resource, what Kafka Connect says of the connector, what was tried before and the time to
//! the next call, the status and when to look again. Pure.
//!
//! [`wanted`] reads and checks the resource, [`asked`] the annotations that ask for something once. [`transition`] decides which call is
//! made next, one at a time: it sees what Connect said since the last one. [`auto_restart`] is the back-off of automatic restarts,
//! [`past`] what the operator remembers between passes, [`offsets`] the ConfigMaps with offsets, [`undeclared`] the connectors that no
//! resource declares. [`observed`] puts them together. Nothing but [`observed`] and [`status`] knows the kind of the resource, so that
//! connectors of other kinds go through the same transitions.

pub mod actual;
pub mod asked;
pub mod auto_restart;
pub mod call;
pub mod observed;
pub mod offsets;
pub mod past;
pub mod rotation;
pub mod round;
pub mod status;
pub mod transition;
pub mod undeclared;
mod unlisted;
pub mod validate;
pub mod wanted;
pub mod words;
