//! KafkaMirrorMaker2: workers of Kafka Connect (see [`crate::workers`]) whose connectors the resource itself says (see
//! [`crate::kafka_connector`]).
//!
//! [`form`] reads the resource, of this version or an older one, [`connectors`] makes of each mirror its connectors, [`validate`] the
//! workers. [`plan`] puts together what becomes of both.

pub mod asked;
pub mod connectors;
pub mod form;
pub mod group;
pub mod observed;
pub mod plan;
pub mod progress;
pub mod references;
pub mod removals;
pub mod repeated;
pub mod status;
pub mod validate;
pub mod view;
