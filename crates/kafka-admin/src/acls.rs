//! Access control lists.

use std::collections::BTreeSet;
use std::sync::Arc;

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::error::check;
use crate::values::{string, text};
use crate::{Admin, AdminError, Outcomes};

/// Codes of a small enumeration of the protocol.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            const fn wire(self) -> i8 {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            const fn from_wire(code: i8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// Kind of a resource that is protected.
    ResourceType {
        /// Topic.
        Topic = 2,
        /// Consumer group.
        Group = 3,
        /// The cluster itself; its name is `kafka-cluster`.
        Cluster = 4,
        /// Transactional id of a producer.
        TransactionalId = 5,
        /// Delegation token.
        DelegationToken = 6,
        /// User, as the owner of tokens.
        User = 7,
    }
}

codes! {
    /// How the name of a resource is meant.
    PatternType {
        /// The name itself; `*` stands for all.
        Literal = 3,
        /// All names that start so.
        Prefixed = 4,
    }
}

codes! {
    /// Whether a rule allows or denies. Denials win.
    Permission {
        /// Deny.
        Deny = 2,
        /// Allow.
        Allow = 3,
    }
}

codes! {
    /// What a rule is about.
    AclOperation {
        /// All operations.
        All = 2,
        /// Read.
        Read = 3,
        /// Write.
        Write = 4,
        /// Create.
        Create = 5,
        /// Delete.
        Delete = 6,
        /// Alter.
        Alter = 7,
        /// Describe.
        Describe = 8,
        /// Requests between brokers.
        ClusterAction = 9,
        /// Describe the configuration.
        DescribeConfigs = 10,
        /// Alter the configuration.
        AlterConfigs = 11,
        /// Idempotent write.
        IdempotentWrite = 12,
        /// Create tokens.
        CreateTokens = 13,
        /// Describe tokens.
        DescribeTokens = 14,
        /// Two-phase commit.
        TwoPhaseCommit = 15,
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclBinding {
    /// Kind of the resource.
    pub resource_type: ResourceType,
    /// Name of the resource. Shared: it may be long, and there is a rule for each operation.
    pub resource_name: Arc<str>,
    /// How the name is meant.
    pub pattern: PatternType,
    /// Who, for example `User:CN=me`.
    pub principal: String,
    /// From where; `*` for anywhere.
    pub host: String,
    /// What.
    pub operation: AclOperation,
    /// Allow or deny.
    pub permission: Permission,
}

/// Which rules are meant. `None` in a field: any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AclFilter {
    /// Kind of the resource.
    pub resource_type: Option<ResourceType>,
    /// Name of the resource.
    pub resource_name: Option<String>,
    /// How the name is meant.
    pub pattern: Option<PatternType>,
    /// Who.
    pub principal: Option<String>,
    /// From where.
    pub host: Option<String>,
    /// What.
    pub operation: Option<AclOperation>,
    /// Allow or deny.
    pub permission: Option<Permission>,
}

impl AclFilter {
    /// All rules.
    pub fn any() -> Self {
        Self::default()
    }

    /// All rules of a principal, for example `User:CN=me`.
    pub fn principal(principal: impl Into<String>) -> Self {
        Self { principal: Some(principal.into()), ..Self::default() }
    }
}

impl From<&AclBinding> for AclFilter {
    /// Exactly this rule.
    fn from(binding: &AclBinding) -> Self {
        Self {
            resource_type: Some(binding.resource_type),
            resource_name: Some(binding.resource_name.to_string()),
            pattern: Some(binding.pattern),
            principal: Some(binding.principal.clone()),
            host: Some(binding.host.clone()),
            operation: Some(binding.operation),
            permission: Some(binding.permission),
        }
    }
}

/// "Any" in every enumeration of a filter.
const ANY: i8 = 1;

impl Admin {
    /// The rules that match. A rule with a value that this client does not know is left out.
    pub async fn describe_acls(&self, filter: AclFilter) -> Result<BTreeSet<AclBinding>, AdminError> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(filter.resource_type.map_or(ANY, ResourceType::wire))
            .with_resource_name_filter(filter.resource_name.map(text))
            .with_pattern_type_filter(filter.pattern.map_or(ANY, PatternType::wire))
            .with_principal_filter(filter.principal.map(text))
            .with_host_filter(filter.host.map(text))
            .with_operation(filter.operation.map_or(ANY, AclOperation::wire))
            .with_permission_type(filter.permission.map_or(ANY, Permission::wire));
        let answer = self
            .call("describe acls", Route::Any, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
            .await?;
        let mut found = BTreeSet::new();
        for resource in &answer.resources {
            let Some(resource_type) = ResourceType::from_wire(resource.resource_type) else { continue };
            let Some(pattern) = PatternType::from_wire(resource.pattern_type) else { continue };
            let resource_name: Arc<str> = resource.resource_name.as_str().into();
            for acl in &resource.acls {
                let Some(operation) = AclOperation::from_wire(acl.operation) else { continue };
                let Some(permission) = Permission::from_wire(acl.permission_type) else { continue };
                found.insert(AclBinding {
                    resource_type,
                    resource_name: Arc::clone(&resource_name),
                    pattern,
                    principal: string(&acl.principal),
                    host: string(&acl.host),
                    operation,
                    permission,
                });
            }
        }
        Ok(found)
    }

    /// Adds rules. A rule that exists already is a success.
    pub async fn create_acls(
        &self,
        acls: impl IntoIterator<Item = AclBinding>,
    ) -> Result<Outcomes<AclBinding>, AdminError> {
        let acls: BTreeSet<AclBinding> = acls.into_iter().collect();
        let weigh = |acl: &AclBinding| Weight {
            bytes: acl.resource_name.len() + acl.principal.len() + acl.host.len() + 20,
            records: 1,
        };
        let create = |acls: Vec<AclBinding>| async move {
            let creation = |acl: &AclBinding| {
                AclCreation::default()
                    .with_resource_type(acl.resource_type.wire())
                    .with_resource_name(text(&*acl.resource_name))
                    .with_resource_pattern_type(acl.pattern.wire())
                    .with_principal(text(acl.principal.as_str()))
                    .with_host(text(acl.host.as_str()))
                    .with_operation(acl.operation.wire())
                    .with_permission_type(acl.permission.wire())
            };
            let request = CreateAclsRequest::default().with_creations(acls.iter().map(creation).collect());
            let answer = self
                .call("create acls", Route::Controller, request, |answer| {
                    misrouted(answer.results.iter().map(|result| result.error_code))
                })
                .await?;
            // The results have no names; they stand in the order of the request.
            let results =
                answer.results.iter().map(|result| check(result.error_code, result.error_message.as_ref()));
            Ok(acls.into_iter().zip(results).collect::<Vec<_>>())
        };
        Ok(self.batched(acls, weigh, create).await?.into_iter().flatten().collect())
    }

    /// Removes the rules that match any of the filters; tells for each filter which ones it removed.
    pub async fn delete_acls(
        &self,
        filters: impl IntoIterator<Item = AclFilter>,
    ) -> Result<Outcomes<AclFilter, BTreeSet<AclBinding>>, AdminError> {
        let filters: BTreeSet<AclFilter> = filters.into_iter().collect();
        let length = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        let weigh = |filter: &AclFilter| Weight {
            bytes: length(&filter.resource_name) + length(&filter.principal) + length(&filter.host) + 20,
            records: 4,
        };
        let delete = |filters: Vec<AclFilter>| async move {
            let request = DeleteAclsRequest::default().with_filters(filters.iter().map(deletion).collect());
            let answer = self
                .call("delete acls", Route::Controller, request, |answer| {
                    misrouted(answer.filter_results.iter().map(|result| result.error_code))
                })
                .await?;
            let results = answer.filter_results.iter().map(|result| {
                check(result.error_code, result.error_message.as_ref())?;
                let mut removed = BTreeSet::new();
                for acl in &result.matching_acls {
                    check(acl.error_code, acl.error_message.as_ref())?;
                    let binding = (
                        ResourceType::from_wire(acl.resource_type),
                        PatternType::from_wire(acl.pattern_type),
                        AclOperation::from_wire(acl.operation),
                        Permission::from_wire(acl.permission_type),
                    );
                    let (Some(resource_type), Some(pattern), Some(operation), Some(permission)) = binding
                    else {
                        continue;
                    };
                    removed.insert(AclBinding {
                        resource_type,
                        resource_name: acl.resource_name.as_str().into(),
                        pattern,
                        principal: string(&acl.principal),
                        host: string(&acl.host),
                        operation,
                        permission,
                    });
                }
                Ok(removed)
            });
            let results: Vec<_> = results.collect();
            Ok(filters.into_iter().zip(results).collect::<Vec<_>>())
        };
        Ok(self.batched(filters, weigh, delete).await?.into_iter().flatten().collect())
    }
}

fn deletion(filter: &AclFilter) -> DeleteAclsFilter {
    DeleteAclsFilter::default()
        .with_resource_type_filter(filter.resource_type.map_or(ANY, ResourceType::wire))
        .with_resource_name_filter(filter.resource_name.as_deref().map(text))
        .with_pattern_type_filter(filter.pattern.map_or(ANY, PatternType::wire))
        .with_principal_filter(filter.principal.as_deref().map(text))
        .with_host_filter(filter.host.as_deref().map(text))
        .with_operation(filter.operation.map_or(ANY, AclOperation::wire))
        .with_permission_type(filter.permission.map_or(ANY, Permission::wire))
}
