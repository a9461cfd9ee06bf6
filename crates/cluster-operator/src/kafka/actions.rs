//! What a plan consists of: everything one pass wants done, as a value that can be printed and compared.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

/// The outcome of planning one Kafka cluster.
///
/// Apply carries it out in this order: `materials` (when there are any the plan is not complete: they are made
/// in memory, put into [`Observed::made`](super::observed::Observed) and the cluster is planned again), then
/// `apply` in the given order, `delete`, `admin`, `restarts` (as the rolling policy allows), `status`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Plan {
    /// Keys, passwords and identifiers that must exist before the objects can be planned.
    pub materials: Vec<MaterialRequest>,
    /// Storage classes of which the plan has to know whether their volumes may grow. As with materials, the plan is not
    /// complete until it is told.
    pub storage_classes: BTreeSet<String>,
    /// Objects to write, in order. An object equal to the live one is still listed: apply compares.
    pub apply: Vec<DesiredObject>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
    /// Finalizers to take off.
    pub finalizers: Vec<FinalizerRemoval>,
    /// Calls to Kafka itself.
    pub admin: Vec<AdminCall>,
    /// Pods that should be restarted, when it is safe, and why.
    pub restarts: Vec<Restart>,
    /// Every Kafka node that should exist, in the order of node ids.
    pub nodes: Vec<PlannedNode>,
    /// What to write into the statuses.
    pub status: StatusPlan,
    /// Seconds after which to look again without an event (renewal of a certificate, a retry).
    pub requeue_seconds: Option<u64>,
    /// What the cluster still waits for, in words ("pod my-dual-0 is not ready").
    pub waiting_for: Vec<String>,
    /// Fingerprint of every option that can change without a restart. While it is the one that was last compared
    /// with Kafka, there is no need to ask the brokers for their configuration again.
    pub live_config_fingerprint: String,
}

/// An object to delete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Which object.
    pub object: ObjectRef,
    /// Uid of the one that was seen: what was made in its place meanwhile stays. `None` only for what holds no data.
    pub uid: Option<String>,
}

/// A node of the cluster, as rolling needs to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedNode {
    /// Kafka's node id.
    pub id: i32,
    /// Name of the pod, the ConfigMap and the Secret of the node.
    pub pod: String,
    /// Name of the node pool.
    pub pool: String,
    /// Name of the StrimziPodSet.
    pub pod_set: String,
    /// Whether the node is a KRaft controller.
    pub controller: bool,
    /// Whether the node is a broker.
    pub broker: bool,
    /// Host name inside the cluster, without a port.
    pub host: String,
}

/// One object to write with server-side apply. Printed, it never shows what a Secret contains.
#[derive(Clone, PartialEq, Serialize)]
pub struct DesiredObject {
    /// API version, kind, namespace and name.
    #[serde(flatten)]
    pub reference: ObjectRef,
    /// The whole object as it is sent, `apiVersion` and `kind` included; only fields that we own.
    #[serde(serialize_with = "without_secrets")]
    pub object: Value,
    /// What must hold for the write to be right; a violated one ends the pass, which is then repeated.
    pub precondition: Precondition,
}

impl std::fmt::Debug for DesiredObject {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match serde_json::to_string(self) {
            Ok(text) => formatter.write_str(&text),
            Err(_) => Err(std::fmt::Error),
        }
    }
}

/// Printed plans never show what a Secret contains.
fn without_secrets<S: serde::Serializer>(object: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    if object.get("kind").and_then(Value::as_str) != Some("Secret") {
        return object.serialize(serializer);
    }
    let mut shown = object.clone();
    if let Some(data) = shown.get_mut("data").and_then(Value::as_object_mut) {
        for value in data.values_mut() {
            *value = Value::String("***".to_owned());
        }
    }
    shown.serialize(serializer)
}

/// What must hold for a write to be right.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub enum Precondition {
    /// Nothing: the content follows from the custom resources alone.
    #[default]
    None,
    /// The object must not exist yet (create it, do not apply): it holds newly made key material.
    Absent,
    /// The object must still have this resource version (put it into the applied object).
    ResourceVersion(String),
}

/// Names an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectRef {
    /// For instance `apps/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: String,
    /// For instance `Deployment`.
    pub kind: String,
    /// `None` for cluster-wide objects.
    pub namespace: Option<String>,
    /// Name of the object.
    pub name: String,
}

