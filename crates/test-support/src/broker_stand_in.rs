//! Brokers on paper: they speak Kafka's protocol without encryption and answer what a test wants, or nothing at all.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey};
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::describe_quorum_response::{PartitionData, ReplicaState, TopicData};
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, DescribeClientQuotasResponse, DescribeClusterResponse,
    DescribeConfigsResponse, DescribeQuorumResponse, MetadataResponse, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, StrBytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// When everything on paper was last caught up, in milliseconds since 1970.
const CAUGHT_UP: i64 = 1_700_000_000_000;

/// What a cluster on paper says of itself: every node is a broker and a controller, the first one is the active controller, and all of
/// them are in sync for the one partition of the one topic `orders`.
#[derive(Debug, Clone)]
pub struct PaperCluster {
    /// Its id.
    pub id: String,
    /// Its nodes: id, host and port of each.
    pub nodes: Vec<(i32, String, u16)>,
}

impl PaperCluster {
    /// A cluster of nodes with the ids 0, 1, … at these addresses.
    pub fn at(id: &str, addresses: &[SocketAddr]) -> Self {
        let nodes = (0..).zip(addresses).map(|(id, at)| (id, at.ip().to_string(), at.port()));
        Self { id: id.to_owned(), nodes: nodes.collect() }
    }

    /// The content of the answer to a request of this kind and version; `None`: nobody knows what to say.
    pub fn answer(&self, key: ApiKey, version: i16) -> Option<Bytes> {
        let mut content = BytesMut::new();
        let encoded = match key {
            ApiKey::ApiVersions => Self::versions().encode(&mut content, version),
            ApiKey::DescribeCluster => self.description().encode(&mut content, version),
            ApiKey::DescribeQuorum => self.quorum().encode(&mut content, version),
            ApiKey::Metadata => self.topics().encode(&mut content, version),
            ApiKey::DescribeConfigs => options().encode(&mut content, version),
            ApiKey::DescribeClientQuotas => DescribeClientQuotasResponse::default()
                .with_entries(Some(vec![]))
                .encode(&mut content, version),
            _ => return None,
        };
        encoded.ok().map(|()| content.freeze())
    }

    fn ids(&self) -> Vec<BrokerId> {
        self.nodes.iter().map(|(id, ..)| BrokerId(*id)).collect()
    }

    fn versions() -> ApiVersionsResponse {
        let all = ApiKey::iter().map(|key| {
            let range = key.valid_versions();
            ApiVersion::default()
                .with_api_key(key as i16)
                .with_min_version(range.min)
                .with_max_version(range.max)
        });
        let level = FinalizedFeatureKey::default()
            .with_name(StrBytes::from_static_str("metadata.version"))
            .with_max_version_level(25)
            .with_min_version_level(25);
        ApiVersionsResponse::default()
            .with_api_keys(all.collect())
            .with_finalized_features(vec![level])
            .with_finalized_features_epoch(100)
    }

    fn description(&self) -> DescribeClusterResponse {
        let broker = |(id, host, port): &(i32, String, u16)| {
            DescribeClusterBroker::default()
                .with_broker_id(BrokerId(*id))
                .with_host(StrBytes::from_string(host.clone()))
                .with_port(i32::from(*port))
        };
        DescribeClusterResponse::default()
            .with_cluster_id(StrBytes::from_string(self.id.clone()))
            .with_controller_id(self.ids().first().copied().unwrap_or_default())
            .with_brokers(self.nodes.iter().map(broker).collect())
    }

    fn quorum(&self) -> DescribeQuorumResponse {
        let voter = |id: &BrokerId| {
            ReplicaState::default()
                .with_replica_id(*id)
                .with_log_end_offset(50)
                .with_last_fetch_timestamp(CAUGHT_UP)
                .with_last_caught_up_timestamp(CAUGHT_UP - i64::from(id.0))
        };
        let ids = self.ids();
        let log = PartitionData::default()
            .with_leader_id(ids.first().copied().unwrap_or_default())
            .with_leader_epoch(1)
            .with_high_watermark(50)
            .with_current_voters(ids.iter().map(voter).collect());
        let topic = TopicData::default()
            .with_topic_name(TopicName(StrBytes::from_static_str("__cluster_metadata")))
            .with_partitions(vec![log]);
        DescribeQuorumResponse::default().with_topics(vec![topic])
    }

