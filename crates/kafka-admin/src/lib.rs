//! A typed asynchronous client for the administration of Apache Kafka 4.x.
//!
//! The codec is the `kafka-protocol` crate's; connections, routing, retries, splitting of large calls and the types of
//! the calls are made here. Start at [`Admin`].
//!
//! ```no_run
//! # async fn example() -> Result<(), kafka_admin::AdminError> {
//! use kafka_admin::{Admin, AdminConfig, NewTopic};
//!
//! let admin = Admin::new(AdminConfig::brokers(["my-cluster-kafka-bootstrap:9092"]))?;
//! let outcomes = admin.create_topics(vec![NewTopic::new("orders")], false).await?;
//! for (name, outcome) in outcomes {
//!     match outcome {
//!         Ok(topic) => println!("{name} has {} partitions", topic.partitions),
//!         Err(error) => println!("{name}: {} ({})", error.message, error.exception()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

/// The longest text that Kafka reads in a request, in bytes. It ends the connection over a longer one.
pub const MAX_TEXT_BYTES: usize = 0x7fff;

/// The longest text that is kept of what Kafka says in words, in characters: it goes into statuses, events and logs.
pub const LONGEST_WORDS: usize = 1000;

mod acls;
mod batch;
mod bounded;
mod broker_options;
mod budget;
mod client;
mod cluster;
mod codes;
mod config;
mod configs;
mod connect;
mod eligible;
mod error;
mod groups;
mod halves;
mod log_dirs;
mod lookup;
mod node;
mod nodes;
mod offsets;
mod partitions;
mod quorum;
mod quotas;
mod reach;
mod room;
mod sasl;
mod scram;
mod shared;
mod tls;
mod topics;
mod values;
mod wire;

pub use acls::{AclBinding, AclFilter, AclOperation, PatternType, Permission, ResourceType};
pub use broker_options::{BrokerOption, HIDDEN};
pub use budget::{Budget, Spent};
pub use client::Admin;
pub use cluster::{FeatureUpdate, FeatureUpdateKind, Features};
pub use codes::ErrorCode;
pub use config::{AdminConfig, BootstrapKind, Sasl, Security, TlsConfig, TlsIdentity};
pub use configs::{
    ConfigChange, ConfigEntry, ConfigKind, ConfigOperation, ConfigResource, ConfigSelection, ConfigSource,
};
pub use eligible::PartitionLeadership;
pub use error::{AdminError, KafkaError, Outcomes};
pub use groups::{Committed, GroupListing, GroupMembers};
pub use halves::{Halves, in_halves};
pub use log_dirs::{LogDir, LogDirReplica};
pub use nodes::{ClusterDescription, Node};
pub use offsets::{ListedOffset, OffsetAt};
pub use partitions::{Election, Reassignment};
pub use quorum::{Endpoint, Quorum, QuorumReplica, Voter};
pub use quotas::{QuotaEntity, QuotaName};
pub use reach::Reach;
pub use room::AnswerRoom;
pub use sasl::ScramMechanism;
pub use scram::ScramChange;
pub use tls::client_config;
pub use topics::{CreatedTopic, NewPartitions, NewTopic, PartitionDescription, TopicDescription};
pub use uuid::Uuid;
pub use values::{TopicPartition, format_uuid, parse_uuid};
