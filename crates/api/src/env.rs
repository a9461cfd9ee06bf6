//! Environment variables of the operators, with their defaults. Those without a default are required or off.

/// Namespaces to watch: a comma-separated list, or `*` for all. Topic and user operator take exactly one.
pub const NAMESPACE: &str = "STRIMZI_NAMESPACE";
/// Default of [`NAMESPACE`] for the cluster operator.
pub const NAMESPACE_DEFAULT: &str = "*";
/// Milliseconds between two full passes over everything.
pub const FULL_RECONCILIATION_INTERVAL_MS: &str = "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS";
/// Default of [`FULL_RECONCILIATION_INTERVAL_MS`]: two minutes.
pub const FULL_RECONCILIATION_INTERVAL_MS_DEFAULT: u64 = 120_000;
/// Milliseconds an operation may take.
pub const OPERATION_TIMEOUT_MS: &str = "STRIMZI_OPERATION_TIMEOUT_MS";
/// Default of [`OPERATION_TIMEOUT_MS`]: five minutes.
pub const OPERATION_TIMEOUT_MS_DEFAULT: u64 = 300_000;
/// Milliseconds an image build of Kafka Connect may take.
pub const CONNECT_BUILD_TIMEOUT_MS: &str = "STRIMZI_CONNECT_BUILD_TIMEOUT_MS";
/// Default of [`CONNECT_BUILD_TIMEOUT_MS`]: five minutes.
pub const CONNECT_BUILD_TIMEOUT_MS_DEFAULT: u64 = 300_000;
/// Feature gates: `+Name,-Name`.
pub const FEATURE_GATES: &str = "STRIMZI_FEATURE_GATES";
/// Level of the log: `TRACE`, `DEBUG`, `INFO`, `WARN` or `ERROR`.
pub const LOG_LEVEL: &str = "STRIMZI_LOG_LEVEL";
/// Default of [`LOG_LEVEL`].
pub const LOG_LEVEL_DEFAULT: &str = "INFO";
/// DNS domain of the Kubernetes cluster.
pub const KUBERNETES_SERVICE_DNS_DOMAIN: &str = "KUBERNETES_SERVICE_DNS_DOMAIN";
/// Default of [`KUBERNETES_SERVICE_DNS_DOMAIN`].
pub const KUBERNETES_SERVICE_DNS_DOMAIN_DEFAULT: &str = "cluster.local";
/// Whether Secrets carry PKCS #12 stores beside PEM.
pub const PKCS12_KEYSTORE_GENERATION: &str = "STRIMZI_PKCS12_KEYSTORE_GENERATION";
/// Default of [`PKCS12_KEYSTORE_GENERATION`].
pub const PKCS12_KEYSTORE_GENERATION_DEFAULT: bool = true;

/// Images of the Kafka nodes: whitespace-separated `version=image`.
pub const KAFKA_IMAGES: &str = "STRIMZI_KAFKA_IMAGES";
/// Images of Kafka Connect: whitespace-separated `version=image`.
pub const KAFKA_CONNECT_IMAGES: &str = "STRIMZI_KAFKA_CONNECT_IMAGES";
/// Images of MirrorMaker 2: whitespace-separated `version=image`.
pub const KAFKA_MIRROR_MAKER_2_IMAGES: &str = "STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES";
/// Image of the Kafka Exporter.
pub const DEFAULT_KAFKA_EXPORTER_IMAGE: &str = "STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE";
/// Image of Cruise Control.
pub const DEFAULT_CRUISE_CONTROL_IMAGE: &str = "STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE";
/// Image of the topic operator.
pub const DEFAULT_TOPIC_OPERATOR_IMAGE: &str = "STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE";
/// Image of the user operator.
pub const DEFAULT_USER_OPERATOR_IMAGE: &str = "STRIMZI_DEFAULT_USER_OPERATOR_IMAGE";
/// Image of the init container, which brings the agent into Kafka pods.
pub const DEFAULT_KAFKA_INIT_IMAGE: &str = "STRIMZI_DEFAULT_KAFKA_INIT_IMAGE";
/// Image of Buildah, which builds images for Kafka Connect. Without it none are built.
pub const DEFAULT_BUILDAH_IMAGE: &str = "STRIMZI_DEFAULT_BUILDAH_IMAGE";
/// Image of the HTTP bridge.
pub const DEFAULT_KAFKA_BRIDGE_IMAGE: &str = "STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE";
/// Pull policy of all operand containers: `Always`, `IfNotPresent` or `Never`.
pub const IMAGE_PULL_POLICY: &str = "STRIMZI_IMAGE_PULL_POLICY";
/// Names of pull Secrets for operand pods, comma-separated.
pub const IMAGE_PULL_SECRETS: &str = "STRIMZI_IMAGE_PULL_SECRETS";

