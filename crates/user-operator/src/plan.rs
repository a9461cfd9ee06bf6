//! What has to be done about one user. Pure: the resource and what was seen in, a plan out.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::kafka_user::{
    AclOperation as WantedOperation, AclPatternType, AclResourceType, AclRule, AclRuleType,
    KafkaUserAuthenticationType, KafkaUserQuotas,
};
use api::names::keys;
use api::{KafkaUser, annotations, labels};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kafka_admin::{AclBinding, AclOperation, PatternType, Permission, QuotaEntity, ResourceType};
use kube::ResourceExt;
use pki::{LeafReason, Password};

use crate::kafka::{Held, Quotas, Rule, SCRAM_ITERATIONS, UserInKafka};
use crate::secret::{Certificate, Metadata, SecretView};
use crate::settings::Rules;

/// The longest common name of a certificate (X.520).
const MAX_COMMON_NAME: usize = 64;
/// The only name that Kafka knows for the cluster as a resource.
const CLUSTER_RESOURCE: &str = "kafka-cluster";

/// Why a user cannot be as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Reason of the condition.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// Whether trying again may help without a change of the resource.
    pub retry: bool,
}

impl Problem {
    /// Something that its author has to correct.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { reason: reasons::INVALID_RESOURCE, message: message.into(), retry: false }
    }
}

/// What was seen of one user.
#[derive(Debug, Clone, Default)]
pub struct Observed<'a> {
    /// Its Secret.
    pub secret: Option<&'a SecretView>,
    /// What Kafka has; `None` while Kafka was never reached.
    pub kafka: Option<UserInKafka>,
    /// Hash of the clients CA's certificate, or what is wrong with the CA.
    pub authority: Option<Result<u64, String>>,
    /// The password that the resource refers to, or what is wrong with the reference.
    pub desired_password: Option<Result<Password, Problem>>,
    /// The password that Kafka is known to have.
    pub acknowledged: Option<&'a Password>,
}

/// What happens to the user's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretStep {
    /// It is as it should be, or there is none and none is needed.
    Keep,
    /// A new certificate.
    Issue {
        /// Days it is valid.
        validity_days: u32,
        /// Why.
        reasons: Vec<LeafReason>,
    },
    /// The certificate stays; metadata or key store are brought up to date.
    Refresh,
    /// This password, or a new one if there is none.
    Password(Option<Password>),
    /// It is of no use any more.
    Delete,
}

/// Changes in Kafka.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct KafkaChanges {
    /// ACLs to add.
    pub create: Vec<AclBinding>,
    /// ACLs to remove.
    pub delete: Vec<AclBinding>,
    /// Quotas to set or remove.
    pub quotas: BTreeMap<QuotaEntity, BTreeMap<String, Option<f64>>>,
    /// Whether the password has to be told to Kafka, under the resource's name.
    pub set_password: bool,
    /// Whether the password has to be removed.
    pub delete_password: bool,
}

impl KafkaChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of a resource that the watch does not show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whereabouts {
    /// There is none, or it is being deleted.
    Gone,
    /// It is there, and its labels are not those that this operator serves.
    Relabelled,
    /// It is there with the labels that this operator serves: the watch is about to show it, or cannot read it.
    Ours,
    /// The API server does not tell.
    Unknown(String),
}

/// What has to be done about one user.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The user's Secret.
    pub secret: SecretStep,
    /// Kafka.
    pub kafka: KafkaChanges,
    /// What stands in the way; if set, nothing is done.
    pub problem: Option<Problem>,
    /// Labels and annotations of the Secret.
    pub metadata: Option<Metadata>,
}

impl Plan {
    /// Everything stays.
    fn nothing() -> Self {
        Self { secret: SecretStep::Keep, kafka: KafkaChanges::default(), problem: None, metadata: None }
    }

    /// Whether nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.secret == SecretStep::Keep && self.kafka.is_empty()
    }
}

/// How the user authenticates; `None`: by other means, under the resource's name.
pub fn authentication(user: &KafkaUser) -> Option<KafkaUserAuthenticationType> {
    user.spec.authentication.as_ref().map(|authentication| authentication.type_)
}

/// The user's name in Kafka.
pub fn username(user: &KafkaUser) -> String {
    if by_certificate(user) { format!("CN={}", user.name_any()) } else { user.name_any() }
}

