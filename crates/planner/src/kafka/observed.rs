//! What was seen before planning: the custom resources, the live objects of one cluster and the settings of the operator, all
//! out of caches, so that making one costs a few pointers. What the plan asks for beyond that is answered into it
//! ([`crate::completion::Completion`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::agent::{AgentReport, CertificatesInUse, RecoveryState, Unresponsive};
use api::{Kafka, KafkaNodePool, StrimziPodSet};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret};

use super::drain_view::{DrainProgress, DrainView};
use super::exposed::Exposed;
use super::feature_view::FeatureView;
use super::held_topic::HeldTopic;
use super::kubernetes_node_state::KubernetesNode;
use super::leaderless_view::LeaderlessView;
use super::log_dirs_view::{FailedLogDirs, LogDirsView};
use super::need::{Admission, Need};
use super::operator_turns::Turn;
use super::roll_view::RollKafka;
use super::taken_up::Waiting;
use crate::silence::{Silence, SilenceKind};
use objects::ObjectId;
use pki::{Material, ReadChains};

use super::config::live::memory::OptionMemory;
use crate::live_object::LiveObjects;
use crate::ownership::Holder;
use crate::pod_set::pod_error::PodError;
use crate::settings::PlanSettings;

/// Everything that planning one Kafka cluster depends on, but the time.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The Kafka resource. `None` only in [`Default`].
    pub kafka: Option<Arc<Kafka>>,
    /// Node pools of the cluster, sorted by name: see [`membership`](super::transitions::membership).
    pub pools: Vec<Arc<KafkaNodePool>>,
    /// Names of node pools that carry the label of the cluster and belong to another one, each with the name of that one.
    pub pools_of_others: BTreeMap<String, String>,
    /// Names of node pools of which a pod set here remembers what they were, and that are gone.
    pub deleted_pools: BTreeSet<String>,
    /// Names of pod sets that the pools need and that belong to another resource, each with kind and name of that one.
    pub pod_sets_of_others: BTreeMap<String, String>,
    /// Pod sets of the cluster, by name.
    pub pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    /// Pods labelled with `strimzi.io/cluster` and `strimzi.io/kind: Kafka`, by name.
    pub pods: BTreeMap<String, Arc<Pod>>,
    /// Claims of the cluster, by name.
    pub claims: BTreeMap<String, Arc<PersistentVolumeClaim>>,
    /// Secrets of the cluster (label `strimzi.io/cluster`) and every Secret of the namespace that the resource
    /// refers to, by name.
    pub secrets: BTreeMap<String, Arc<Secret>>,
    /// ConfigMaps of the cluster and those that the resource refers to, by name.
    pub config_maps: BTreeMap<String, Arc<ConfigMap>>,
    /// Deployments of the cluster, by name.
    pub deployments: BTreeMap<String, Arc<Deployment>>,
    /// Every other live object that carries the labels of the cluster (Services, ServiceAccounts, Roles, RoleBindings,
    /// NetworkPolicies, PodDisruptionBudgets, ClusterRoleBindings, Ingresses, Routes, TLSRoutes), with its body, to find those that
    /// are no longer wanted and what a write changes.
    pub others: LiveObjects,
    /// What Kubernetes wrote into those among them through which clients reach listeners with Services of their own, and the addresses of the
    /// Kubernetes nodes.
    pub exposed: Exposed,
    /// What cert-manager says of Certificates of the cluster that are not ready, by name.
    pub issuance: BTreeMap<String, String>,
    /// How those Kubernetes nodes are that a plan asked for in this pass; `None`: the operator has not the right to know.
    pub kubernetes_nodes: BTreeMap<String, Option<KubernetesNode>>,
    /// Whether it is the turn of the cluster to restart its pods for a new version of the operator; `None`: that was not asked.
    pub turn: Option<Turn>,
    /// What objects say that have names which the cluster needs and that do not carry its labels, for those that a plan asked
    /// for in this pass; `None`: there is no such object.
    pub holders: BTreeMap<ObjectId, Option<Holder>>,
    /// Data of the grants (`api::watch_grant`) in the other namespaces that the entity operator is to work in, by namespace.
    pub watch_grants: BTreeMap<String, BTreeMap<String, String>>,
    /// What the resource refers to that is there and was not read.
    pub not_read: NotRead,
    /// Whether volumes of a storage class may grow, for those classes that a plan asked for in this pass; `None`: the
    /// operator may not know.
    pub storage_classes: BTreeMap<String, Option<bool>>,
    /// Topics that have the topic operator's finalizer; `None`: no plan asked for them, or they could not be listed.
    pub held_topics: Option<Vec<HeldTopic>>,
    /// What Kafka said; `None`: it was not asked or did not answer.
    pub view: Option<KafkaView>,
    /// How far partitions are moved off nodes; `None`: Kafka was not asked or did not answer.
    pub drain: Option<DrainView>,
    /// What brokers say of log directories on volumes that leave; `None`: they were not asked or did not answer.
    pub log_dirs: Option<LogDirsView>,
    /// Partitions without a leader that brokers which started without a volume could lead; `None`: Kafka was not asked or did not answer.
    pub leaderless: Option<LeaderlessView>,
    /// Log directories that brokers cannot use any more, of those that say so; `None`: they were not asked.
    pub failed_log_dirs: Option<FailedLogDirs>,
    /// Since when no partition has arrived of those that are moved off nodes.
    pub draining: Option<DrainProgress>,
    /// What former passes found out about the options that change at run time.
    pub options: OptionMemory,
    /// What was made for the material requests of this pass, by identifier.
    pub made: BTreeMap<String, Material>,
    /// What the safety of a restart depends on, as Kafka says it; `None`: it was not asked or did not answer.
    pub roll: Option<RollKafka>,
    /// Pods that recover logs which an unclean stop left; `None`: no plan asked, or no agent answered.
    pub recoveries: Option<BTreeMap<String, RecoveryState>>,
    /// For how long the Kafka of pods has answered no request, by the name of the pod; `None`: no plan asked, or nothing is known.
    pub unresponsive_nodes: Option<BTreeMap<String, Unresponsive>>,
    /// Whether the API server would create a pod in the place of the pod with this name.
    pub admissions: BTreeMap<String, Admission>,
    /// Whether the API server would take the writes of objects with overrides of users'.
    pub trials: BTreeMap<ObjectId, Admission>,
    /// What has no answer in this pass, and why.
    pub unanswered: Vec<(Need, Silence)>,
    /// UIDs of pods that this process deleted: the watch may not have said so yet.
    pub restarted: BTreeSet<String>,
    /// Topics with remote storage; `None`: Kafka was not asked for them or did not answer.
    pub tiered_topics: Option<TieredTopics>,
    /// Why this process did not make the restart that its last plans wanted; `None`: it made it, or none was wanted.
    pub put_off: Option<PutOff>,
    /// Default quotas of users in Kafka, by Kafka's names for them; `None`: it was not asked for them or did not answer.
    pub default_quotas: Option<BTreeMap<String, f64>>,
    /// What the agents of pods say of the jars that they did not find, by the name of the pod.
    pub agent_reports: BTreeMap<String, AgentReport>,
    /// Which certificates the Kafka of pods uses, by the name of the pod; `None`: it reads them at its start alone.
    pub certificates_in_use: BTreeMap<String, Option<CertificatesInUse>>,
    /// Pods that the last plan waited for to take new certificates up.
    pub taking_up: BTreeMap<String, Waiting>,
    /// Why pods of the cluster could not be created or deleted, or not be given what belongs to them, by name.
    pub pod_errors: BTreeMap<String, PodError>,
    /// Why this is not all of the cluster, in words: some of it cannot be read, or all of it together takes too much memory. Then
    /// nothing is decided but which certificates to renew.
    pub incomplete: Option<String>,
    /// Settings of the operator.
    pub settings: Arc<PlanSettings>,
    /// Certificates that were read in this pass.
    pub read_chains: ReadChains,
}