/// An object that loses finalizers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FinalizerRemoval {
    /// Which object.
    pub object: ObjectRef,
    /// The version that it must still have: the list is written as a whole.
    pub resource_version: Option<String>,
    /// What stays.
    pub finalizers: Vec<String>,
}

/// Something random or signed that apply makes. The planner finds it again in `Observed::made` under
/// [`MaterialRequest::id`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum MaterialRequest {
    /// A new authority: `pki::Authority::new`-like. Yields [`Material::KeyPair`] with the self-signed certificate.
    Authority {
        /// Identifier, for instance `cluster-ca`.
        id: String,
        /// Common name, for instance `cluster-ca v0`.
        common_name: String,
        /// Organization, `io.strimzi`.
        organization: String,
        /// Days until it expires.
        validity_days: u32,
    },
    /// A new certificate for the key of an existing authority. Yields [`Material::KeyPair`] with that key.
    RenewedAuthority {
        /// Identifier, for instance `cluster-ca`.
        id: String,
        /// Common name.
        common_name: String,
        /// Organization.
        organization: String,
        /// Days until it expires.
        validity_days: u32,
        /// The key to keep.
        key: SecretPem,
    },
    /// A leaf certificate signed by an authority. Yields [`Material::KeyPair`]; the certificate is the leaf alone.
    Leaf {
        /// Identifier: the name of the Secret it is for.
        id: String,
        /// Common name of the subject.
        common_name: String,
        /// Organization of the subject.
        organization: String,
        /// DNS names.
        dns_names: Vec<String>,
        /// IP addresses.
        ip_addresses: Vec<std::net::IpAddr>,
        /// Days until it expires.
        validity_days: u32,
        /// PEM certificate of the signing authority.
        authority_certificate: String,
        /// PEM key of the signing authority.
        authority_key: SecretPem,
    },
    /// A PKCS #12 trust store with these certificates under a new random password. Yields [`Material::TrustStore`].
    TrustStore {
        /// Identifier: the name of the Secret it is for.
        id: String,
        /// Alias and PEM certificate of each entry.
        certificates: Vec<(String, String)>,
        /// The password to keep, when there is one already.
        password: Option<SecretPem>,
    },
    /// A random Kafka UUID (22 characters of URL-safe base 64, not starting with `-`). Yields [`Material::Text`].
    Uuid {
        /// Identifier, for instance `cluster-id` or `directory-id-0`.
        id: String,
    },
    /// A random password of letters and digits. Yields [`Material::Text`].
    Password {
        /// Identifier: Secret and key, for instance `my-kafka-jmx/jmx-password`.
        id: String,
        /// Number of characters.
        length: usize,
    },
}

impl MaterialRequest {
    /// Under which key of `Observed::made` the planner looks for the outcome.
    pub fn id(&self) -> &str {
        match self {
            Self::Authority { id, .. }
            | Self::RenewedAuthority { id, .. }
            | Self::Leaf { id, .. }
            | Self::TrustStore { id, .. }
            | Self::Uuid { id }
            | Self::Password { id, .. } => id,
        }
    }
}

/// Text that must never be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretPem(pub String);

impl std::fmt::Debug for SecretPem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl Serialize for SecretPem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// What apply made for a [`MaterialRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A certificate (PEM) and its PKCS #8 key (PEM).
    KeyPair {
        /// PEM certificate.
        certificate: String,
        /// PEM key.
        key: SecretPem,
    },
    /// A PKCS #12 trust store and its password.
    TrustStore {
        /// DER bytes of the store.
        store: Vec<u8>,
        /// Its password.
        password: SecretPem,
    },
    /// A UUID or a password.
    Text(SecretPem),
}

