//! Looks after connectors: KafkaConnector resources, and the Kafka Connect clusters that they name.
//!
//! There are two kinds of passes. A round over a Connect cluster ([`rounds`]) asks once for all its connectors, removes those that no
//! resource declares, and brings passes over the connectors that changed. A pass over a connector ([`driver`]) takes what was asked
//! last, or has it asked anew together with the others that want to know, and makes at most one call about its connector.
//!
//! A connector never waits for another one: passes over connectors are many at a time and only wait, the list of connectors is asked
//! for all of them together, and calls that take long go through a lane of their own ([`lanes`]).
//!
//! Of a Connect cluster nothing is needed but what [`clusters::Facts`] has, and the address of its REST API ([`apis`]).

pub mod addresses;
pub mod apis;
pub(crate) mod calls;
mod clusters;
pub(crate) mod driver;
mod feed;
mod lanes;
mod memory;
pub(crate) mod metrics;
pub(crate) mod plugins;
pub(crate) mod resources;
mod rounds;
pub(crate) mod sharers;
mod start;
pub(crate) mod take_off;

pub(crate) use start::start;