impl Observed {
    /// Why a need has no answer; `None`: it was not asked for yet, or has one.
    pub fn silence(&self, need: &Need) -> Option<&Silence> {
        self.unanswered.iter().find(|(asked, _)| asked == need).map(|(_, silence)| silence)
    }

    /// Why what answers is nothing to rely on: it is the Kafka of another cluster. `None`: no such answer came.
    pub fn other_cluster(&self) -> Option<&Silence> {
        let mut silences = self.unanswered.iter().map(|(_, silence)| silence);
        silences.find(|silence| silence.kind == SilenceKind::OtherCluster)
    }

    /// Why a need has no answer, in words behind a colon; nothing while the answer may still come, or when it is there.
    pub fn why_silent(&self, is_the_need: impl Fn(&Need) -> bool) -> String {
        let silence =
            self.unanswered.iter().find(|(asked, _)| is_the_need(asked)).map(|(_, silence)| silence);
        let lasting = silence.filter(|silence| silence.kind != SilenceKind::UnderWay);
        lasting.map(|silence| format!(": {silence}")).unwrap_or_default()
    }
}

/// Objects that the resource refers to and that are there, but take more memory than the cluster may have: why each was not read,
/// as part of a sentence about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotRead {
    /// Secrets, by name.
    pub secrets: BTreeMap<String, String>,
    /// ConfigMaps, by name.
    pub config_maps: BTreeMap<String, String>,
    /// Grants in the other namespaces that the entity operator is to work in, by namespace.
    pub watch_grants: BTreeMap<String, String>,
}