/// Name of the Secret, for users that have one.
pub fn secret_name(user: &KafkaUser, prefix: &str) -> Option<String> {
    matches!(
        authentication(user),
        Some(KafkaUserAuthenticationType::Tls | KafkaUserAuthenticationType::ScramSha512)
    )
    .then(|| format!("{prefix}{}", user.name_any()))
}

fn by_certificate(user: &KafkaUser) -> bool {
    matches!(
        authentication(user),
        Some(KafkaUserAuthenticationType::Tls | KafkaUserAuthenticationType::TlsExternal)
    )
}

/// Whether reconciliation is paused by annotation.
pub fn is_paused(user: &KafkaUser) -> bool {
    annotations::is_true(user.metadata.annotations.as_ref(), annotations::PAUSE_RECONCILIATION)
}

/// What has to be done so that a user is as its resource says.
pub fn plan(user: &KafkaUser, observed: &Observed<'_>, rules: &Rules, now: Timestamp) -> Plan {
    if is_paused(user) {
        return Plan::nothing();
    }
    match try_plan(user, observed, rules, now) {
        Ok(plan) => plan,
        Err(problem) => Plan { problem: Some(problem), ..Plan::nothing() },
    }
}

fn try_plan(
    user: &KafkaUser,
    observed: &Observed<'_>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Plan, Problem> {
    let name = user.name_any();
    if authentication(user) == Some(KafkaUserAuthenticationType::Tls)
        && name.chars().count() > MAX_COMMON_NAME
    {
        return Err(Problem::invalid(format!(
            "the name of a user with authentication.type tls has at most {MAX_COMMON_NAME} characters, this one has {}",
            name.chars().count()
        )));
    }
    let metadata = Metadata::of(user).map_err(|error| Problem::invalid(error.to_string()))?;
    let wanted_rules = wanted_rules(user, rules, observed)?;
    let wanted_quotas = user.spec.quotas.as_ref().map(wanted_quotas).transpose()?.unwrap_or_default();
    let secret = match authentication(user) {
        Some(KafkaUserAuthenticationType::Tls) => certificate_step(user, observed, rules, &metadata, now)?,
        Some(KafkaUserAuthenticationType::ScramSha512) => password_step(user, observed, &metadata)?,
        Some(KafkaUserAuthenticationType::TlsExternal) | None => match observed.secret {
            Some(view) if was_made_for(view, &name) => SecretStep::Delete,
            _ => SecretStep::Keep,
        },
    };
    let mut changes = KafkaChanges::default();
    if let Some(kafka) = &observed.kafka {
        let plain = &name;
        let with_certificate = format!("CN={name}");
        let nothing = (BTreeSet::new(), Quotas::new());
        let wanted = (wanted_rules, wanted_quotas);
        let (certificate, other) =
            if by_certificate(user) { (&wanted, &nothing) } else { (&nothing, &wanted) };
        difference(&with_certificate, &kafka.certificate, certificate, kafka.acls_supported, &mut changes);
        difference(plain, &kafka.plain, other, kafka.acls_supported, &mut changes);
        if authentication(user) == Some(KafkaUserAuthenticationType::ScramSha512) {
            let known = observed.secret.and_then(|view| view.password.as_ref());
            // A password that somebody else set shows only when it has other rounds than ours.
            changes.set_password = kafka.plain.scram != Some(SCRAM_ITERATIONS)
                || matches!(secret, SecretStep::Password(_)) && known.is_none()
                || wanted_password(&secret, observed) != observed.acknowledged;
        } else {
            changes.delete_password = kafka.plain.scram.is_some();
        }
    }
    Ok(Plan { secret, kafka: changes, problem: None, metadata: Some(metadata) })
}

