//! Annotation keys: those by which users drive the operators, and those by which operators remember things.

/// On any custom resource but node pools and pod sets: `true` stops its reconciliation.
pub const PAUSE_RECONCILIATION: &str = "strimzi.io/pause-reconciliation";
/// On a StrimziPodSet or a pod: `true` asks for a rolling restart of all its pods, or of that pod.
pub const MANUAL_ROLLING_UPDATE: &str = "strimzi.io/manual-rolling-update";
/// On a Kafka pod: `true` deletes the pod with its claims and makes both anew.
pub const DELETE_POD_AND_PVC: &str = "strimzi.io/delete-pod-and-pvc";
/// On a CA certificate Secret or a user's Secret: `true` renews the certificate, keeping the CA's key.
pub const FORCE_RENEW: &str = "strimzi.io/force-renew";
/// On a CA key Secret: `true` makes a new key and certificate.
pub const FORCE_REPLACE: &str = "strimzi.io/force-replace";
/// On a Kafka: `true` removes brokers without asking whether they hold replicas.
pub const SKIP_BROKER_SCALEDOWN_CHECK: &str = "strimzi.io/skip-broker-scaledown-check";
/// On a KafkaNodePool: id ranges that new nodes take their ids from, for example `[0, 5, 10-20]`.
pub const NEXT_NODE_IDS: &str = "strimzi.io/next-node-ids";
/// On a KafkaNodePool: id ranges whose nodes are removed first.
pub const REMOVE_NODE_IDS: &str = "strimzi.io/remove-node-ids";
/// On a Kafka of an older version: `enabled` says that its brokers are in KafkaNodePools, whatever it says of them itself.
pub const NODE_POOLS: &str = "strimzi.io/node-pools";
/// On a Kafka of an older version: anything but `disabled` says that it has KRaft controllers, whatever it says of ZooKeeper.
pub const KRAFT: &str = "strimzi.io/kraft";
/// On a Kafka, KafkaConnect or KafkaMirrorMaker2: `true` changes pod resources without a restart.
pub const IN_PLACE_RESIZING: &str = "strimzi.io/in-place-resizing";
/// On the same kinds: `true` waits for a deferred resize instead of restarting the pod.
pub const IN_PLACE_RESIZING_WAIT_FOR_DEFERRED: &str = "strimzi.io/in-place-resizing-wait-for-deferred";
/// On a Kafka: JSON that switches TLS and mTLS between the components off.
pub const INTERNAL_CLUSTER_SECURITY: &str = "strimzi.io/internal-cluster-security";
/// On a KafkaRebalance: `approve`, `refresh` or `stop`.
pub const REBALANCE: &str = "strimzi.io/rebalance";
/// On a KafkaRebalance: `true` approves every proposal by itself.
pub const REBALANCE_AUTO_APPROVAL: &str = "strimzi.io/rebalance-auto-approval";
/// On a KafkaRebalance: `true` makes it a template that is never carried out.
pub const REBALANCE_TEMPLATE: &str = "strimzi.io/rebalance-template";
/// On a KafkaConnect: `true` lets KafkaConnector resources rule its connectors.
pub const USE_CONNECTOR_RESOURCES: &str = "strimzi.io/use-connector-resources";
/// On the StrimziPodSet of a KafkaConnect: `true` asks for a new image build.
pub const FORCE_REBUILD: &str = "strimzi.io/force-rebuild";
/// On a KafkaConnector: `true`, or a list of `includeTasks` and `onlyFailed`, restarts the connector.
pub const RESTART: &str = "strimzi.io/restart";
/// On a KafkaConnector: the id of a task to restart.
pub const RESTART_TASK: &str = "strimzi.io/restart-task";
/// On a KafkaMirrorMaker2: `<connector>[:includeTasks,onlyFailed]` restarts a connector.
pub const RESTART_CONNECTOR: &str = "strimzi.io/restart-connector";
/// On a KafkaMirrorMaker2: `<connector>:<task>` restarts a task.
pub const RESTART_CONNECTOR_TASK: &str = "strimzi.io/restart-connector-task";
/// On a KafkaConnector or KafkaMirrorMaker2: `list`, `alter` or `reset` of connector offsets.
pub const CONNECTOR_OFFSETS: &str = "strimzi.io/connector-offsets";
/// On a KafkaMirrorMaker2: the connector that [`CONNECTOR_OFFSETS`] is about.
pub const MIRRORMAKER_CONNECTOR: &str = "strimzi.io/mirrormaker-connector";
/// On a KafkaTopic: `false` leaves the topic in Kafka alone.
pub const MANAGED: &str = "strimzi.io/managed";