/// Topics with remote storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TieredTopics {
    /// The first of their names, in the order of the alphabet.
    pub first: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl TieredTopics {
    /// The option of a topic that has remote storage.
    pub const OPTION: &str = "remote.storage.enable";
    /// Names that are kept.
    const NAMED: usize = 10;

    /// Of all names.
    pub fn of(mut names: Vec<String>) -> Self {
        let count = names.len();
        names.sort_unstable();
        names.truncate(Self::NAMED);
        Self { first: names, count }
    }
}

/// Why a restart that was planned was not made, when the pod should have been deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutOff {
    /// What was not as it had been planned for.
    pub why: String,
    /// Since when no restart could be made.
    pub since: Timestamp,
}

/// What Kafka said about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KafkaView {
    /// The cluster id.
    pub cluster_id: String,
    /// Ids of the registered brokers, fenced ones included.
    pub registered_brokers: BTreeSet<i32>,
    /// Ids of the brokers that are up and not fenced.
    pub active_brokers: BTreeSet<i32>,
    /// The metadata quorum; `None`: not known.
    pub quorum: Option<QuorumView>,
    /// Finalized level of `metadata.version`; `None`: not known.
    pub metadata_level: Option<i16>,
    /// Other features, by name; empty: not known.
    pub features: BTreeMap<String, FeatureView>,
    /// Brokers that hold at least one replica; `None`: not known (then none is removed).
    pub brokers_with_replicas: Option<BTreeSet<i32>>,
    /// What `describeConfigs` said about each broker that was asked.
    pub broker_configs: BrokerConfigs,
}

/// Options of brokers, by node id and name: every option that can change at run time, and of the others those that were
/// changed all the same.
pub type BrokerConfigs = BTreeMap<i32, BTreeMap<String, ConfigView>>;

/// The metadata quorum.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuorumView {
    /// Id of the active controller; negative: none.
    pub leader: i32,
    /// Voters: node id and directory id (empty for a static quorum).
    pub voters: BTreeMap<i32, String>,
    /// Observers: node id and directory id.
    pub observers: BTreeMap<i32, String>,
    /// Milliseconds by which each voter is behind the leader. A voter that is missing here never had everything, or Kafka does not say.
    pub lag_ms: BTreeMap<i32, i64>,
}

impl QuorumView {
    /// Whether it has an active controller. Only then do the controllers say who votes.
    pub fn has_leader(&self) -> bool {
        self.leader >= 0
    }
}

/// One option of a broker as it is now. The first of the layers that says something is in force, once the broker has
/// applied it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigView {
    /// The value in force as Kafka writes it; `None` for secrets and unset options.
    pub value: Option<String>,
    /// Set at run time on this broker, as it was written.
    pub on_broker: Option<String>,
    /// Set at run time for all brokers, as it was written.
    pub everywhere: Option<String>,
    /// In the file that the broker was started with.
    pub in_file: Option<String>,
}

impl ConfigView {
    /// Whether something was set at run time.
    pub fn is_changed(&self) -> bool {
        self.on_broker.is_some() || self.everywhere.is_some()
    }
}