/// Whether NetworkPolicies are made.
pub const NETWORK_POLICY_GENERATION: &str = "STRIMZI_NETWORK_POLICY_GENERATION";
/// Default of [`NETWORK_POLICY_GENERATION`].
pub const NETWORK_POLICY_GENERATION_DEFAULT: bool = true;
/// Whether PodDisruptionBudgets are made.
pub const POD_DISRUPTION_BUDGET_GENERATION: &str = "STRIMZI_POD_DISRUPTION_BUDGET_GENERATION";
/// Default of [`POD_DISRUPTION_BUDGET_GENERATION`].
pub const POD_DISRUPTION_BUDGET_GENERATION_DEFAULT: bool = true;
/// Whether topic and user operator may watch another namespace than the Kafka's.
pub const ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED: &str =
    "STRIMZI_ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED";
/// Default of [`ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED`].
pub const ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED_DEFAULT: bool = false;
/// Namespace the cluster operator runs in; used in NetworkPolicies.
pub const OPERATOR_NAMESPACE: &str = "STRIMZI_OPERATOR_NAMESPACE";
/// Labels of that namespace, for NetworkPolicies in others.
pub const OPERATOR_NAMESPACE_LABELS: &str = "STRIMZI_OPERATOR_NAMESPACE_LABELS";
/// Label selector of the custom resources to handle, for sharding.
pub const CUSTOM_RESOURCE_SELECTOR: &str = "STRIMZI_CUSTOM_RESOURCE_SELECTOR";
/// Whether only the StrimziPodSet controller runs.
pub const POD_SET_RECONCILIATION_ONLY: &str = "STRIMZI_POD_SET_RECONCILIATION_ONLY";
/// Default of [`POD_SET_RECONCILIATION_ONLY`].
pub const POD_SET_RECONCILIATION_ONLY_DEFAULT: bool = false;
/// Name of this operator in events.
pub const OPERATOR_NAME: &str = "STRIMZI_OPERATOR_NAME";
/// Default of [`OPERATOR_NAME`].
pub const OPERATOR_NAME_DEFAULT: &str = "cluster-operator-name-unset";
/// Security of operand pods: `baseline` or `restricted`.
pub const POD_SECURITY_PROVIDER_CLASS: &str = "STRIMZI_POD_SECURITY_PROVIDER_CLASS";
/// Default of [`POD_SECURITY_PROVIDER_CLASS`].
pub const POD_SECURITY_PROVIDER_CLASS_DEFAULT: &str = "baseline";
/// Labels of custom resources that are not handed on; the default is
/// [`crate::labels::DEFAULT_EXCLUSION_PATTERN`].
pub const LABELS_EXCLUSION_PATTERN: &str = "STRIMZI_LABELS_EXCLUSION_PATTERN";
/// Overrides the detected Kubernetes version, as `major=…` and `minor=…`.
pub const KUBERNETES_VERSION: &str = "STRIMZI_KUBERNETES_VERSION";
/// Extra labels of Kafka pods.
pub const CUSTOM_KAFKA_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_LABELS";
/// Extra labels of Kafka Connect pods.
pub const CUSTOM_KAFKA_CONNECT_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_CONNECT_LABELS";
/// Extra labels of image build pods.
pub const CUSTOM_KAFKA_CONNECT_BUILD_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_CONNECT_BUILD_LABELS";
/// Extra labels of MirrorMaker 2 pods.
pub const CUSTOM_KAFKA_MIRROR_MAKER2_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_MIRROR_MAKER2_LABELS";
/// Extra labels of bridge pods.
pub const CUSTOM_KAFKA_BRIDGE_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_BRIDGE_LABELS";
/// Extra labels of the bridge's Service.
pub const CUSTOM_KAFKA_BRIDGE_SERVICE_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_BRIDGE_SERVICE_LABELS";
/// Extra annotations of the bridge's Service.
pub const CUSTOM_KAFKA_BRIDGE_SERVICE_ANNOTATIONS: &str = "STRIMZI_CUSTOM_KAFKA_BRIDGE_SERVICE_ANNOTATIONS";
/// Extra labels of entity operator pods.
pub const CUSTOM_ENTITY_OPERATOR_LABELS: &str = "STRIMZI_CUSTOM_ENTITY_OPERATOR_LABELS";
/// Extra labels of Cruise Control pods.
pub const CUSTOM_CRUISE_CONTROL_LABELS: &str = "STRIMZI_CUSTOM_CRUISE_CONTROL_LABELS";
/// Extra labels of Kafka Exporter pods.
pub const CUSTOM_KAFKA_EXPORTER_LABELS: &str = "STRIMZI_CUSTOM_KAFKA_EXPORTER_LABELS";
/// Proxy variables that are copied into every operand container.
pub const SHARED: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];