/// On pods: hash of the configuration that only a restart applies.
pub const CONFIGURATION_HASH: &str = "strimzi.io/configuration-hash";
/// On pods: when the server certificate ends that the pod started with.
pub const SERVER_CERT_ENDS: &str = "kastellan.io/server-cert-ends";
/// On pods: hash of the server certificate the pod started with.
pub const SERVER_CERT_HASH: &str = "strimzi.io/server-cert-hash";
/// On pods: hash of the credentials a client uses towards Kafka.
pub const AUTH_HASH: &str = "strimzi.io/auth-hash";
/// On pods with custom listener certificates: their thumbprints.
pub const CUSTOM_LISTENER_CERT_THUMBPRINTS: &str = "strimzi.io/custom-listener-cert-thumbprints";
/// On Cruise Control's pod: hash of the brokers' capacities.
pub const CAPACITY_CONFIGURATION_HASH: &str = "strimzi.io/capacity-configuration-hash";
/// On pod sets and pods: the Kafka version they run.
pub const KAFKA_VERSION: &str = "strimzi.io/kafka-version";
/// On pod sets: JSON of the storage that is in use.
pub const STORAGE: &str = "strimzi.io/storage";
/// On claims: whether the claim goes when its node does.
pub const DELETE_CLAIM: &str = "strimzi.io/delete-claim";
/// On pods: first 8 hex digits of the SHA-256 of the pod in a canonical form, without resources.
pub const REVISION: &str = "strimzi.io/revision";
/// On pods: the same of the pod's resources alone.
pub const RESOURCE_REVISION: &str = "strimzi.io/resource-revision";
/// On pods: why an in-place resize failed.
pub const IN_PLACE_RESIZING_ERROR: &str = "strimzi.io/in-place-resizing-error";
/// On CA certificate Secrets: counts renewals of the certificate, from 0.
pub const CA_CERT_GENERATION: &str = "strimzi.io/ca-cert-generation";
/// On CA key Secrets: counts replacements of the key, from 0.
pub const CA_KEY_GENERATION: &str = "strimzi.io/ca-key-generation";
/// On pods and leaf Secrets: the cluster CA certificate generation they were made with.
pub const CLUSTER_CA_CERT_GENERATION: &str = "strimzi.io/cluster-ca-cert-generation";
/// On pods: the cluster CA key generation they trust.
pub const CLUSTER_CA_KEY_GENERATION: &str = "strimzi.io/cluster-ca-key-generation";
/// On broker pods: the clients CA certificate generation they trust.
pub const CLIENTS_CA_CERT_GENERATION: &str = "strimzi.io/clients-ca-cert-generation";
/// On the certificate Secret of the clients CA: SHA-256 of the certificate (DER, hexadecimal) that every Kafka pod trusts. New
/// certificates of users wait until it is that of `ca.crt`. Without the annotation they do not wait.
pub const TRUSTED_BY_ALL_PODS: &str = "kastellan.io/trusted-by-all-pods";
/// On pods: the cluster CAs that the pod was started to trust, each 16 hexadecimal digits made of its subject and public
/// key, joined with commas.
pub const TRUSTED_CLUSTER_CAS: &str = "kastellan.io/trusted-cluster-cas";
/// On pods: the clients CAs that the pod was started to trust, in the same form.
pub const TRUSTED_CLIENTS_CAS: &str = "kastellan.io/trusted-clients-cas";
/// On pods: fingerprint of the certificates that the pod was started to trust.
pub const TRUST_BUNDLE_HASH: &str = "kastellan.io/trust-bundle-hash";
/// On CA certificate Secrets: thumbprints of the certificates that the PKCS #12 store beside them holds.
pub const TRUST_STORE_HOLDS: &str = "kastellan.io/trust-store-holds";
/// On pod sets and on the ConfigMaps of nodes: directory ids of the first controllers, as JSON by node id. Each object carries
/// all of them, so that losing some loses nothing.
pub const CONTROLLER_DIRECTORY_IDS: &str = "kastellan.io/controller-directory-ids";
/// On pod sets: `true` once the metadata quorum has existed.
pub const QUORUM_FORMED: &str = "kastellan.io/quorum-formed";
/// On pod sets of clusters that were formatted with `controller.quorum.voters`: those voters, as a JSON list of node ids.
pub const STATIC_CONTROLLERS: &str = "kastellan.io/static-controllers";
/// On pods: `true` where the controller was started so that it does not join the quorum again once its vote is taken away.
pub const LEAVES_QUORUM: &str = "kastellan.io/leaves-quorum";
/// On pod sets: UIDs of the pods that have yet to be restarted because [`MANUAL_ROLLING_UPDATE`] asked for it, as a JSON list.
pub const MANUAL_ROLLING_UPDATE_PODS: &str = "kastellan.io/manual-rolling-update-pods";
/// On Services: JSON list of what applications can connect to; goes with the label of the same key.
pub const DISCOVERY: &str = "strimzi.io/discovery";
/// On StrimziPodSets of KafkaConnect: revision of the image build.
pub const CONNECT_BUILD_REVISION: &str = "strimzi.io/connect-build-revision";
/// On StrimziPodSets of KafkaConnect: the image that was built.
pub const CONNECT_BUILD_IMAGE: &str = "strimzi.io/connect-build-image";
/// On the pod, or OpenShift's Build, of an image build and on the ConfigMap with its Dockerfile: fingerprint of everything that the build was started with.
pub const BUILD_INPUTS: &str = "kastellan.io/build-inputs";
/// On the same: which attempt it is, from 1.
pub const BUILD_ATTEMPT: &str = "kastellan.io/build-attempt";
/// On the same: `true` when the build was asked for with [`FORCE_REBUILD`], until its image is in use.
pub const BUILD_FORCED: &str = "kastellan.io/build-forced";
/// On the ConfigMap with the Dockerfile: the UID of the last Build of OpenShift that is over and done with. Builds stay when they have ended.
pub const BUILD_SETTLED: &str = "kastellan.io/build-settled";
/// On pod sets and claims: `true` when the Kafka resource says what is in their pool, and no KafkaNodePool.
pub const IMPLIED_POOL: &str = "kastellan.io/implied-pool";
/// In caches alone: what the API server dropped of a resource because it does not know it, as [`crate::last_applied`] found out.
pub const UNKNOWN_FIELDS: &str = "kastellan.io/unknown-fields";
/// What `kubectl apply` was given.
pub const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Generation of the custom resource an object was made from.
pub const GENERATION: &str = "strimzi.io/generation";