/// A call to Kafka. All are idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum AdminCall {
    /// `incrementalAlterConfigs` on one broker (`broker: Some`) or on the default of all (`broker: None`).
    /// A value of `None` deletes the dynamic value.
    AlterBrokerConfig {
        /// Node id; `None` is the cluster-wide default.
        broker: Option<i32>,
        /// Option and new value.
        changes: BTreeMap<String, Option<String>>,
    },
    /// `updateFeatures` for `metadata.version`.
    UpdateMetadataVersion {
        /// For instance `4.3-IV0`.
        version: String,
        /// The feature level of that version.
        level: i16,
        /// Whether this lowers the level (safe downgrade).
        downgrade: bool,
    },
    /// `unregisterBroker` for a broker that was removed.
    UnregisterBroker {
        /// Node id.
        broker: i32,
    },
    /// `removeRaftVoter` for a controller that was removed or lost its disk.
    RemoveVoter {
        /// Node id.
        controller: i32,
        /// Its directory id.
        directory_id: String,
    },
    /// `addRaftVoter` for a controller that joined as an observer.
    AddVoter {
        /// Node id.
        controller: i32,
        /// Its directory id.
        directory_id: String,
        /// Host of its controller listener.
        host: String,
        /// Port of its controller listener.
        port: u16,
        /// Name of its controller listener.
        listener: String,
    },
    /// Set or clear (`None`) a quota of the default user.
    AlterDefaultUserQuota {
        /// For instance `producer_byte_rate`.
        quotas: BTreeMap<String, Option<f64bits::F64>>,
    },
}

/// Doubles that can be compared, for plans.
pub mod f64bits {
    use serde::Serialize;

    /// A double that is compared by its bits.
    #[derive(Debug, Clone, Copy, Serialize)]
    #[serde(transparent)]
    pub struct F64(pub f64);

    impl PartialEq for F64 {
        fn eq(&self, other: &Self) -> bool {
            self.0.to_bits() == other.0.to_bits()
        }
    }

    impl Eq for F64 {}
}

/// A pod to restart and all reasons for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restart {
    /// Kafka's node id.
    pub node: i32,
    /// Name of the pod.
    pub pod: String,
    /// At least one.
    pub reasons: BTreeSet<RestartReason>,
    /// What changed, in words, for events and logs.
    pub notes: Vec<String>,
}

/// Why a pod is restarted; the names are the reasons of the Kubernetes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RestartReason {
    /// The pod carries an older generation of a CA certificate.
    CaCertHasOldGeneration,
    /// An old CA certificate is no longer trusted.
    CaCertRemoved,
    /// A CA certificate was renewed.
    CaCertRenewed,
    /// The key of the cluster CA was replaced.
    ClusterCaCertKeyReplaced,
    /// An option changed that Kafka reads only at start.
    ConfigChangeRequiresRestart,
    /// A volume's file system must be resized.
    FileSystemResizeNeeded,
    /// A user asked for it with an annotation.
    ManualRollingUpdate,
    /// Decided by the roller: the pod failed.
    PodForceRestartOnError,
    /// The pod was made from an older template.
    PodHasOldRevision,
    /// The pod has older resources.
    PodHasOldResourceRevision,
    /// Decided by the roller: the pod cannot start and there is a newer template.
    PodStuck,
    /// Decided by the roller: the pod does not answer.
    PodUnresponsive,
    /// The certificate of the node changed.
    KafkaCertificatesChanged,
}

impl RestartReason {
    /// The reason as written into events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CaCertHasOldGeneration => "CaCertHasOldGeneration",
            Self::CaCertRemoved => "CaCertRemoved",
            Self::CaCertRenewed => "CaCertRenewed",
            Self::ClusterCaCertKeyReplaced => "ClusterCaCertKeyReplaced",
            Self::ConfigChangeRequiresRestart => "ConfigChangeRequiresRestart",
            Self::FileSystemResizeNeeded => "FileSystemResizeNeeded",
            Self::ManualRollingUpdate => "ManualRollingUpdate",
            Self::PodForceRestartOnError => "PodForceRestartOnError",
            Self::PodHasOldRevision => "PodHasOldRevision",
            Self::PodHasOldResourceRevision => "PodHasOldResourceRevision",
            Self::PodStuck => "PodStuck",
            Self::PodUnresponsive => "PodUnresponsive",
            Self::KafkaCertificatesChanged => "KafkaCertificatesChanged",
        }
    }
}

/// The statuses to write. Apply leaves `lastTransitionTime` of a condition that stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusPlan {
    /// The complete `status` of the Kafka resource as JSON; `None` writes nothing.
    pub kafka: Option<Value>,
    /// The complete `status` of each pool, by name.
    pub pools: BTreeMap<String, Value>,
}