/// What has to be removed for a name for which the watch shows no resource.
///
/// Who takes the label off a user, or has it name another cluster, takes the rights in this one away. The Secret stays: it
/// may be the other cluster's by now, or the label may come back, and nothing brings a password or a key back.
pub fn plan_absent(name: &str, observed: &Observed<'_>, rules: &Rules, resource: &Whereabouts) -> Plan {
    let mut plan = Plan::nothing();
    match resource {
        Whereabouts::Gone => {
            if observed.secret.is_some_and(|view| was_made_for(view, name)) {
                plan.secret = SecretStep::Delete;
            }
        }
        Whereabouts::Relabelled => {}
        Whereabouts::Ours => return plan,
        Whereabouts::Unknown(why) => {
            plan.problem = Some(Problem {
                reason: reasons::INTERNAL_ERROR,
                message: format!("cannot tell whether KafkaUser {name} is gone: {why}"),
                retry: true,
            });
            return plan;
        }
    }
    let ignored = rules.ignored_users.as_ref().is_some_and(|pattern| pattern.is_match(name));
    if let (Some(kafka), false) = (&observed.kafka, ignored) {
        let changes = &mut plan.kafka;
        let nothing = (BTreeSet::new(), Quotas::new());
        difference(&format!("CN={name}"), &kafka.certificate, &nothing, kafka.acls_supported, changes);
        difference(name, &kafka.plain, &nothing, kafka.acls_supported, changes);
        changes.delete_password = kafka.plain.scram.is_some();
    }
    plan
}

/// Whether a user operator made a Secret for the user of this name.
fn was_made_for(view: &SecretView, name: &str) -> bool {
    view.is_of_users() && view.owner.as_ref().is_some_and(|(owner, _)| owner == name)
}

/// A user must not take over a Secret that was made for something else, such as the key of an authority. `metadata` is that
/// of the Secret that exists under the name of the user's. One that lost its labels still names its owner.
pub fn refuse_takeover(secret: &str, metadata: &ObjectMeta, user: &KafkaUser) -> Option<Problem> {
    let kind = metadata.labels.as_ref().and_then(|labels| labels.get(labels::KIND));
    let owners = metadata.owner_references.iter().flatten();
    let owned = owners.into_iter().any(|owner| Some(&owner.uid) == user.metadata.uid.as_ref());
    let made_for_users = owned || kind.is_some_and(|kind| kind == "KafkaUser");
    (!made_for_users).then(|| Problem {
        reason: reasons::RESOURCE_CONFLICT,
        message: format!(
            "the Secret {secret} exists and was not made for a KafkaUser: delete it, rename the user, or set STRIMZI_SECRET_PREFIX"
        ),
        retry: true,
    })
}

fn wanted_password<'a>(step: &'a SecretStep, observed: &Observed<'a>) -> Option<&'a Password> {
    match step {
        SecretStep::Password(Some(password)) => Some(password),
        _ => observed.secret.and_then(|view| view.password.as_ref()),
    }
}

fn difference(
    username: &str,
    held: &Held,
    (rules, quotas): &(BTreeSet<Rule>, Quotas),
    acls_supported: bool,
    changes: &mut KafkaChanges,
) {
    if acls_supported {
        changes.create.extend(rules.difference(&held.rules).map(|rule| rule.binding(username)));
        changes.delete.extend(held.rules.difference(rules).map(|rule| rule.binding(username)));
    }
    let mut altered = BTreeMap::new();
    for (key, value) in quotas {
        if held.quotas.get(key) != Some(value) {
            altered.insert(key.clone(), Some(*value));
        }
    }
    for key in held.quotas.keys().filter(|key| !quotas.contains_key(*key)) {
        altered.insert(key.clone(), None);
    }
    if !altered.is_empty() {
        changes.quotas.insert(QuotaEntity::user(username), altered);
    }
}

fn certificate_step(
    user: &KafkaUser,
    observed: &Observed<'_>,
    rules: &Rules,
    metadata: &Metadata,
    now: Timestamp,
) -> Result<SecretStep, Problem> {
    let (validity_days, renewal_days) = validity(user, rules)?;
    let mut why = Vec::new();
    match observed.secret.map_or(Certificate::Missing, |view| view.certificate) {
        Certificate::Missing => why.push(LeafReason::Missing),
        Certificate::Broken => why.push(LeafReason::Broken),
        Certificate::Valid(until) if until <= now => why.push(LeafReason::Expired),
        Certificate::Valid(until) => {
            let due = until.as_second() - now.as_second() <= i64::from(renewal_days) * 86_400;
            if due && pki::in_maintenance_window(&rules.windows, now) {
                why.push(LeafReason::Expiring);
            }
        }
    }
    match &observed.authority {
        Some(Ok(authority)) => {
            let changed = observed.secret.is_some_and(|view| view.authority != Some(*authority));
            if why.is_empty() && changed {
                why.push(LeafReason::AuthorityChanged);
            }
        }
        // Who has a certificate that is in order needs no authority.
        Some(Err(_)) if why.is_empty() => {}
        Some(Err(message)) => {
            let message = format!("no certificate can be issued: {message}");
            return Err(Problem { reason: reasons::INVALID_CONFIGURATION, message, retry: false });
        }
        None => {
            let message = "the clients CA was not read yet".to_owned();
            return Err(Problem { reason: reasons::CREATING, message, retry: true });
        }
    }
    let Some(view) = observed.secret else { return Ok(SecretStep::Issue { validity_days, reasons: why }) };
    if view.force_renew() && matches!(observed.authority, Some(Ok(_))) {
        why.push(LeafReason::Forced);
    }
    if !why.is_empty() {
        return Ok(SecretStep::Issue { validity_days, reasons: why });
    }
    let stale = view.has(keys::PASSWORD) || view.has(keys::SASL_JAAS_CONFIG);
    let store = view.has(keys::USER_P12) == rules.pkcs12 && view.has(keys::USER_PASSWORD) == rules.pkcs12;
    if store && !stale && metadata.is_on(view, user) { Ok(SecretStep::Keep) } else { Ok(SecretStep::Refresh) }
}

