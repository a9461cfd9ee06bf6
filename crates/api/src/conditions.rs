//! The conditions of all statuses, and how a new list replaces an old one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::JsonSchema;

/// Condition types.
pub mod types {
    /// The resource is as asked for.
    pub const READY: &str = "Ready";
    /// The resource could not be brought to what was asked for.
    pub const NOT_READY: &str = "NotReady";
    /// Something that works but deserves a look.
    pub const WARNING: &str = "Warning";
    /// The resource carries the pause annotation and is left alone.
    pub const RECONCILIATION_PAUSED: &str = "ReconciliationPaused";
    /// A KafkaTopic with `strimzi.io/managed: "false"`.
    pub const UNMANAGED: &str = "Unmanaged";
}

/// Reasons and actions of events. Those of a restart are reasons of the restart itself.
pub mod events {
    /// A pod could not be made.
    pub const FAILED_CREATE: &str = "FailedCreate";
    /// What was done when [`FAILED_CREATE`] came.
    pub const CREATE_POD: &str = "CreatePod";
    /// A pod got other resources without a restart.
    pub const POD_RESIZED: &str = "PodResized";
    /// Kubernetes refused to give a pod other resources without a restart.
    pub const FAILED_RESIZE: &str = "FailedResize";
    /// What was done when one of these two came.
    pub const RESIZE_POD: &str = "ResizePod";
    /// A pod could not be deleted.
    pub const FAILED_DELETE: &str = "FailedDelete";
    /// What was done when [`FAILED_DELETE`] came.
    pub const DELETE_POD: &str = "DeletePod";
    /// A pod could not be given a label, or the reference to its owner.
    pub const FAILED_UPDATE: &str = "FailedUpdate";
    /// What was done when [`FAILED_UPDATE`] came.
    pub const UPDATE_POD: &str = "UpdatePod";
    /// What was done when a resource could not be read.
    pub const READING: &str = "Reading";
    /// Options of Kafka were changed.
    pub const CONFIGURATION_CHANGE: &str = "ConfigurationChange";
    /// What a roll does that waits.
    pub const ROLLING_UPDATE: &str = "RollingUpdate";
    /// The operator began to move partitions off nodes that are to leave.
    pub const NODES_DRAIN_BEGAN: &str = "NodesDrainBegan";
    /// It has ended: the nodes are empty, or nobody wants them to be any more.
    pub const NODES_DRAIN_ENDED: &str = "NodesDrainEnded";
    /// What was done when one of these two came.
    pub const DRAIN_NODES: &str = "DrainNodes";
    /// A controller lost its vote.
    pub const CONTROLLER_REMOVED: &str = "ControllerRemoved";
    /// What was done when that came.
    pub const REMOVE_CONTROLLER: &str = "RemoveController";
    /// A connector was restarted.
    pub const CONNECTOR_RESTARTED: &str = "ConnectorRestarted";
    /// A connector that no resource declares was removed.
    pub const CONNECTOR_REMOVED: &str = "ConnectorRemoved";
    /// What was done when a connector was restarted or removed.
    pub const MANAGE_CONNECTOR: &str = "ManageConnector";
    /// The operator deleted a pod so that it starts anew.
    pub const POD_RESTART: &str = "StrimziInitiatedPodRestart";
}