    fn topics(&self) -> MetadataResponse {
        let partition = MetadataResponsePartition::default()
            .with_leader_id(self.ids().first().copied().unwrap_or_default())
            .with_replica_nodes(self.ids())
            .with_isr_nodes(self.ids());
        let topic = MetadataResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_static_str("orders"))))
            .with_partitions(vec![partition]);
        MetadataResponse::default()
            .with_cluster_id(Some(StrBytes::from_string(self.id.clone())))
            .with_topics(vec![topic])
    }
}

/// Of the topic: one replica in sync is enough.
fn options() -> DescribeConfigsResponse {
    let minimum = DescribeConfigsResourceResult::default()
        .with_name(StrBytes::from_static_str("min.insync.replicas"))
        .with_value(Some(StrBytes::from_static_str("1")));
    let topic = DescribeConfigsResult::default()
        .with_resource_type(2)
        .with_resource_name(StrBytes::from_static_str("orders"))
        .with_configs(vec![minimum]);
    DescribeConfigsResponse::default().with_results(vec![topic])
}

/// A broker on paper. It ends when it is dropped.
#[derive(Debug)]
pub struct BrokerStandIn {
    task: JoinHandle<()>,
    asked: Arc<Mutex<Vec<ApiKey>>>,
}

impl Drop for BrokerStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The content of the answer to a request of this kind and version, after this time; `None`: it is never answered.
type Answer = dyn Fn(ApiKey, i16) -> Option<(Duration, Bytes)> + Send + Sync;

impl BrokerStandIn {
    /// Answers on this socket.
    pub fn start(
        listener: TcpListener,
        answer: impl Fn(ApiKey, i16) -> Option<(Duration, Bytes)> + Send + Sync + 'static,
    ) -> Self {
        let (answer, asked): (Arc<Answer>, _) = (Arc::new(answer), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, noted) = (Arc::clone(&answer), Arc::clone(&noted));
                open.spawn(async move {
                    // A client ends its connections as it likes.
                    let _ = serve(stream, &*answer, &noted).await;
                });
            }
        });
        Self { task, asked }
    }

    /// What it was asked so far, in this order.
    pub fn asked(&self) -> Vec<ApiKey> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(mut stream: TcpStream, answer: &Answer, noted: &Mutex<Vec<ApiKey>>) -> std::io::Result<()> {
    loop {
        let length = stream.read_i32().await?;
        let mut request = vec![0; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut request).await?;
        let [Some(key), Some(version)] = [0, 2].map(|at| {
            let bytes = request.get(at..at + 2)?;
            Some(i16::from_be_bytes([bytes[0], bytes[1]]))
        }) else {
            return Ok(());
        };
        let (Ok(key), Some(number)) = (ApiKey::try_from(key), request.get(4..8)) else { return Ok(()) };
        noted.lock().unwrap_or_else(PoisonError::into_inner).push(key);
        let Some((takes, content)) = answer(key, version) else { continue };
        tokio::time::sleep(takes).await;
        let mut head = BytesMut::new();
        let correlation = i32::from_be_bytes([number[0], number[1], number[2], number[3]]);
        let header = ResponseHeader::default().with_correlation_id(correlation);
        if header.encode(&mut head, key.response_header_version(version)).is_err() {
            return Ok(());
        }
        let mut whole = BytesMut::new();
        whole.put_i32(i32::try_from(head.len() + content.len()).unwrap_or_default());
        whole.extend_from_slice(&head);
        whole.extend_from_slice(&content);
        stream.write_all(&whole).await?;
        stream.flush().await?;
    }
}