/// On a node's ConfigMap: names of options that left the resource and that Kafka still has a trace of.
pub const OPTIONS_TAKEN_OUT: &str = "kastellan.io/options-taken-out";

/// On a Kafka: no topic has remote storage any more, and the nodes may go without `spec.kafka.tieredStorage`.
pub const REMOVE_TIERED_STORAGE: &str = "kastellan.io/remove-tiered-storage";

/// On a KafkaMirrorMaker for which MirrorMaker 1 still runs: MirrorMaker 2 may take its place.
pub const RUN_AS_MIRROR_MAKER_2: &str = "kastellan.io/run-as-mirror-maker-2";

/// On pod sets: which run-time options the operator gave single brokers in Kafka, by node id. Kafka keeps them when a node leaves.
pub const OPTIONS_OF_BROKERS: &str = "kastellan.io/options-of-brokers";

/// On a StrimziPodSet: the operator set Kafka's default quotas of users, and has not seen them gone since.
pub const DEFAULT_USER_QUOTAS: &str = "kastellan.io/default-user-quotas";

/// On a Kafka: path of the program that the container of the Kafka Exporter runs, in the image that `spec.kafkaExporter.image`
/// names: for an image that is not ours.
pub const KAFKA_EXPORTER_PROGRAM: &str = "kastellan.io/kafka-exporter-program";