/// Condition reasons.
pub mod reasons {
    /// A Kafka that was just created.
    pub const CREATING: &str = "Creating";
    /// The resource itself is wrong.
    pub const INVALID_RESOURCE: &str = "InvalidResourceException";
    /// The resource does not fit with the others, for example a Kafka without node pools.
    pub const INVALID_CONFIGURATION: &str = "InvalidConfigurationException";
    /// Two KafkaTopics name one topic.
    pub const RESOURCE_CONFLICT: &str = "ResourceConflict";
    /// Kafka cannot do what a KafkaTopic asks for.
    pub const NOT_SUPPORTED: &str = "NotSupported";
    /// Kafka answered with an error.
    pub const KAFKA_ERROR: &str = "KafkaError";
    /// The operator itself failed.
    pub const INTERNAL_ERROR: &str = "InternalError";
    /// A property that this version does not know.
    pub const UNKNOWN_FIELDS: &str = "UnknownFields";
    /// A password stands in a property that many may read.
    pub const CREDENTIALS_IN_PLAIN_SIGHT: &str = "CredentialsInPlainSight";
    /// An image could not be built.
    pub const IMAGE_BUILD_FAILED: &str = "ImageBuildFailed";
    /// A plug-in is loaded over an unprotected connection, on which its file could be replaced.
    pub const UNPROTECTED_DOWNLOAD: &str = "UnprotectedDownload";
    /// Properties are set that can have no effect here.
    pub const FIELDS_WITHOUT_EFFECT: &str = "FieldsWithoutEffect";
    /// A deprecated property is in use.
    pub const DEPRECATED_FIELDS: &str = "DeprecatedFields";
    /// A deprecated feature is in use.
    pub const DEPRECATED_OBJECTS: &str = "DeprecatedObjects";
    /// A storage change that cannot be made was ignored.
    pub const KAFKA_STORAGE: &str = "KafkaStorage";
    /// Brokers that hold replicas were not removed.
    pub const SCALE_DOWN_PREVENTION_CHECK: &str = "ScaleDownPreventionCheck";
    /// Controllers lose their votes, because they are to leave, and something is waited for.
    pub const CONTROLLER_REMOVAL: &str = "ControllerRemoval";
    /// A pool that is gone has nodes.
    pub const PODS_WITHOUT_NODE_POOL: &str = "PodsWithoutNodePool";
    /// A KafkaNodePool has more than can be remembered of it.
    pub const POOL_TOO_LARGE: &str = "NodePoolTooLarge";
    /// Partitions are moved off nodes that are to leave.
    pub const NODES_DRAIN: &str = "NodesDrain";
    /// A volume that a pool no longer asks for stays, because it holds something, or may.
    pub const VOLUME_REMOVAL: &str = "VolumeRemoval";
    /// The annotation with the rate at which partitions and replicas are moved cannot be understood.
    pub const INVALID_DRAIN_RATE: &str = "InvalidDrainRate";
    /// A node pool carries the label of a cluster that its nodes do not belong to.
    pub const NODE_POOL_OF_ANOTHER_CLUSTER: &str = "NodePoolOfAnotherCluster";
    /// No Kafka resource looks after a node pool.
    pub const NODE_POOL_OF_NO_CLUSTER: &str = "NodePoolOfNoCluster";
    /// Controllers cannot be added: the list of the voters was fixed when the cluster was formatted.
    pub const STATIC_CONTROLLER_QUORUM: &str = "StaticControllerQuorum";
    /// Controllers lose the metadata with their pods, while brokers keep their records.
    pub const EPHEMERAL_CONTROLLERS: &str = "EphemeralControllers";
    /// `default.replication.factor` is not set.
    pub const KAFKA_DEFAULT_REPLICATION_FACTOR: &str = "KafkaDefaultReplicationFactor";
    /// `min.insync.replicas` is not set.
    pub const KAFKA_MIN_INSYNC_REPLICAS: &str = "KafkaMinInsyncReplicas";
    /// The number of controllers does not suit a quorum.
    pub const KAFKA_KRAFT_CONTROLLER_NODE_COUNT: &str = "KafkaKRaftControllerNodeCount";
    /// The metadata version is older than the Kafka version's.
    pub const KAFKA_METADATA_VERSION: &str = "KafkaMetadataVersion";
    /// Changing the metadata version failed.
    pub const METADATA_UPDATE_FAILED: &str = "MetadataUpdateFailed";
    /// The annotation with the wanted levels of Kafka's features cannot be understood, or asks for what cannot be had.
    pub const INVALID_FEATURE_LEVELS: &str = "InvalidFeatureLevels";
    /// Kafka refused to raise the level of a feature.
    pub const FEATURE_UPDATE_FAILED: &str = "FeatureUpdateFailed";
    /// A restart is due and cannot be made yet; the transition time says since when.
    pub const ROLLING_UPDATE_WAITS: &str = "RollingUpdateWaits";
    /// What `kastellan.io/hold-operator-rolls` says is not understood, or has no window to wait for.
    pub const INVALID_OPERATOR_HOLD: &str = "InvalidOperatorHold";
    /// Pods would restart because of a new version of the operator alone, and wait for an approval or a maintenance window.
    pub const PLAN_HELD: &str = "PlanHeld";
    /// Partitions have one replica, on storage that a restart of its broker destroys.
    pub const SINGLE_REPLICA_ON_EPHEMERAL_STORAGE: &str = "SingleReplicaOnEphemeralStorage";
    /// The machine of a pod has no room for the resources that it is to get without a restart.
    pub const IN_PLACE_RESIZING_DEFERRED: &str = "InPlaceResizingDeferred";
    /// The Kubernetes node of a pod is away.
    pub const LOST_NODE: &str = "LostNode";
    /// A pod cannot use its volumes: the disk failed, or no Kubernetes node can mount them.
    pub const LOST_VOLUME: &str = "LostVolume";
    /// A pod does not become ready, and something says why.
    pub const POD_NOT_READY: &str = "PodNotReady";
    /// The addresses of a listener change, because it got or lost a single address.
    pub const LISTENER_ADDRESSES_CHANGE: &str = "ListenerAddressesChange";
    /// A load balancer keeps its class, though another one is asked for.
    pub const LOAD_BALANCER_CLASS_STAYS: &str = "LoadBalancerClassStays";
    /// A Deployment of the cluster has not been available for a long time.
    pub const DEPLOYMENT_NOT_AVAILABLE: &str = "DeploymentNotAvailable";
    /// Everybody may use the remote JMX of the nodes.
    pub const JMX_WITHOUT_AUTHENTICATION: &str = "JmxWithoutAuthentication";
    /// Nodes let everybody in at the ports that the parts of a cluster use among themselves.
    pub const INTERNAL_CLUSTER_SECURITY_OFF: &str = "InternalClusterSecurityOff";
    /// A jar that the resource asks for was not found in the pods, which run without it.
    pub const PLUG_IN_MISSING: &str = "PlugInMissing";
    /// `client.quota.callback.class` is set beside `spec.kafka.quotas`.
    pub const QUOTAS_PLUGIN_CONFLICT: &str = "QuotasPluginConflict";
    /// Kubernetes has not said yet under which address clients reach a listener.
    pub const LISTENER_ADDRESS_UNKNOWN: &str = "ListenerAddressUnknown";
    /// An object that the cluster needs exists and belongs to another owner.
    pub const FOREIGN_OBJECT: &str = "ForeignObject";
    /// What would take the place of something that runs waits for a person's consent.
    pub const TAKE_OVER_HELD: &str = "TakeOverHeld";
    /// Where the nodes of the cluster should answer, those of another Kafka cluster do.
    pub const OTHER_KAFKA_CLUSTER: &str = "OtherKafkaCluster";
    /// Another client added parts to a Deployment of the operator's.
    pub const FOREIGN_ADDITIONS: &str = "ForeignAdditions";
    /// Of an event: a value that was set in Kafka itself, for an option that the resource decides, was taken away.
    pub const CONFIGURATION_OVERRIDE_UNDONE: &str = "ConfigurationOverrideUndone";
    /// A pod shows a certificate that ends soon, and its restart waits.
    pub const CERTIFICATE_ENDS: &str = "CertificateEnds";
    /// A certificate stays because cert-manager has none yet that could take its place.
    pub const CERTIFICATE_NOT_ISSUED: &str = "CertificateNotIssued";
    /// Kubernetes refused a request, or did not answer.
    pub const KUBERNETES_ERROR: &str = "KubernetesError";
    /// `inter.broker.protocol.version` is set.
    pub const KAFKA_INTER_BROKER_PROTOCOL_VERSION_IN_KRAFT: &str = "KafkaInterBrokerProtocolVersionInKRaft";
    /// `log.message.format.version` is set.
    pub const KAFKA_LOG_MESSAGE_FORMAT_VERSION_IN_KRAFT: &str = "KafkaLogMessageFormatVersionInKRaft";
    /// Volumes of a ZooKeeper that is no more are still there.
    pub const ZOOKEEPER_REMAINS: &str = "ZooKeeperRemains";
    /// Something that was ready, or may have been, is not ready.
    pub const NOT_READY: &str = "NotReady";
    /// Pods need a ClusterRoleBinding, which the operator may not make.
    pub const CLUSTER_ROLE_BINDING_NOT_MADE: &str = "ClusterRoleBindingNotMade";
    /// An annotation wishes for node ids and cannot be understood.
    pub const INVALID_NODE_IDS: &str = "InvalidNodeIds";
    /// Brokers do not run with an option of the resource.
    pub const CONFIGURATION_NOT_IN_FORCE: &str = "ConfigurationNotInForce";
    /// Another client set options of brokers at run time.
    pub const FOREIGN_BROKER_CONFIGURATION: &str = "ForeignBrokerConfiguration";
    /// An empty list of a listener's `networkPolicyPeers` lets everybody connect.
    pub const EMPTY_NETWORK_POLICY_PEERS: &str = "EmptyNetworkPolicyPeers";
    /// A listener says something of a broker that is not there.
    pub const LISTENER_BROKER_UNKNOWN: &str = "ListenerBrokerUnknown";
    /// A Service gets a name that begins with a digit.
    pub const SERVICE_NAME_BEGINS_WITH_DIGIT: &str = "ServiceNameBeginsWithDigit";
    /// A template sets a label that the operator sets itself.
    pub const TEMPLATE_LABEL_IGNORED: &str = "TemplateLabelIgnored";
    /// Workers have a name for themselves that those of another resource have too.
    pub const SHARED_GROUP: &str = "SharedGroup";
    /// The resource has sections that are not carried out.
    pub const UNSUPPORTED_FIELDS: &str = "UnsupportedFields";
    /// The resource asks for a Kafka version that is not supported.
    pub const UNSUPPORTED_KAFKA_VERSION: &str = "UnsupportedKafkaVersion";
    /// `nodeConfig` has options for nodes that do not exist.
    pub const NODE_CONFIG_WITHOUT_NODE: &str = "NodeConfigWithoutNode";
    /// `objectOverrides` names objects that do not exist.
    pub const OBJECT_OVERRIDE_WITHOUT_OBJECT: &str = "ObjectOverrideWithoutObject";
    /// The API server refuses an object with an override of `objectOverrides`.
    pub const OBJECT_OVERRIDE_REFUSED: &str = "ObjectOverrideRefused";
    /// Kafka Connect refused a request about a connector, or could not carry it out.
    pub const CONNECT_REST: &str = "ConnectRestException";
    /// No worker of a Kafka Connect cluster answers.
    pub const CONNECT_AWAY: &str = "ConnectTimeoutException";
    /// What a resource names does not exist, or is not set up for it.
    pub const NO_SUCH_RESOURCE: &str = "NoSuchResourceException";
    /// A connector or some of its tasks ended with an error.
    pub const CONNECTOR_FAILED: &str = "ConnectorFailed";
    /// A connector could not be restarted as an annotation, or the automatic restart, asks for it.
    pub const RESTART_CONNECTOR: &str = "RestartConnector";
    /// A task could not be restarted as an annotation asks for it.
    pub const RESTART_CONNECTOR_TASK: &str = "RestartConnectorTask";
    /// The offsets of a connector could not be listed.
    pub const LIST_OFFSETS: &str = "ListOffsets";
    /// The offsets of a connector could not be altered.
    pub const ALTER_OFFSETS: &str = "AlterOffsets";
    /// The offsets of a connector could not be reset.
    pub const RESET_OFFSETS: &str = "ResetOffsets";
    /// The annotation about offsets asks for something else than there is.
    pub const MANAGE_OFFSETS: &str = "ManageOffsets";
    /// Options of a connector that other fields of the resource decide.
    pub const OPTIONS_IGNORED: &str = "OptionsIgnored";
    /// A volume could not be made larger.
    pub const PVC_RESIZING_WARNING: &str = "PvcResizingWarning";
}

