//! What a node answers: a cluster without topics in which every node is up.

use std::collections::BTreeMap;

use kafka_protocol::{
    messages::{
        ApiVersionsRequest, ApiVersionsResponse, BrokerId, DescribeClusterRequest, DescribeClusterResponse,
        DescribeConfigsRequest, DescribeConfigsResponse, DescribeQuorumRequest, DescribeQuorumResponse,
        MetadataRequest, MetadataResponse, TopicName,
        api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey},
        describe_cluster_response::DescribeClusterBroker,
        describe_configs_response::{
            DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
        },
        describe_quorum_response::{PartitionData, ReplicaState, TopicData},
        metadata_response::MetadataResponseBroker,
    },
    protocol::{Request, StrBytes},
};
use planner::kafka::config::model::{ConfigOption, Model, Scope, ValueType};

use super::node::{Cluster, Node};

/// The feature whose level is the metadata version.
const METADATA: &str = "metadata.version";
/// The topic of the metadata log.
const METADATA_LOG: &str = "__cluster_metadata";
/// What the option with the rack says until the node has looked it up.
const RACK: &str = "broker.rack";
/// The rack in which all nodes are.
const ZONE: &str = "zone-a";
/// End of the metadata log on every node.
const LOG_END: i64 = 1_000;
/// Codes of Kafka for where a value comes from.
const FILE: i8 = 4;
const DEFAULT: i8 = 5;
/// Code of Kafka for a kind of listener: that of controllers.
const CONTROLLERS: i8 = 2;

/// The requests that are understood, and the version of the metadata.
pub(super) fn versions(cluster: &Cluster) -> ApiVersionsResponse {
    fn known<R: Request>() -> ApiVersion {
        ApiVersion::default()
            .with_api_key(R::KEY)
            .with_min_version(R::VERSIONS.min)
            .with_max_version(R::VERSIONS.max)
    }
    let (name, level) = (StrBytes::from_static_str(METADATA), cluster.metadata_level);
    ApiVersionsResponse::default()
        .with_api_keys(vec![
            known::<ApiVersionsRequest>(),
            known::<DescribeClusterRequest>(),
            known::<DescribeQuorumRequest>(),
            known::<DescribeConfigsRequest>(),
            known::<MetadataRequest>(),
        ])
        .with_finalized_features_epoch(1)
        .with_supported_features(vec![
            SupportedFeatureKey::default()
                .with_name(name.clone())
                .with_min_version(1)
                .with_max_version(level),
        ])
        .with_finalized_features(vec![
            FinalizedFeatureKey::default()
                .with_name(name)
                .with_min_version_level(level)
                .with_max_version_level(level),
        ])
}

/// The nodes, as brokers or as controllers.
pub(super) fn cluster(cluster: &Cluster, request: &DescribeClusterRequest) -> DescribeClusterResponse {
    let port = if request.endpoint_type == CONTROLLERS {
        api::ports::CONTROL_PLANE
    } else {
        api::ports::REPLICATION
    };
    let node = |node: &Node| {
        DescribeClusterBroker::default()
            .with_broker_id(BrokerId(node.id))
            .with_host(text(&node.host))
            .with_port(port)
            .with_rack(node.options.get(RACK).map(|_| text(ZONE)))
    };
    DescribeClusterResponse::default()
        .with_endpoint_type(request.endpoint_type)
        .with_cluster_id(text(&cluster.id))
        .with_controller_id(leader(cluster))
        .with_brokers(cluster.nodes().map(node).collect())
}

/// All nodes vote and none is behind.
pub(super) fn quorum(cluster: &Cluster) -> DescribeQuorumResponse {
    let now = jiff::Timestamp::now().as_millisecond();
    let voter = |node: &Node| {
        ReplicaState::default()
            .with_replica_id(BrokerId(node.id))
            .with_replica_directory_id(node.directory)
            .with_log_end_offset(LOG_END)
            .with_last_fetch_timestamp(now)
            .with_last_caught_up_timestamp(now)
    };
    let log = PartitionData::default()
        .with_leader_id(leader(cluster))
        .with_leader_epoch(1)
        .with_high_watermark(LOG_END)
        .with_current_voters(cluster.nodes().map(voter).collect());
    let topic = TopicData::default()
        .with_topic_name(TopicName(StrBytes::from_static_str(METADATA_LOG)))
        .with_partitions(vec![log]);
    DescribeQuorumResponse::default().with_topics(vec![topic])
}

/// The brokers, and no topics.
pub(super) fn metadata(cluster: &Cluster) -> MetadataResponse {
    let node = |node: &Node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.id))
            .with_host(text(&node.host))
            .with_port(api::ports::REPLICATION)
    };
    MetadataResponse::default()
        .with_cluster_id(Some(text(&cluster.id)))
        .with_controller_id(leader(cluster))
        .with_brokers(cluster.nodes().map(node).collect())
}

fn leader(cluster: &Cluster) -> BrokerId {
    cluster.nodes().next().map_or(BrokerId(-1), |node| BrokerId(node.id))
}

/// Every option of the broker: from its file, else Kafka's default.
pub(super) fn configs(node: &Node, request: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    let model = planner::kafka::config::model::of("");
    let results = request.resources.iter().map(|resource| {
        let keys = resource.configuration_keys.as_ref();
        let asked = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name));
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(options(node, model).into_iter().filter(|option| asked(&option.name)).collect())
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

fn options(node: &Node, model: &'static Model) -> Vec<DescribeConfigsResourceResult> {
    let file: BTreeMap<&str, &str> = node.options.iter().collect();
    let known =
        model.options.iter().map(|(name, option)| known(name, option, file.get(name.as_str()).copied()));
    // Options of listeners and plug-ins: Kafka lists them and shows nothing of them.
    let unknown = file.keys().filter(|name| !model.options.contains_key(**name)).map(|name| {
        DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(None)
            .with_read_only(true)
            .with_config_source(FILE)
            .with_is_sensitive(true)
            .with_synonyms(vec![synonym(text(name), None, FILE)])
    });
    known.chain(unknown).collect()
}

fn known(
    name: &'static str,
    option: &'static ConfigOption,
    in_file: Option<&str>,
) -> DescribeConfigsResourceResult {
    let name_text = StrBytes::from_static_str(name);
    let sensitive = option.kind == ValueType::Password;
    let shown = |value: StrBytes| (!sensitive).then_some(value);
    let in_file = in_file.map(|value| if name == RACK { text(ZONE) } else { text(value) });
    let default = option.default.as_deref().map(StrBytes::from_static_str);
    let mut synonyms = Vec::new();
    synonyms.extend(in_file.clone().map(|value| synonym(name_text.clone(), shown(value), FILE)));
    synonyms.extend(default.clone().map(|value| synonym(name_text.clone(), shown(value), DEFAULT)));
    DescribeConfigsResourceResult::default()
        .with_name(name_text)
        .with_config_source(if in_file.is_some() { FILE } else { DEFAULT })
        .with_value(in_file.or(default).and_then(shown))
        .with_read_only(option.scope == Scope::ReadOnly)
        .with_is_sensitive(sensitive)
        .with_synonyms(synonyms)
}

fn synonym(name: StrBytes, value: Option<StrBytes>, source: i8) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym::default().with_name(name).with_value(value).with_source(source)
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