/// Variables that decide which programs run in a container and with whom they talk; no template may set them.
pub const RESERVED: [&str; 5] = ["GCONV_PATH", "GLIBC_TUNABLES", "JAVA_HOME", "KUBECONFIG", "RUST_LOG"];
/// Beginning of the variables by which Kubernetes tells a container where its API server is; no template may set them.
pub const RESERVED_PREFIX: &str = "KUBERNETES_SERVICE_";

/// Whether a template may not set the variable in any container.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX)
}

/// Whether one of several replicas is elected to work.
pub const LEADER_ELECTION_ENABLED: &str = "STRIMZI_LEADER_ELECTION_ENABLED";
/// Default of [`LEADER_ELECTION_ENABLED`]; the chart sets it to true.
pub const LEADER_ELECTION_ENABLED_DEFAULT: bool = false;
/// Name of the Lease.
pub const LEADER_ELECTION_LEASE_NAME: &str = "STRIMZI_LEADER_ELECTION_LEASE_NAME";
/// The Lease's name in an installation by the chart.
pub const LEADER_ELECTION_LEASE_NAME_USUAL: &str = "strimzi-cluster-operator";
/// Namespace of the Lease.
pub const LEADER_ELECTION_LEASE_NAMESPACE: &str = "STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE";
/// Identity of this replica, usually the pod's name.
pub const LEADER_ELECTION_IDENTITY: &str = "STRIMZI_LEADER_ELECTION_IDENTITY";
/// Milliseconds a Lease is valid.
pub const LEADER_ELECTION_LEASE_DURATION_MS: &str = "STRIMZI_LEADER_ELECTION_LEASE_DURATION_MS";
/// Default of [`LEADER_ELECTION_LEASE_DURATION_MS`].
pub const LEADER_ELECTION_LEASE_DURATION_MS_DEFAULT: u64 = 15_000;
/// Milliseconds within which the leader must renew or step down.
pub const LEADER_ELECTION_RENEW_DEADLINE_MS: &str = "STRIMZI_LEADER_ELECTION_RENEW_DEADLINE_MS";
/// Default of [`LEADER_ELECTION_RENEW_DEADLINE_MS`].
pub const LEADER_ELECTION_RENEW_DEADLINE_MS_DEFAULT: u64 = 10_000;
/// Milliseconds between two attempts to get or renew the Lease.
pub const LEADER_ELECTION_RETRY_PERIOD_MS: &str = "STRIMZI_LEADER_ELECTION_RETRY_PERIOD_MS";
/// Default of [`LEADER_ELECTION_RETRY_PERIOD_MS`].
pub const LEADER_ELECTION_RETRY_PERIOD_MS_DEFAULT: u64 = 2_000;

/// Bootstrap address of Kafka, for topic and user operator.
pub const KAFKA_BOOTSTRAP_SERVERS: &str = "STRIMZI_KAFKA_BOOTSTRAP_SERVERS";
/// Default of [`KAFKA_BOOTSTRAP_SERVERS`] in the user operator; the topic operator requires it.
pub const KAFKA_BOOTSTRAP_SERVERS_DEFAULT: &str = "localhost:9091";