fn validity(user: &KafkaUser, rules: &Rules) -> Result<(u32, u32), Problem> {
    let days =
        |value: Option<i32>, default: u32| value.and_then(|days| u32::try_from(days).ok()).unwrap_or(default);
    let authentication = user.spec.authentication.as_ref();
    let validity = days(authentication.and_then(|a| a.validity_days), rules.validity_days);
    let renewal = days(authentication.and_then(|a| a.renewal_days), rules.renewal_days);
    if renewal >= validity {
        return Err(Problem::invalid(format!(
            "spec.authentication.renewalDays ({renewal}) has to be less than validityDays ({validity})"
        )));
    }
    Ok((validity, renewal))
}

fn password_step(
    user: &KafkaUser,
    observed: &Observed<'_>,
    metadata: &Metadata,
) -> Result<SecretStep, Problem> {
    let desired = match &observed.desired_password {
        None => None,
        Some(Ok(password)) => Some(password),
        Some(Err(problem)) => return Err(problem.clone()),
    };
    let Some(view) = observed.secret else { return Ok(SecretStep::Password(desired.cloned())) };
    let stale = [keys::CA_CRT, keys::USER_CRT, keys::USER_KEY, keys::USER_P12, keys::USER_PASSWORD]
        .iter()
        .any(|key| view.has(key));
    let fits = view.password.is_some() && (desired.is_none() || desired == view.password.as_ref());
    if fits && view.jaas_fits && !stale && metadata.is_on(view, user) {
        return Ok(SecretStep::Keep);
    }
    Ok(SecretStep::Password(desired.cloned().or_else(|| view.password.clone())))
}

fn wanted_rules(user: &KafkaUser, rules: &Rules, observed: &Observed<'_>) -> Result<BTreeSet<Rule>, Problem> {
    let mut wanted = BTreeSet::new();
    let Some(authorization) = &user.spec.authorization else { return Ok(wanted) };
    let supported = rules.acls_supported && observed.kafka.as_ref().is_none_or(|kafka| kafka.acls_supported);
    if !supported {
        return Err(Problem::invalid(
            "spec.authorization cannot be applied: the Kafka cluster does not manage ACLs; set authorization type simple in the Kafka \
             resource, or remove spec.authorization",
        ));
    }
    for (index, acl) in authorization.acls.iter().enumerate() {
        let (resource_type, resource_name, pattern) = wanted_resource(acl, index)?;
        for operation in &acl.operations {
            wanted.insert(Rule {
                resource_type,
                resource_name: resource_name.into(),
                pattern,
                host: acl.host.as_deref().unwrap_or("*").into(),
                operation: operation_of(*operation),
                permission: match acl.type_ {
                    Some(AclRuleType::Deny) => Permission::Deny,
                    Some(AclRuleType::Allow) | None => Permission::Allow,
                },
            });
        }
    }
    Ok(wanted)
}

fn wanted_resource(acl: &AclRule, index: usize) -> Result<(ResourceType, &str, PatternType), Problem> {
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
        _ => Err(Problem::invalid(format!(
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

fn wanted_quotas(quotas: &KafkaUserQuotas) -> Result<Quotas, Problem> {
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
            return Err(Problem::invalid(format!("spec.quotas.{field} is {value}: it has to be 0 or more")));
        }
        wanted.insert(key.to_owned(), value);
    }
    Ok(wanted)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
