//! A cluster and its nodes, as Kafka describes them.

use std::collections::BTreeMap;

use kafka_protocol::messages::DescribeClusterResponse;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::protocol::StrBytes;

use crate::values::shortened;

/// A cluster and its nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDescription {
    /// Id that storage was formatted with.
    pub cluster_id: String,
    /// From a controller: the active controller. From a broker: some broker, since brokers forward.
    pub controller_id: Option<i32>,
    /// From a controller: the controllers. From a broker: the registered brokers, fenced ones included.
    pub nodes: BTreeMap<i32, Node>,
}

/// A broker or a controller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `node.id`.
    pub id: i32,
    /// Advertised host of the listener that was asked.
    pub host: String,
    /// Advertised port of the listener that was asked.
    pub port: u16,
    /// `broker.rack`.
    pub rack: Option<String>,
    /// Registered, but not running, or not caught up yet (KIP-1073).
    pub fenced: bool,
}

impl Node {
    /// `host:port`.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

/// Characters of a host, a rack or a cluster id that are kept. Hosts have at most 253.
const LONGEST_NAME: usize = 255;

impl ClusterDescription {
    /// Reads an answer that lists at most so many nodes.
    ///
    /// # Errors
    /// When it lists more.
    pub(crate) fn read(answer: &DescribeClusterResponse, most: usize) -> Result<Self, String> {
        if answer.brokers.len() > most {
            return Err(format!("it lists {} nodes, and {most} are read at most", answer.brokers.len()));
        }
        let short = |value: &StrBytes| shortened(value.as_str(), LONGEST_NAME);
        let node = |broker: &DescribeClusterBroker| Node {
            id: broker.broker_id.0,
            host: short(&broker.host),
            port: u16::try_from(broker.port).unwrap_or_default(),
            rack: broker.rack.as_ref().map(short),
            fenced: broker.is_fenced,
        };
        Ok(Self {
            cluster_id: short(&answer.cluster_id),
            controller_id: (answer.controller_id.0 >= 0).then_some(answer.controller_id.0),
            nodes: answer.brokers.iter().map(|broker| (broker.broker_id.0, node(broker))).collect(),
        })
    }
}