/// On a KafkaBridge: `java` runs the bridge in Java that `spec.image` holds, in place of `kafka-bridge`.
pub const BRIDGE_RUNTIME: &str = "kastellan.io/bridge-runtime";

/// On a Kafka: the levels that features of Kafka are to have besides `metadata.version`, such as `transaction.version=2, share.version=1`, or
/// `latest`.
pub const FEATURE_LEVELS: &str = "kastellan.io/feature-levels";

/// On a KafkaNodePool, or on a Kafka for all its pools: `true` moves the partitions of nodes that are to leave to other brokers first.
pub const DRAIN_NODES: &str = "kastellan.io/drain-nodes";
/// On a Kafka: bytes per second and broker while partitions are moved off nodes, or replicas off volumes; 0: as many as it can.
pub const DRAIN_RATE: &str = "kastellan.io/drain-rate";
/// On pod sets: which nodes of the pool the operator moves partitions off, and with which rates, as JSON. It stays until Kafka has no
/// trace of that any more.
pub const DRAINED_NODES: &str = "kastellan.io/drained-nodes";

/// On a KafkaNodePool, or on a Kafka for all its pools: `true` moves the replicas off volumes that are to leave, to other volumes of their
/// nodes.
pub const DRAIN_VOLUMES: &str = "kastellan.io/drain-volumes";
/// On a KafkaNodePool, or on a Kafka for all its pools: ids of volumes that leave although no broker can read them,
/// such as `[1]`. A disk that its broker reads stays while it holds replicas.
pub const DISCARD_VOLUMES: &str = "kastellan.io/discard-volumes";
/// On pod sets: volumes that leave the pool, with which rates the operator moves replicas off them, and which nodes left meanwhile, as JSON. It
/// stays until Kafka has no trace of that any more.
pub const REMOVED_VOLUMES: &str = "kastellan.io/removed-volumes";

/// On a Kafka: pods that would restart because of a new version of the operator alone wait, with `approval` for [`APPROVE_PLAN`], with
/// `window` for that or a maintenance window, with `turn` for that or their turn among other clusters, with `false` for nothing.
pub const HOLD_OPERATOR_ROLLS: &str = "kastellan.io/hold-operator-rolls";
/// On a Kafka: the plan that may go, as the status names it.
pub const APPROVE_PLAN: &str = "kastellan.io/approve-plan";
/// On pod sets: labels, annotations and spec of their KafkaNodePool as JSON, for the time when it is deleted while it has nodes.
pub const NODE_POOL: &str = "kastellan.io/node-pool";
/// On pod sets of a Kafka with [`HOLD_OPERATOR_ROLLS`]: for which operator and which resources the pods were last let go, as JSON.
pub const LET_GO_FOR: &str = "kastellan.io/let-go-for";

/// Finalizer on KafkaNodePools with [`DRAIN_NODES`]: such a pool goes when its nodes have left.
pub const FINALIZER_DRAIN_NODES: &str = "kastellan.io/drain-nodes";
/// Finalizer of the topic operator on KafkaTopics.
pub const FINALIZER_TOPIC_OPERATOR: &str = "strimzi.io/topic-operator";
/// Finalizer on KafkaRebalances made for added and removed brokers.
pub const FINALIZER_AUTO_REBALANCING: &str = "strimzi.io/auto-rebalancing";

/// True if the annotation is present and says `true`, in any case.
pub fn is_true(annotations: Option<&std::collections::BTreeMap<String, String>>, key: &str) -> bool {
    annotations.and_then(|all| all.get(key)).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}