/// What the topic operator alone reads.
pub mod topic_operator {
    /// Namespace of the TLS Secrets.
    pub const CLUSTER_NAMESPACE: &str = "STRIMZI_CLUSTER_NAMESPACE";
    /// Label selector of the KafkaTopics to handle: `key=value,…`.
    pub const RESOURCE_LABELS: &str = "STRIMZI_RESOURCE_LABELS";
    /// Client id towards Kafka; the default is [`CLIENT_ID_PREFIX`] and a random UUID.
    pub const CLIENT_ID: &str = "STRIMZI_CLIENT_ID";
    /// Start of the default client id.
    pub const CLIENT_ID_PREFIX: &str = "strimzi-topic-operator-";
    /// Kafka's security protocol, for example `SSL`; empty means plain text.
    pub const SECURITY_PROTOCOL: &str = "STRIMZI_SECURITY_PROTOCOL";
    /// Secret with the certificates to trust.
    pub const TLS_TRUSTED_CERTS_SECRET_NAME: &str = "STRIMZI_TLS_TRUSTED_CERTS_SECRET_NAME";
    /// Secret with the operator's own certificate and key.
    pub const TLS_SECRET_NAME: &str = "STRIMZI_TLS_SECRET_NAME";
    /// Key of the private key in that Secret.
    pub const TLS_KEY_NAME: &str = "STRIMZI_TLS_KEY_NAME";
    /// Key of the certificate in that Secret.
    pub const TLS_CERT_NAME: &str = "STRIMZI_TLS_CERT_NAME";
    /// `HTTPS`, or nothing, verifies host names; `none` does not.
    pub const SSL_ENDPOINT_IDENTIFICATION_ALGORITHM: &str = "STRIMZI_SSL_ENDPOINT_IDENTIFICATION_ALGORITHM";
    /// Whether the operator authenticates by SASL.
    pub const SASL_ENABLED: &str = "STRIMZI_SASL_ENABLED";
    /// `plain`, `scram-sha-256` or `scram-sha-512`.
    pub const SASL_MECHANISM: &str = "STRIMZI_SASL_MECHANISM";
    /// SASL user name.
    pub const SASL_USERNAME: &str = "STRIMZI_SASL_USERNAME";
    /// SASL password.
    pub const SASL_PASSWORD: &str = "STRIMZI_SASL_PASSWORD";
    /// More SASL options as JSON; only keys that start with `sasl.`.
    pub const SASL_CUSTOM_CONFIG_JSON: &str = "STRIMZI_SASL_CUSTOM_CONFIG_JSON";
    /// Whether KafkaTopics get a finalizer.
    pub const USE_FINALIZERS: &str = "STRIMZI_USE_FINALIZERS";
    /// Default of [`USE_FINALIZERS`].
    pub const USE_FINALIZERS_DEFAULT: bool = true;
    /// Accepted for compatibility: the queue has no bound that stops the process.
    pub const MAX_QUEUE_SIZE: &str = "STRIMZI_MAX_QUEUE_SIZE";
    /// Default of [`MAX_QUEUE_SIZE`].
    pub const MAX_QUEUE_SIZE_DEFAULT: i64 = 1024;
    /// Batches in flight.
    pub const TOPIC_OPERATIONS_THREAD_POOL_SIZE: &str = "STRIMZI_TOPIC_OPERATIONS_THREAD_POOL_SIZE";
    /// Default of [`TOPIC_OPERATIONS_THREAD_POOL_SIZE`].
    pub const TOPIC_OPERATIONS_THREAD_POOL_SIZE_DEFAULT: i64 = 4;
    /// Topics handled together at most.
    pub const MAX_BATCH_SIZE: &str = "STRIMZI_MAX_BATCH_SIZE";
    /// Default of [`MAX_BATCH_SIZE`].
    pub const MAX_BATCH_SIZE_DEFAULT: i64 = 100;
    /// Accepted for compatibility: a batch takes what is there.
    pub const MAX_BATCH_LINGER_MS: &str = "STRIMZI_MAX_BATCH_LINGER_MS";
    /// Default of [`MAX_BATCH_LINGER_MS`].
    pub const MAX_BATCH_LINGER_MS_DEFAULT: u64 = 100;
    /// Whether each remote call is measured.
    pub const ENABLE_ADDITIONAL_METRICS: &str = "STRIMZI_ENABLE_ADDITIONAL_METRICS";
    /// Default of [`ENABLE_ADDITIONAL_METRICS`].
    pub const ENABLE_ADDITIONAL_METRICS_DEFAULT: bool = false;
    /// Topic options that may be changed: `ALL`, `NONE` or a comma-separated list.
    pub const ALTERABLE_TOPIC_CONFIG: &str = "STRIMZI_ALTERABLE_TOPIC_CONFIG";
    /// Default of [`ALTERABLE_TOPIC_CONFIG`].
    pub const ALTERABLE_TOPIC_CONFIG_DEFAULT: &str = "ALL";
    /// Whether the look at the brokers' configuration at start is left out.
    pub const SKIP_CLUSTER_CONFIG_REVIEW: &str = "STRIMZI_SKIP_CLUSTER_CONFIG_REVIEW";
    /// Default of [`SKIP_CLUSTER_CONFIG_REVIEW`].
    pub const SKIP_CLUSTER_CONFIG_REVIEW_DEFAULT: bool = false;
    /// Whether throttles of topics are Cruise Control's; replication factors are changed without it.
    pub const CRUISE_CONTROL_ENABLED: &str = "STRIMZI_CRUISE_CONTROL_ENABLED";
    /// Whether the cluster knows racks.
    pub const CRUISE_CONTROL_RACK_ENABLED: &str = "STRIMZI_CRUISE_CONTROL_RACK_ENABLED";
    /// Host of Cruise Control.
    pub const CRUISE_CONTROL_HOSTNAME: &str = "STRIMZI_CRUISE_CONTROL_HOSTNAME";
    /// Port of Cruise Control.
    pub const CRUISE_CONTROL_PORT: &str = "STRIMZI_CRUISE_CONTROL_PORT";
    /// Whether Cruise Control speaks TLS.
    pub const CRUISE_CONTROL_SSL_ENABLED: &str = "STRIMZI_CRUISE_CONTROL_SSL_ENABLED";
    /// Whether Cruise Control asks for a user.
    pub const CRUISE_CONTROL_AUTH_ENABLED: &str = "STRIMZI_CRUISE_CONTROL_AUTH_ENABLED";
    /// File with the certificate that Cruise Control is trusted by.
    pub const CRUISE_CONTROL_CRT_FILE_PATH: &str = "STRIMZI_CRUISE_CONTROL_CRT_FILE_PATH";
    /// File with the user name for Cruise Control.
    pub const CRUISE_CONTROL_API_USER_PATH: &str = "STRIMZI_CRUISE_CONTROL_API_USER_PATH";
    /// File with the password for Cruise Control.
    pub const CRUISE_CONTROL_API_PASS_PATH: &str = "STRIMZI_CRUISE_CONTROL_API_PASS_PATH";
}

