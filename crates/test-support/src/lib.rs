//! Real processes for tests: an API server, a Kafka node.

pub mod api_server;
pub mod binaries;
pub mod broker_stand_in;
pub mod cert_manager;
pub mod certificates;
pub mod child;
pub mod connect_stand_in;
pub mod extremes;
pub mod kafka;
pub mod log;
pub mod openapi;
pub mod port;
pub mod schema;
pub mod stand_in;
pub mod wait;

pub use api_server::ApiServer;
pub use broker_stand_in::{BrokerStandIn, PaperCluster};
pub use cert_manager::CertManager;
pub use connect_stand_in::ConnectStandIn;
pub use kafka::{ConnectWorker, Java, KafkaCluster, KafkaNode, KafkaOptions};
pub use log::Log;
pub use port::free_port;
pub use stand_in::PodReadyStandIn;