/// One observation about a resource.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about, for example `Ready` or `Warning`.
    #[serde(rename = "type", default)]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    #[serde(default)]
    pub status: String,
    /// When the condition came to say what it says, in UTC as `2026-01-31T12:00:00Z`.
    pub last_transition_time: Option<String>,
    /// Why, as one word for programs.
    pub reason: Option<String>,
    /// Why, as a sentence for people.
    pub message: Option<String>,
}

impl Condition {
    /// A condition without a reason; its time is filled in by [`merge`].
    pub fn new(type_: &str, status: bool) -> Self {
        let status = if status { "True" } else { "False" };
        Self { type_: type_.to_owned(), status: status.to_owned(), ..Self::default() }
    }

    /// `Ready`, status `True`.
    pub fn ready() -> Self {
        Self::new(types::READY, true)
    }

    /// `NotReady`, status `True`: the failure of every kind but KafkaTopic.
    pub fn not_ready(reason: &str, message: impl Into<String>) -> Self {
        Self::new(types::NOT_READY, true).because(reason, message)
    }

    /// `Ready`, status `False`: the failure of a KafkaTopic.
    pub fn ready_false(reason: &str, message: impl Into<String>) -> Self {
        Self::new(types::READY, false).because(reason, message)
    }

    /// `Warning`, status `True`.
    pub fn warning(reason: &str, message: impl Into<String>) -> Self {
        Self::new(types::WARNING, true).because(reason, message)
    }