/// What the user operator alone reads.
pub mod user_operator {
    /// Label selector of the KafkaUsers to handle: `key=value,…`.
    pub const LABELS: &str = "STRIMZI_LABELS";
    /// Secret with the certificate of the clients CA.
    pub const CA_CERT_NAME: &str = "STRIMZI_CA_CERT_NAME";
    /// Secret with the key of the clients CA.
    pub const CA_KEY_NAME: &str = "STRIMZI_CA_KEY_NAME";
    /// Who signs the certificates of users: `strimzi.io`, the default, or `cert-manager.io`.
    pub const CA_TYPE: &str = "STRIMZI_CA_TYPE";
    /// The clients CA that every pod of Kafka trusts, by its identifier (`pki::CertificateInfo::authority_id`: a renewed certificate of the same
    /// key has the same one), or [`TRUSTED_CLIENTS_CA_NONE`]; only where the user supplies the authority. It counts in place of the
    /// annotation `kastellan.io/trusted-by-all-pods`.
    pub const TRUSTED_CLIENTS_CA: &str = "KASTELLAN_TRUSTED_CLIENTS_CA";
    /// [`TRUSTED_CLIENTS_CA`] where there is no clients CA that every pod trusts.
    pub const TRUSTED_CLIENTS_CA_NONE: &str = "none";
    /// Name of the issuer of cert-manager.
    pub const CM_ISSUER_NAME: &str = "STRIMZI_CM_ISSUER_NAME";
    /// Kind of the issuer; the default is `Issuer`.
    pub const CM_ISSUER_KIND: &str = "STRIMZI_CM_ISSUER_KIND";
    /// API group of the issuer; the default is `cert-manager.io`.
    pub const CM_ISSUER_GROUP: &str = "STRIMZI_CM_ISSUER_GROUP";
    /// Namespace of the CA Secrets; the default is the operator's own.
    pub const CA_NAMESPACE: &str = "STRIMZI_CA_NAMESPACE";
    /// Days a user certificate is valid.
    pub const CA_VALIDITY: &str = "STRIMZI_CA_VALIDITY";
    /// Default of [`CA_VALIDITY`].
    pub const CA_VALIDITY_DEFAULT: i64 = 365;
    /// Days before its end that a user certificate is renewed.
    pub const CA_RENEWAL: &str = "STRIMZI_CA_RENEWAL";
    /// Default of [`CA_RENEWAL`].
    pub const CA_RENEWAL_DEFAULT: i64 = 30;
    /// Secret with the certificate of the cluster CA.
    pub const CLUSTER_CA_CERT_SECRET_NAME: &str = "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME";
    /// Secret with the operator's own certificate and key.
    pub const EO_KEY_SECRET_NAME: &str = "STRIMZI_EO_KEY_SECRET_NAME";
    /// Key of the private key in that Secret.
    pub const EO_KEY_NAME: &str = "STRIMZI_EO_KEY_NAME";
    /// Default of [`EO_KEY_NAME`].
    pub const EO_KEY_NAME_DEFAULT: &str = "entity-operator.key";
    /// Key of the certificate in that Secret.
    pub const EO_CERT_NAME: &str = "STRIMZI_EO_CERT_NAME";
    /// Default of [`EO_CERT_NAME`].
    pub const EO_CERT_NAME_DEFAULT: &str = "entity-operator.crt";
    /// Prefix of the users' Secrets.
    pub const SECRET_PREFIX: &str = "STRIMZI_SECRET_PREFIX";
    /// Characters of a generated password.
    pub const SCRAM_SHA_PASSWORD_LENGTH: &str = "STRIMZI_SCRAM_SHA_PASSWORD_LENGTH";
    /// Default of [`SCRAM_SHA_PASSWORD_LENGTH`].
    pub const SCRAM_SHA_PASSWORD_LENGTH_DEFAULT: usize = 32;
    /// Whether Kafka's authorizer takes ACLs over the admin API.
    pub const ACLS_ADMIN_API_SUPPORTED: &str = "STRIMZI_ACLS_ADMIN_API_SUPPORTED";
    /// Default of [`ACLS_ADMIN_API_SUPPORTED`].
    pub const ACLS_ADMIN_API_SUPPORTED_DEFAULT: bool = true;
    /// Milliseconds between two reads of all ACLs, quotas and credentials.
    pub const CACHE_REFRESH_INTERVAL_MS: &str = "STRIMZI_CACHE_REFRESH_INTERVAL_MS";
    /// Default of [`CACHE_REFRESH_INTERVAL_MS`].
    pub const CACHE_REFRESH_INTERVAL_MS_DEFAULT: u64 = 15_000;
    /// Accepted for compatibility: the queue has no bound.
    pub const WORK_QUEUE_SIZE: &str = "STRIMZI_WORK_QUEUE_SIZE";
    /// Default of [`WORK_QUEUE_SIZE`].
    pub const WORK_QUEUE_SIZE_DEFAULT: i64 = 1024;
    /// Batches in flight.
    pub const USER_OPERATIONS_THREAD_POOL_SIZE: &str = "STRIMZI_USER_OPERATIONS_THREAD_POOL_SIZE";
    /// Default of [`USER_OPERATIONS_THREAD_POOL_SIZE`].
    pub const USER_OPERATIONS_THREAD_POOL_SIZE_DEFAULT: i64 = 4;
    /// Accepted for compatibility: users are handled in batches.
    pub const CONTROLLER_THREAD_POOL_SIZE: &str = "STRIMZI_CONTROLLER_THREAD_POOL_SIZE";
    /// Default of [`CONTROLLER_THREAD_POOL_SIZE`].
    pub const CONTROLLER_THREAD_POOL_SIZE_DEFAULT: i64 = 50;
    /// Users handled together at most.
    pub const BATCH_MAXIMUM_BLOCK_SIZE: &str = "STRIMZI_BATCH_MAXIMUM_BLOCK_SIZE";
    /// Default of [`BATCH_MAXIMUM_BLOCK_SIZE`].
    pub const BATCH_MAXIMUM_BLOCK_SIZE_DEFAULT: i64 = 100;
    /// Accepted for compatibility: how long a batch waits is the operator's own.
    pub const BATCH_MAXIMUM_BLOCK_TIME_MS: &str = "STRIMZI_BATCH_MAXIMUM_BLOCK_TIME_MS";
    /// Default of [`BATCH_MAXIMUM_BLOCK_TIME_MS`].
    pub const BATCH_MAXIMUM_BLOCK_TIME_MS_DEFAULT: i64 = 100;
    /// More options of the admin client, as properties.
    pub const KAFKA_ADMIN_CLIENT_CONFIGURATION: &str = "STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION";
    /// Windows for renewals: cron expressions separated by `;`.
    pub const MAINTENANCE_TIME_WINDOWS: &str = "STRIMZI_MAINTENANCE_TIME_WINDOWS";
    /// Regular expression of users whose ACLs, quotas and credentials are left alone.
    pub const IGNORED_USERS_PATTERN: &str = "STRIMZI_IGNORED_USERS_PATTERN";
}

