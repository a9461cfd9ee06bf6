//! What a user may do and use, as Kafka takes it: its rules and its quotas. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use api::KafkaUser;
use api::kafka_user::{
    AclOperation as WantedOperation, AclPatternType, AclResourceType, AclRule, AclRuleType, KafkaUserQuotas,
};
use kafka_admin::{AclOperation, MAX_TEXT_BYTES, PatternType, Permission, ResourceType};
use operator_runtime::refusal::Refusal;

use crate::settings::PlanSettings;
use crate::snapshot::{Quotas, Rule, UserInKafka};

/// The only name that Kafka knows for the cluster as a resource.
const CLUSTER_RESOURCE: &str = "kafka-cluster";
/// The most rules that one user has, each operation counted: Kafka keeps them all in memory, on every broker.
const MAX_RULES: usize = 10_000;
/// The most bytes that the names and hosts in the rules of one user take, each operation counted.
const MAX_RULE_BYTES: usize = 2 * 1024 * 1024;

/// What a user may do and use.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rights {
    /// Its rules.
    pub rules: BTreeSet<Rule>,
    /// Its quotas.
    pub quotas: Quotas,
}

/// What a resource asks for; `kafka`: what Kafka has of the user, once that was read.
pub(crate) fn wanted(
    user: &KafkaUser,
    settings: &PlanSettings,
    kafka: Option<&UserInKafka>,
) -> Result<Rights, Refusal> {
    Ok(Rights {
        rules: wanted_rules(user, settings, kafka)?,
        quotas: user.spec.quotas.as_ref().map(wanted_quotas).transpose()?.unwrap_or_default(),
    })
}

fn wanted_rules(
    user: &KafkaUser,
    settings: &PlanSettings,
    kafka: Option<&UserInKafka>,
) -> Result<BTreeSet<Rule>, Refusal> {
    let mut wanted = BTreeSet::new();
    let Some(authorization) = &user.spec.authorization else { return Ok(wanted) };
    let supported = settings.acls_supported && kafka.is_none_or(|kafka| kafka.acls_supported);
    if !supported {
        return Err(Refusal::invalid(
            "spec.authorization cannot be applied: the Kafka cluster does not manage ACLs; set authorization type simple in the Kafka \
             resource, or remove spec.authorization",
        ));
    }
    bound(&authorization.acls)?;
    for (index, acl) in authorization.acls.iter().enumerate() {
        let (resource_type, resource_name, pattern) = wanted_resource(acl, index)?;
        let host = acl.host.as_deref().unwrap_or("*");
        check_length(resource_name, index, "resource.name")?;
        check_length(host, index, "host")?;
        // One text for all operations.
        let (resource_name, host): (Arc<str>, Arc<str>) = (resource_name.into(), host.into());
        for operation in acl.all_operations() {
            wanted.insert(Rule {
                resource_type,
                resource_name: Arc::clone(&resource_name),
                pattern,
                host: Arc::clone(&host),
                operation: operation_of(operation),
                permission: match acl.type_ {
                    Some(AclRuleType::Deny) => Permission::Deny,
                    Some(AclRuleType::Allow) | None => Permission::Allow,
                },
            });
        }
    }
    Ok(wanted)
}

/// Refuses more rules than all users of a cluster could have.
fn bound(acls: &[AclRule]) -> Result<(), Refusal> {
    let count: usize = acls.iter().map(|acl| acl.all_operations().count()).sum();
    if count > MAX_RULES {
        return Err(Refusal::invalid(format!(
            "spec.authorization.acls makes {count} rules, one for each operation: a user has at most {MAX_RULES}; use prefixes \
             (patternType: prefix) or the operation All, or make several users"
        )));
    }
    let length = |text: &Option<String>| text.as_ref().map_or(1, String::len);
    let bytes: usize = acls
        .iter()
        .map(|acl| acl.all_operations().count() * (length(&acl.resource.name) + length(&acl.host)))
        .sum();
    if bytes > MAX_RULE_BYTES {
        return Err(Refusal::invalid(format!(
            "the names and hosts in spec.authorization.acls take {bytes} bytes, counted for each operation: at most {MAX_RULE_BYTES}; \
             use shorter names or prefixes (patternType: prefix), or make several users"
        )));
    }
    Ok(())
}

/// Refuses a text that no broker can read.
fn check_length(text: &str, index: usize, field: &str) -> Result<(), Refusal> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "spec.authorization.acls[{index}].{field} has {} bytes: Kafka takes at most {MAX_TEXT_BYTES}, write a shorter one",
        text.len()
    )))
}

fn wanted_resource(acl: &AclRule, index: usize) -> Result<(ResourceType, &str, PatternType), Refusal> {
    let resource_type = match acl.resource.type_ {
        AclResourceType::Topic => ResourceType::Topic,
        AclResourceType::Group => ResourceType::Group,
        AclResourceType::TransactionalId => ResourceType::TransactionalId,
        AclResourceType::Cluster => {
            return Ok((ResourceType::Cluster, CLUSTER_RESOURCE, PatternType::Literal));
        }
    };
    let pattern = match acl.resource.pattern_type {
        Some(AclPatternType::Prefix) => PatternType::Prefixed,
        Some(AclPatternType::Literal) | None => PatternType::Literal,
    };
    match acl.resource.name.as_deref() {
        Some(name) if !name.is_empty() => Ok((resource_type, name, pattern)),
        _ => Err(Refusal::invalid(format!(
            "spec.authorization.acls[{index}].resource.name is missing: name the resource, or write \"*\" for every one"
        ))),
    }
}

