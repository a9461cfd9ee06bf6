//! Resources of koperator (<https://github.com/banzaicloud/koperator>, `api/v1beta1/kafkacluster_types.go`), of its successor
//! (<https://github.com/adobe/koperator>) and of products made from it.

mod brokers;
mod cluster;
mod listeners;
mod node_config;
mod pods;
mod topic;
mod user;
mod vault;

pub(super) use self::cluster::cluster;
pub(super) use self::topic::topic;
pub(super) use self::user::user;