/// Variables of Kafka's pods that the agent and the user's own scripts read.
pub mod node {
    /// Name of the cluster.
    pub const KAFKA_CLUSTER_NAME: &str = "KAFKA_CLUSTER_NAME";
    /// Name of the Kubernetes node that the pod runs on.
    pub const NODE_NAME: &str = "NODE_NAME";
}

/// Variables that are not Strimzi's, each with its default where it is read.
pub mod own {
    /// Image with the operators and the agent.
    pub const OPERATOR_IMAGE: &str = "KASTELLAN_OPERATOR_IMAGE";
    /// Image of every version of Kafka that has none of its own.
    pub const KAFKA_IMAGE: &str = "KASTELLAN_KAFKA_IMAGE";
    /// Whether pods of image builds run in a user namespace of their own (`hostUsers: false`), default false.
    pub const BUILD_USER_NAMESPACES: &str = "KASTELLAN_BUILD_USER_NAMESPACES";
    /// GiB that each folder of an image build may take: that of the plug-ins, that of the images, and that of files under way.
    pub const BUILD_FOLDER_GIB: &str = "KASTELLAN_BUILD_FOLDER_GIB";
    /// Default of [`BUILD_FOLDER_GIB`].
    pub const BUILD_FOLDER_GIB_DEFAULT: u32 = 30;
    /// Image of Envoy, for listeners with a single address.
    pub const ENVOY_IMAGE: &str = "KASTELLAN_ENVOY_IMAGE";
    /// Default of [`ENVOY_IMAGE`].
    pub const ENVOY_IMAGE_DEFAULT: &str = "envoyproxy/envoy:distroless-v1.40.0";
    /// Whether the cluster operator makes ClusterRoleBindings.
    pub const CLUSTER_ROLE_BINDINGS: &str = "KASTELLAN_CLUSTER_ROLE_BINDINGS";
    /// Whether Kafka resources may have object overrides, default false.
    pub const OBJECT_OVERRIDES: &str = "KASTELLAN_OBJECT_OVERRIDES";
    /// Whether the cluster operator asks the sources of KafkaMirrorMaker2 resources how far their mirrors are, default false.
    pub const MIRROR_LAG: &str = "KASTELLAN_MIRROR_LAG";
    /// Whether the cluster operator is asked before pods are evicted, default false.
    pub const EVICTION_WEBHOOK: &str = "KASTELLAN_EVICTION_WEBHOOK";
    /// Port on which it is asked; the default is [`crate::ports::CLUSTER_OPERATOR_EVICTIONS`].
    pub const EVICTION_WEBHOOK_PORT: &str = "KASTELLAN_EVICTION_WEBHOOK_PORT";
    /// Secret with the certificate with which it is asked; without it the operator makes its own, and tells the API server of it.
    pub const EVICTION_WEBHOOK_SECRET: &str = "KASTELLAN_EVICTION_WEBHOOK_SECRET";
    /// What clusters wait for before a new version of the operator restarts their pods, where
    /// [`crate::annotations::HOLD_OPERATOR_ROLLS`] does not say it.
    pub const OPERATOR_ROLLS: &str = "KASTELLAN_OPERATOR_ROLLS";
    /// Kafka resources that go first where clusters wait for their turn: `namespace/name,…`.
    pub const OPERATOR_ROLLS_CANARIES: &str = "KASTELLAN_OPERATOR_ROLLS_CANARIES";
    /// Clusters that go at a time where they wait for their turn, default 1.
    pub const OPERATOR_ROLLS_AT_ONCE: &str = "KASTELLAN_OPERATOR_ROLLS_AT_ONCE";
    /// Nodes that a cluster may grow to.
    pub const MAX_NODES: &str = "KASTELLAN_MAX_NODES";
    /// Default of [`MAX_NODES`].
    pub const MAX_NODES_DEFAULT: usize = 300;
    /// Ids that one annotation `strimzi.io/next-node-ids` or `strimzi.io/remove-node-ids` may wish for.
    pub const MAX_WISHED_IDS: &str = "KASTELLAN_MAX_WISHED_IDS";
    /// Default of [`MAX_WISHED_IDS`].
    pub const MAX_WISHED_IDS_DEFAULT: usize = 10_000;
    /// Addresses of the REST APIs of Connect clusters, in place of those of their Services: `namespace/name=host:port,…`, or
    /// `*=host:port` for all.
    pub const CONNECT_ADDRESSES: &str = "KASTELLAN_CONNECT_ADDRESSES";
    /// Port of metrics and health.
    pub const HTTP_PORT: &str = "KASTELLAN_HTTP_PORT";
    /// `text` or `json`.
    pub const LOG_FORMAT: &str = "KASTELLAN_LOG_FORMAT";
    /// What one answer of a broker may take, in MiB.
    pub const MAX_ANSWER_MIB: &str = "KASTELLAN_MAX_ANSWER_MIB";
    /// What one object may take, in KiB.
    pub const MAX_OBJECT_KIB: &str = "KASTELLAN_MAX_OBJECT_KIB";
    /// What one Secret or ConfigMap of a cluster may take, in KiB.
    pub const MAX_SECRET_KIB: &str = "KASTELLAN_MAX_SECRET_KIB";
    /// What the objects of one cluster may take while a pass reads them, in MiB.
    pub const MAX_CLUSTER_MIB: &str = "KASTELLAN_MAX_CLUSTER_MIB";
    /// Secrets and ConfigMaps of the user's own that one resource may refer to.
    pub const MAX_REFERENCES: &str = "KASTELLAN_MAX_REFERENCES";
    /// What all watched objects may take, in MiB.
    pub const MAX_CACHE_MIB: &str = "KASTELLAN_MAX_CACHE_MIB";
    /// Bytes per second with which the topic operator lets replicas move.
    pub const REASSIGNMENT_THROTTLE: &str = "KASTELLAN_REASSIGNMENT_THROTTLE_BYTES_PER_SECOND";
    /// Other namespaces with topics of the cluster.
    pub const TOPIC_NAMESPACES: &str = "KASTELLAN_TOPIC_NAMESPACES";
    /// Algorithm of the keys of users.
    pub const USER_KEY_ALGORITHM: &str = "KASTELLAN_USER_KEY_ALGORITHM";
}

