//! KafkaUser: a user of a Kafka cluster with its credentials, rights and quotas.

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::refs::SecretSource;
use crate::common::template::ResourceTemplate;
use crate::conditions::Condition;
use crate::schema::{JsonSchema, string_enum};

/// What a user should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaUser",
    plural = "kafkausers",
    shortname = "ku",
    category = "strimzi",
    namespaced,
    status = "KafkaUserStatus",
    schema = "disabled",
    derive = "PartialEq",
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.strimzi\.io/cluster",
        description = "The Kafka cluster the user belongs to"
    ),
    printcolumn(
        name = "Authentication",
        type_ = "string",
        json_path = ".spec.authentication.type",
        description = "How the user proves who it is"
    ),
    printcolumn(
        name = "Authorization",
        type_ = "string",
        json_path = ".spec.authorization.type",
        description = "How the user gets its rights"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the user is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserSpec {
    /// How the user proves who it is. Without it no credentials are made, and rights and quotas apply to a
    /// user that authenticates by other means.
    pub authentication: Option<KafkaUserAuthentication>,
    /// What the user may do. Without it the user has no rights of its own.
    pub authorization: Option<KafkaUserAuthorization>,
    /// Limits on what the user may use. Without it no limits are set.
    pub quotas: Option<KafkaUserQuotas>,
    /// Labels and annotations of the objects made for the user.
    pub template: Option<KafkaUserTemplate>,
}

/// How a user proves who it is.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "self.type == 'tls' || (!has(self.validityDays) && !has(self.renewalDays))",
        "message": "validityDays and renewalDays can be set only with authentication type tls"
    },
    {
        "rule": "has(self.validityDays) == has(self.renewalDays)",
        "message": "validityDays and renewalDays must be set both or not at all"
    },
    {
        "rule": "!has(self.validityDays) || !has(self.renewalDays) || self.renewalDays < self.validityDays",
        "message": "renewalDays must be less than validityDays"
    }
]))]
pub struct KafkaUserAuthentication {
    /// `tls` makes a certificate signed by the clients CA, `tls-external` expects one that was made elsewhere,
    /// `scram-sha-512` makes a password.
    #[serde(rename = "type")]
    pub type_: KafkaUserAuthenticationType,
    /// Where to take the password from (`scram-sha-512`). Without it a password is made.
    pub password: Option<KafkaUserPassword>,
    /// Days the certificate is valid (`tls`). The default is the clients CA's `validityDays`.
    #[schemars(range(min = 1))]
    pub validity_days: Option<i32>,
    /// Days before its end that the certificate is renewed (`tls`). The default is the clients CA's `renewalDays`.
    #[schemars(range(min = 1))]
    pub renewal_days: Option<i32>,
}

string_enum! {
    /// How a user proves who it is.
    KafkaUserAuthenticationType {
        /// A certificate made by the user operator.
        Tls = "tls",
        /// A certificate made elsewhere.
        TlsExternal = "tls-external",
        /// A password.
        ScramSha512 = "scram-sha-512",
    }
}

/// Where a password comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserPassword {
    /// The Secret that holds the password.
    pub value_from: SecretSource,
}

/// What a user may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserAuthorization {
    /// `simple`: Kafka's own ACLs.
    #[serde(rename = "type")]
    pub type_: KafkaUserAuthorizationType,
    /// The user's ACLs, all of them: others in Kafka are removed.
    pub acls: Vec<AclRule>,
}

string_enum! {
    /// How a user gets its rights.
    KafkaUserAuthorizationType {
        /// Kafka's own ACLs.
        Simple = "simple",
    }
}

/// One right or prohibition.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AclRule {
    /// Whether the rule allows or denies. The default is `allow`.
    #[serde(rename = "type")]
    pub type_: Option<AclRuleType>,
    /// What the rule is about.
    pub resource: AclRuleResource,
    /// Address the user must connect from. The default is `*`, any.
    pub host: Option<String>,
    /// What the rule allows or denies to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<AclOperation>,
    /// The only operation, in a resource of an older version.
    pub operation: Option<AclOperation>,
}

impl AclRule {
    /// What the rule allows or denies to do, however the resource says it.
    pub fn all_operations(&self) -> impl Iterator<Item = AclOperation> {
        let more = self.operation.filter(|operation| !self.operations.contains(operation));
        self.operations.iter().copied().chain(more)
    }
}

string_enum! {
    /// Whether a rule allows or denies.
    AclRuleType {
        /// The operations are allowed.
        Allow = "allow",
        /// The operations are forbidden, whatever else allows them.
        Deny = "deny",
    }
}

string_enum! {
    /// Kafka's operations.
    AclOperation {
        /// Read records, or use a group.
        Read = "Read",
        /// Write records.
        Write = "Write",
        /// Create topics.
        Create = "Create",
        /// Delete topics, records or groups.
        Delete = "Delete",
        /// Change topics or the cluster.
        Alter = "Alter",
        /// See that something exists.
        Describe = "Describe",
        /// What brokers do to each other.
        ClusterAction = "ClusterAction",
        /// Change configuration.
        AlterConfigs = "AlterConfigs",
        /// See configuration.
        DescribeConfigs = "DescribeConfigs",
        /// Write idempotently without a right to any topic.
        IdempotentWrite = "IdempotentWrite",
        /// Every operation.
        All = "All",
    }
}

/// What a rule is about.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AclRuleResource {
    /// The kind of resource.
    #[serde(rename = "type")]
    pub type_: AclResourceType,
    /// Name of the resource, or its beginning. Not needed for `cluster`.
    pub name: Option<String>,
    /// Whether `name` is the whole name or its beginning. The default is `literal`. With `literal`, the name `*`
    /// means every resource.
    pub pattern_type: Option<AclPatternType>,
}

string_enum! {
    /// Kinds of resources that rules are about.
    AclResourceType {
        /// Topics.
        Topic = "topic",
        /// Consumer groups.
        Group = "group",
        /// The cluster as a whole.
        Cluster = "cluster",
        /// Transactional ids.
        TransactionalId = "transactionalId",
    }
}

string_enum! {
    /// How a rule's name is compared.
    AclPatternType {
        /// The whole name.
        Literal = "literal",
        /// The beginning of the name.
        Prefix = "prefix",
    }
}

/// Limits on what a user may use.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserQuotas {
    /// Bytes per second that the user may produce to each broker before it is slowed down.
    #[schemars(range(min = 0))]
    pub producer_byte_rate: Option<i64>,
    /// Bytes per second that the user may fetch from each broker before it is slowed down.
    #[schemars(range(min = 0))]
    pub consumer_byte_rate: Option<i64>,
    /// Share of each broker's network and I/O threads' time that the user may take, in percent; it can exceed 100.
    #[schemars(range(min = 0))]
    pub request_percentage: Option<i32>,
    /// Partitions per second that the user may create or delete.
    #[schemars(range(min = 0))]
    pub controller_mutation_rate: Option<f64>,
}

/// Labels and annotations of the objects made for a user.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserTemplate {
    /// The Secret with the user's credentials.
    pub secret: Option<ResourceTemplate>,
}

/// What was observed of a user.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaUserStatus {
    /// What can be said about the user.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// The user's name in Kafka: `CN=<name>` with a certificate, the resource's name otherwise.
    pub username: Option<String>,
    /// Name of the Secret with the user's credentials.
    pub secret: Option<String>,
}