    /// `ReconciliationPaused`, status `True`.
    pub fn paused() -> Self {
        Self::new(types::RECONCILIATION_PAUSED, true)
    }

    /// Adds a reason and a message.
    pub fn because(mut self, reason: &str, message: impl Into<String>) -> Self {
        self.reason = Some(reason.to_owned());
        self.message = Some(message.into());
        self
    }

    /// True if both say the same, whenever they came to say it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.type_ == other.type_
            && self.status == other.status
            && self.reason == other.reason
            && self.message == other.message
    }

    /// True for a condition of this type with status `True`.
    pub fn is(&self, type_: &str) -> bool {
        self.type_ == type_ && self.status == "True"
    }
}

/// A time as statuses show it: UTC, whole seconds, `2026-01-31T12:00:00Z`.
pub fn format_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Gives every new condition its transition time: the old one where nothing changed, `now` otherwise.
///
/// Old conditions that are not in `new` are gone. So an idle pass yields exactly the old list and no write.
pub fn merge(new: Vec<Condition>, old: Option<&[Condition]>, now: Timestamp) -> Vec<Condition> {
    let mut merged = Vec::with_capacity(new.len());
    for mut condition in new {
        let known = old.unwrap_or_default().iter().find(|known| known.says_the_same(&condition));
        condition.last_transition_time =
            known.and_then(|known| known.last_transition_time.clone()).or_else(|| Some(format_time(now)));
        merged.push(condition);
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_unchanged_condition_keeps_its_time() {
        let first = merge(vec![Condition::ready()], None, at("2026-01-01T00:00:00.5Z"));
        assert_eq!(first[0].last_transition_time.as_deref(), Some("2026-01-01T00:00:00Z"));
        let second = merge(vec![Condition::ready()], Some(&first), at("2026-01-02T00:00:00Z"));
        assert_eq!(second, first);
    }

    #[test]
    fn a_changed_condition_gets_the_new_time_and_others_keep_theirs() {
        let warning = Condition::warning(reasons::KAFKA_STORAGE, "kept");
        let old = merge(vec![warning.clone(), Condition::ready()], None, at("2026-01-01T00:00:00Z"));
        let new = vec![warning, Condition::not_ready(reasons::INVALID_RESOURCE, "no pool")];
        let merged = merge(new, Some(&old), at("2026-01-02T00:00:00Z"));
        assert_eq!(merged[0].last_transition_time.as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(merged[1].last_transition_time.as_deref(), Some("2026-01-02T00:00:00Z"));
    }
}
