//! The custom resources and the names that are part of the compatibility contract.
//!
//! - One module per kind (`kafka`, `kafka_node_pool`, `kafka_topic`, …); what several kinds share is in [`common`].
//! - Every object name, label, annotation, port, environment variable and principal that a user, a client or a
//!   dashboard can see is written once, in [`names`], [`labels`], [`annotations`], [`ports`], [`env`] and
//!   [`principals`].
//! - [`kinds`] names the kinds.
//! - [`extensions`] lists the properties that are not part of that contract.
//! - [`limits`] says how long such names may be.
//! - [`agent`] is the file by which the cluster operator tells the agent about its node.
//! - [`conditions`] holds the condition type of all statuses and the rule by which a new list replaces an old one.
//! - [`properties`] writes and reads the files that Kafka and Log4j take their settings from.
//! - `crds` makes the `CustomResourceDefinition`s out of the types; it and the schemas are there with the feature `schema`.
//!
//! Reading never fails on a property this version does not know: it is ignored, as the API server prunes it.
//! Optional properties are `Option<T>` (lists and maps too), required ones are plain `T`.

#![cfg_attr(not(feature = "schema"), allow(unused_imports, reason = "types that only the schemas name"))]
#![allow(clippy::duplicated_attributes, reason = "several printer columns of one kind repeat their keys")]

pub mod agent;
pub mod annotations;
pub mod bridge;
pub mod cert_manager;
pub mod common;
pub mod conditions;
pub mod connect;
#[cfg(feature = "schema")]
pub mod crds;
pub mod dropped;
pub mod env;
pub mod extensions;
pub mod gateway;
pub mod kafka;
pub mod kafka_bridge;
pub mod kafka_connect;
pub mod kafka_connector;
pub mod kafka_mirror_maker;
pub mod kafka_mirror_maker2;
pub mod kafka_node_pool;
pub mod kafka_rebalance;
pub mod kafka_topic;
pub mod kafka_user;
pub mod kinds;
pub mod labels;
pub mod last_applied;
pub mod limits;
pub mod names;
pub mod openshift;
pub mod plug_in;
pub mod ports;
pub mod present;
pub mod principals;
pub mod properties;
pub mod schema;
pub mod strimzi_pod_set;
pub mod topic_grant;
pub mod watch_grant;

pub use conditions::Condition;
pub use kafka::{Kafka, KafkaSpec, KafkaStatus};
pub use kafka_bridge::{KafkaBridge, KafkaBridgeSpec, KafkaBridgeStatus};
pub use kafka_connect::{KafkaConnect, KafkaConnectSpec, KafkaConnectStatus};
pub use kafka_connector::{KafkaConnector, KafkaConnectorSpec, KafkaConnectorStatus};
pub use kafka_mirror_maker::{KafkaMirrorMaker, KafkaMirrorMakerSpec, KafkaMirrorMakerStatus};
pub use kafka_mirror_maker2::{KafkaMirrorMaker2, KafkaMirrorMaker2Spec, KafkaMirrorMaker2Status};
pub use kafka_node_pool::{KafkaNodePool, KafkaNodePoolSpec, KafkaNodePoolStatus};
pub use kafka_rebalance::{KafkaRebalance, KafkaRebalanceSpec, KafkaRebalanceStatus};
pub use kafka_topic::{KafkaTopic, KafkaTopicSpec, KafkaTopicStatus};
pub use kafka_user::{KafkaUser, KafkaUserSpec, KafkaUserStatus};
pub use strimzi_pod_set::{StrimziPodSet, StrimziPodSetSpec, StrimziPodSetStatus};

/// The API group of every kind but [`StrimziPodSet`].
pub const GROUP: &str = "kafka.strimzi.io";
/// The API group of [`StrimziPodSet`].
pub const CORE_GROUP: &str = "core.strimzi.io";
/// The version that is stored, and that operators read and write. Older ones are served beside it.
pub const VERSION: &str = "v1";
/// The field manager of every server-side apply, and so the owner of the fields in a takeover from Strimzi.
pub const FIELD_MANAGER: &str = "strimzi-kafka-operator";