/// Variables of the Kafka Exporter.
pub mod kafka_exporter {
    /// Level of the log: `0` (info), `1` (debug) or `2` (trace).
    pub const LOGGING: &str = "KAFKA_EXPORTER_LOGGING";
    /// Accepted for compatibility: the protocol is agreed on with each broker.
    pub const KAFKA_VERSION: &str = "KAFKA_EXPORTER_KAFKA_VERSION";
    /// Regular expression of the groups to export.
    pub const GROUP_REGEX: &str = "KAFKA_EXPORTER_GROUP_REGEX";
    /// Regular expression of the topics to export.
    pub const TOPIC_REGEX: &str = "KAFKA_EXPORTER_TOPIC_REGEX";
    /// Default of [`GROUP_REGEX`] and [`TOPIC_REGEX`]: everything.
    pub const REGEX_DEFAULT: &str = ".*";
    /// Regular expression of groups to leave out.
    pub const GROUP_EXCLUDE_REGEX: &str = "KAFKA_EXPORTER_GROUP_EXCLUDE_REGEX";
    /// Regular expression of topics to leave out.
    pub const TOPIC_EXCLUDE_REGEX: &str = "KAFKA_EXPORTER_TOPIC_EXCLUDE_REGEX";
    /// Default of [`GROUP_EXCLUDE_REGEX`] and [`TOPIC_EXCLUDE_REGEX`]: nothing.
    pub const EXCLUDE_REGEX_DEFAULT: &str = "^$";
    /// Brokers: `host:port,…`.
    pub const KAFKA_SERVER: &str = "KAFKA_EXPORTER_KAFKA_SERVER";
    /// Whether the Kafka client logs too.
    pub const ENABLE_SARAMA: &str = "KAFKA_EXPORTER_ENABLE_SARAMA";
    /// Whether groups without members, and partitions that no member has, are exported too.
    pub const OFFSET_SHOW_ALL: &str = "KAFKA_EXPORTER_OFFSET_SHOW_ALL";
    /// Default of [`OFFSET_SHOW_ALL`].
    pub const OFFSET_SHOW_ALL_DEFAULT: bool = true;
    /// Folder whose `.crt` files are trusted, or one file; without it the connection is not encrypted. Our own.
    pub const TRUSTED_CERTIFICATES: &str = "KASTELLAN_EXPORTER_TRUSTED_CERTIFICATES";
    /// File with the exporter's certificate. Our own.
    pub const CERTIFICATE: &str = "KASTELLAN_EXPORTER_CERTIFICATE";
    /// File with the key of [`CERTIFICATE`]. Our own.
    pub const KEY: &str = "KASTELLAN_EXPORTER_KEY";
    /// Milliseconds between two collections. Our own.
    pub const INTERVAL_MS: &str = "KASTELLAN_EXPORTER_INTERVAL_MS";
    /// Default of [`INTERVAL_MS`].
    pub const INTERVAL_MS_DEFAULT: u64 = 10_000;
    /// Milliseconds that one collection may take. Our own.
    pub const DEADLINE_MS: &str = "KASTELLAN_EXPORTER_DEADLINE_MS";
    /// Default of [`DEADLINE_MS`].
    pub const DEADLINE_MS_DEFAULT: u64 = 15_000;
    /// Port of metrics and health. Our own; the default is [`crate::ports::METRICS`].
    pub const PORT: &str = "KASTELLAN_EXPORTER_PORT";
    /// Memory for what Kafka says, in MiB. Our own.
    pub const MAX_MIB: &str = "KASTELLAN_EXPORTER_MAX_MIB";
}