fn operation_of(operation: WantedOperation) -> AclOperation {
    match operation {
        WantedOperation::Read => AclOperation::Read,
        WantedOperation::Write => AclOperation::Write,
        WantedOperation::Create => AclOperation::Create,
        WantedOperation::Delete => AclOperation::Delete,
        WantedOperation::Alter => AclOperation::Alter,
        WantedOperation::Describe => AclOperation::Describe,
        WantedOperation::ClusterAction => AclOperation::ClusterAction,
        WantedOperation::AlterConfigs => AclOperation::AlterConfigs,
        WantedOperation::DescribeConfigs => AclOperation::DescribeConfigs,
        WantedOperation::IdempotentWrite => AclOperation::IdempotentWrite,
        WantedOperation::All => AclOperation::All,
    }
}

fn wanted_quotas(quotas: &KafkaUserQuotas) -> Result<Quotas, Refusal> {
    let mut wanted = Quotas::new();
    let entries = [
        ("producer_byte_rate", "producerByteRate", quotas.producer_byte_rate.map(|rate| rate as f64)),
        ("consumer_byte_rate", "consumerByteRate", quotas.consumer_byte_rate.map(|rate| rate as f64)),
        ("request_percentage", "requestPercentage", quotas.request_percentage.map(f64::from)),
        ("controller_mutation_rate", "controllerMutationRate", quotas.controller_mutation_rate),
    ];
    for (key, field, value) in entries {
        let Some(value) = value else { continue };
        if !value.is_finite() || value < 0.0 {
            return Err(Refusal::invalid(format!("spec.quotas.{field} is {value}: it has to be 0 or more")));
        }
        wanted.insert(key.to_owned(), value);
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn rules_of(acls: &Value) -> Result<BTreeSet<Rule>, Refusal> {
        let user: KafkaUser = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": {"name": "bob"},
            "spec": {"authorization": {"type": "simple", "acls": acls}},
        }))
        .unwrap();
        wanted_rules(&user, &crate::plan::test_settings(), None)
    }

    fn topic(name: &str, operations: usize) -> Value {
        let all =
            ["Read", "Write", "Create", "Delete", "Alter", "Describe", "AlterConfigs", "DescribeConfigs"];
        json!({"resource": {"type": "topic", "name": name}, "operations": &all[..operations]})
    }

    #[test]
    fn a_text_that_no_broker_can_read_is_named_by_its_field() {
        assert!(rules_of(&json!([topic(&"x".repeat(32_767), 1)])).is_ok());
        let problem = rules_of(&json!([topic("a", 1), topic(&"ä".repeat(16_384), 1)])).unwrap_err();
        assert!(problem.message.contains("acls[1].resource.name has 32768 bytes"), "{problem:?}");
        let mut rule = topic("a", 1);
        rule["host"] = json!("h".repeat(40_000));
        let problem = rules_of(&json!([rule])).unwrap_err();
        assert!(problem.message.contains("acls[0].host has 40000 bytes") && !problem.retry, "{problem:?}");
    }

    #[test]
    fn one_user_cannot_have_all_the_rules_that_a_cluster_can_hold() {
        let many = |count: usize| (0..count).map(|i| topic(&format!("t{i}"), 8)).collect::<Vec<_>>();
        assert_eq!(rules_of(&json!(many(1250))).unwrap().len(), 10_000);
        let problem = rules_of(&json!(many(1251))).unwrap_err();
        assert!(problem.message.contains("10008 rules"), "{problem:?}");
        let long: Vec<Value> = (0..40).map(|i| topic(&format!("{i}{}", "x".repeat(30_000)), 8)).collect();
        let problem = rules_of(&json!(long)).unwrap_err();
        assert!(problem.message.contains("bytes, counted for each operation"), "{problem:?}");
    }

    #[test]
    fn a_rule_of_an_older_version_has_one_operation() {
        let rule = |more: &Value| {
            let mut rule = json!({"resource": {"type": "topic", "name": "a"}});
            rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rules_of(&json!([rule])).unwrap()
        };
        let read = rule(&json!({"operations": ["Read"]}));
        assert_eq!(read.len(), 1);
        assert_eq!(rule(&json!({"operation": "Read"})), read);
        assert_eq!(rule(&json!({"operation": "Read", "operations": ["Read"]})), read);
        assert_eq!(rule(&json!({"operation": "Read", "operations": ["Write"]})).len(), 2);
    }

    #[test]
    fn the_operations_of_a_rule_share_its_texts() {
        let rules = rules_of(&json!([topic("shared", 8)])).unwrap();
        let first = rules.first().unwrap();
        assert!(rules.iter().all(|rule| Arc::ptr_eq(&rule.resource_name, &first.resource_name)));
    }
}