/// OpenTelemetry's own variables. Of a pair the first one is for traces alone, and wins.
pub mod open_telemetry {
    /// Whether nothing is exported.
    pub const DISABLED: &str = "OTEL_SDK_DISABLED";
    /// `otlp`, the default, or `none`.
    pub const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
    /// The collector: the whole address, or its base.
    pub const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
    /// How it is spoken to.
    pub const PROTOCOL: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
    /// Headers of requests to it: `name=value,…`.
    pub const HEADERS: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    /// PEM file with the authorities of its certificate.
    pub const CERTIFICATE: (&str, &str) =
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE");
    /// Milliseconds for one request to it.
    pub const TIMEOUT: (&str, &str) = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    /// Name of what is traced.
    pub const SERVICE: &str = "OTEL_SERVICE_NAME";
    /// More that is said of what is traced: `name=value,…`.
    pub const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
    /// What begins a trace.
    pub const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
    /// A part of all requests, from 0 to 1.
    pub const SAMPLER_ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
    /// Spans that wait at a time.
    pub const QUEUE: &str = "OTEL_BSP_MAX_QUEUE_SIZE";
    /// Spans of one request to the collector.
    pub const BATCH: &str = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE";
    /// Milliseconds between two requests to the collector.
    pub const DELAY: &str = "OTEL_BSP_SCHEDULE_DELAY";
}
