//! What has to be done about one user. Pure: the resource and what was seen in, a plan out.

use std::collections::BTreeMap;

use api::KafkaUser;
use api::cert_manager::ObjectReference;
use api::conditions::reasons;
use api::kafka_user::KafkaUserAuthenticationType;
use api::names::{self, keys};
use api::principals;
use jiff::Timestamp;
use kafka_admin::{AclBinding, QuotaEntity};
use kube::ResourceExt;
use operator_runtime::refusal::Refusal;
use pki::{LeafReason, Password};

use crate::issuance::{self, CertificateStep};
use crate::observe::{Observed, Whereabouts};
use crate::ownership::{self, was_made_for};
use crate::rights::{self, Rights};
use crate::secret_step::{SecretStep, refresh_step};
use crate::secret_view::{Certificate, Metadata, SecretView};
use crate::settings::PlanSettings;
use crate::snapshot::{Held, SCRAM_ITERATIONS, UserInKafka};
use crate::user::{authentication, by_certificate, is_paused};

/// The longest common name of a certificate (X.520).
const MAX_COMMON_NAME: usize = 64;

/// Changes in Kafka.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct KafkaChanges {
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
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What has to be done about one user.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The user's Secret.
    pub secret: SecretStep,
    /// The user's Certificate of cert-manager.
    pub certificate: CertificateStep,
    /// Kafka.
    pub kafka: KafkaChanges,
    /// What stands in the way of a part of it; the other parts are done.
    pub refusals: Vec<Refusal>,
    /// Labels and annotations of the Secret.
    pub metadata: Option<Metadata>,
}

impl Plan {
    /// Everything stays.
    fn nothing() -> Self {
        Self {
            secret: SecretStep::Keep,
            certificate: CertificateStep::Keep,
            kafka: KafkaChanges::default(),
            refusals: Vec::new(),
            metadata: None,
        }
    }

    /// Whether nothing has to be done.
    pub(crate) fn is_empty(&self) -> bool {
        self.secret == SecretStep::Keep && self.certificate == CertificateStep::Keep && self.kafka.is_empty()
    }
}

/// What has to be done so that a user is as its resource says.
pub(crate) fn plan(user: &KafkaUser, observed: &Observed, settings: &PlanSettings, now: Timestamp) -> Plan {
    if is_paused(user) {
        return Plan::nothing();
    }
    match try_plan(user, observed, settings, now) {
        Ok(plan) => plan,
        Err(problem) => Plan { refusals: vec![problem], ..Plan::nothing() },
    }
}

/// The parts of a user do not wait for each other: its certificate or password is looked after while its rights are
/// refused, and rights are taken away while no certificate can be made. An error stops all parts.
fn try_plan(
    user: &KafkaUser,
    observed: &Observed,
    settings: &PlanSettings,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let name = user.name_any();
    if authentication(user) == Some(KafkaUserAuthenticationType::Tls)
        && name.chars().count() > MAX_COMMON_NAME
    {
        return Err(Refusal::invalid(format!(
            "the name of a user with authentication.type tls has at most {MAX_COMMON_NAME} characters, this one has {}",
            name.chars().count()
        )));
    }
    let metadata = Metadata::of(user).map_err(|error| Refusal::invalid(error.to_string()));
    let rights = rights::wanted(user, settings, observed.kafka.as_ref());
    // A user that was never as asked for gets nothing before its resource is in order.
    if observed.secret.is_none() {
        rights.as_ref().map_err(Clone::clone)?;
        metadata.as_ref().map_err(Clone::clone)?;
    }
    let mut plan = Plan::nothing();
    let secret = metadata.and_then(|metadata| {
        if let Some(issuer) = &settings.issuer {
            plan.certificate = certificate_of_issuer(user, observed, settings, issuer, &metadata)?;
        }
        let step = secret_step(user, observed, settings, &metadata, now)?;
        plan.metadata = Some(metadata);
        Ok(step)
    });
    if let Some(kafka) = &observed.kafka {
        let changes = &mut plan.kafka;
        if let Ok(rights) = &rights {
            let certificate_name = principals::by_certificate(&name);
            let certificate = (certificate_name.as_str(), &kafka.certificate);
            let plain = (name.as_str(), &kafka.plain);
            let (ours, other) =
                if by_certificate(user) { (certificate, plain) } else { (plain, certificate) };
            difference(ours.0, ours.1, rights, kafka.acls_supported, changes);
            // Where no new login can be made, the user works under its old name; else that goes once the login is there.
            if secret.is_ok() {
                difference(other.0, other.1, &Rights::default(), kafka.acls_supported, changes);
            }
        }
        if let Ok(secret) = &secret {
            password_changes(user, secret, observed, kafka, changes);
        }
    }
    for problem in [secret.as_ref().err(), rights.as_ref().err()].into_iter().flatten() {
        plan.refusals.push(problem.clone());
    }
    plan.secret = secret.unwrap_or(SecretStep::Keep);
    Ok(plan)
}

fn secret_step(
    user: &KafkaUser,
    observed: &Observed,
    settings: &PlanSettings,
    metadata: &Metadata,
    now: Timestamp,
) -> Result<SecretStep, Refusal> {
    let of_cert_manager = observed.secret.as_deref().is_some_and(SecretView::is_of_cert_manager);
    if let Some(name) = ownership::secret_name(user, &settings.secret_prefix).filter(|_| of_cert_manager) {
        return Err(ownership::refuse_cert_managers(&name));
    }
    match authentication(user) {
        Some(KafkaUserAuthenticationType::Tls) if settings.issuer.is_some() => {
            let (_, renewal_days) = validity(user, settings)?;
            issuance::secret_step(user, observed, settings, renewal_days, metadata, now)
        }
        Some(KafkaUserAuthenticationType::Tls) => certificate_step(user, observed, settings, metadata, now),
        Some(KafkaUserAuthenticationType::ScramSha512) => password_step(user, observed, metadata),
        Some(KafkaUserAuthenticationType::TlsExternal) | None => Ok(match observed.secret.as_deref() {
            Some(view) if was_made_for(view, &user.name_any()) => SecretStep::Delete,
            _ => SecretStep::Keep,
        }),
    }
}

/// What happens to the Certificate of a user where an issuer signs.
fn certificate_of_issuer(
    user: &KafkaUser,
    observed: &Observed,
    settings: &PlanSettings,
    issuer: &ObjectReference,
    metadata: &Metadata,
) -> Result<CertificateStep, Refusal> {
    let name = ownership::secret_name(user, &settings.secret_prefix);
    if let Some(name) = name.filter(|name| name.ends_with(names::ISSUED_SUFFIX)) {
        return Err(Refusal::invalid(format!(
            "the Secret of the user would be {name}, and Secrets with names that end in {} are those of cert-manager: rename the user",
            names::ISSUED_SUFFIX
        )));
    }
    if authentication(user) != Some(KafkaUserAuthenticationType::Tls) {
        return Ok(issuance::without_certificate(user, observed));
    }
    let days = validity(user, settings)?;
    issuance::certificate_step(user, observed, settings, issuer, days, metadata)
}

fn password_changes(
    user: &KafkaUser,
    secret: &SecretStep,
    observed: &Observed,
    kafka: &UserInKafka,
    changes: &mut KafkaChanges,
) {
    if authentication(user) == Some(KafkaUserAuthenticationType::ScramSha512) {
        let known = observed.secret.as_deref().and_then(|view| view.password.as_ref());
        // A password that was set with a tool shows only when it has other rounds than ours.
        changes.set_password = kafka.plain.scram != Some(SCRAM_ITERATIONS)
            || matches!(secret, SecretStep::Password(_)) && known.is_none()
            || wanted_password(secret, observed) != observed.acknowledged.as_ref();
    } else {
        changes.delete_password = kafka.plain.scram.is_some();
    }
}

/// What has to be removed for a name for which the watch shows no resource.
///
/// Taking the label off a user, or having it name another cluster, takes the rights in this cluster away. The Secret stays: it
/// may be the other cluster's by now, or the label may come back, and nothing brings a password or a key back.
pub(crate) fn plan_absent(
    name: &str,
    observed: &Observed,
    settings: &PlanSettings,
    resource: &Whereabouts,
) -> Plan {
    let mut plan = Plan::nothing();
    match resource {
        Whereabouts::Gone => {
            if observed.secret.as_deref().is_some_and(|view| was_made_for(view, name)) {
                plan.secret = SecretStep::Delete;
            }
        }
        Whereabouts::Relabelled => {}
        Whereabouts::Ours => return plan,
        Whereabouts::Unknown(why) => {
            plan.refusals.push(Refusal {
                reason: reasons::INTERNAL_ERROR,
                message: format!("cannot tell whether KafkaUser {name} is gone: {why}"),
                retry: true,
            });
            return plan;
        }
    }
    let ignored = settings.ignored_users.as_ref().is_some_and(|pattern| pattern.is_match(name));
    if let (Some(kafka), false) = (&observed.kafka, ignored) {
        let (changes, nothing) = (&mut plan.kafka, Rights::default());
        difference(
            &principals::by_certificate(name),
            &kafka.certificate,
            &nothing,
            kafka.acls_supported,
            changes,
        );
        difference(name, &kafka.plain, &nothing, kafka.acls_supported, changes);
        changes.delete_password = kafka.plain.scram.is_some();
    }
    plan
}

fn wanted_password<'a>(step: &'a SecretStep, observed: &'a Observed) -> Option<&'a Password> {
    match step {
        SecretStep::Password(Some(password)) => Some(password),
        _ => observed.secret.as_deref().and_then(|view| view.password.as_ref()),
    }
}

fn difference(
    username: &str,
    held: &Held,
    Rights { rules, quotas }: &Rights,
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
    observed: &Observed,
    settings: &PlanSettings,
    metadata: &Metadata,
    now: Timestamp,
) -> Result<SecretStep, Refusal> {
    let (validity_days, renewal_days) = validity(user, settings)?;
    let mut why = Vec::new();
    match observed.secret.as_deref().map_or(Certificate::Missing, |view| view.certificate) {
        Certificate::Missing => why.push(LeafReason::Missing),
        Certificate::Broken => why.push(LeafReason::Broken),
        Certificate::Valid(until) if until <= now => why.push(LeafReason::Expired),
        Certificate::Valid(until) => {
            let due = until.as_second() - now.as_second() <= i64::from(renewal_days) * 86_400;
            let can_be_prolonged = observed.authority_ends.is_none_or(|ends| until < ends);
            if due && can_be_prolonged && pki::in_maintenance_window(&settings.windows, now) {
                why.push(LeafReason::Expiring);
            }
        }
    }
    match &observed.authority {
        Some(Ok(authority)) => {
            let changed = observed.secret.as_deref().is_some_and(|view| view.authority != Some(*authority));
            if why.is_empty() && changed {
                why.push(LeafReason::AuthorityChanged);
            }
        }
        // A user whose certificate is in order needs no authority.
        Some(Err(_)) if why.is_empty() => {}
        Some(Err(message)) => {
            let message = format!("no certificate can be issued: {message}");
            return Err(Refusal { reason: reasons::INVALID_CONFIGURATION, message, retry: false });
        }
        None => {
            let message = "the clients CA was not read yet".to_owned();
            return Err(Refusal { reason: reasons::CREATING, message, retry: true });
        }
    }
    let Some(view) = observed.secret.as_deref() else {
        return Ok(SecretStep::Issue { validity_days, reasons: why });
    };
    if view.force_renew() && matches!(observed.authority, Some(Ok(_))) {
        why.push(LeafReason::Forced);
    }
    // A new certificate would be refused by the nodes that do not trust its authority yet. The old one is good everywhere.
    if observed.untrusted_yet && matches!(view.certificate, Certificate::Valid(until) if until > now) {
        why.clear();
    }
    if !why.is_empty() {
        return Ok(SecretStep::Issue { validity_days, reasons: why });
    }
    Ok(refresh_step(view, user, settings, metadata))
}

fn validity(user: &KafkaUser, settings: &PlanSettings) -> Result<(u32, u32), Refusal> {
    let days =
        |value: Option<i32>, default: u32| value.and_then(|days| u32::try_from(days).ok()).unwrap_or(default);
    let authentication = user.spec.authentication.as_ref();
    let validity = days(authentication.and_then(|a| a.validity_days), settings.validity_days);
    let renewal = days(authentication.and_then(|a| a.renewal_days), settings.renewal_days);
    if renewal >= validity {
        return Err(Refusal::invalid(format!(
            "spec.authentication.renewalDays ({renewal}) has to be less than validityDays ({validity})"
        )));
    }
    Ok((validity, renewal))
}

fn password_step(user: &KafkaUser, observed: &Observed, metadata: &Metadata) -> Result<SecretStep, Refusal> {
    let desired = match &observed.desired_password {
        None => None,
        Some(Ok(password)) => Some(password),
        Some(Err(problem)) => return Err(problem.clone()),
    };
    let Some(view) = observed.secret.as_deref() else { return Ok(SecretStep::Password(desired.cloned())) };
    let stale = [keys::CA_CRT, keys::USER_CRT, keys::USER_KEY, keys::USER_P12, keys::USER_PASSWORD]
        .iter()
        .any(|key| view.has(key));
    let fits = view.password.is_some() && (desired.is_none() || desired == view.password.as_ref());
    if fits && view.jaas_fits && !stale && metadata.is_on(view, user) {
        return Ok(SecretStep::Keep);
    }
    Ok(SecretStep::Password(desired.cloned().or_else(|| view.password.clone())))
}

/// The rules of tests.
#[cfg(test)]
pub(crate) fn test_settings() -> PlanSettings {
    PlanSettings {
        secret_prefix: String::new(),
        validity_days: 365,
        renewal_days: 30,
        windows: Vec::new(),
        pkcs12: true,
        acls_supported: true,
        ignored_users: None,
        cluster: Some("my".to_owned()),
        issuer: None,
        algorithm: issuer::KeyAlgorithm::EcdsaP256,
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
pub(crate) mod tests;

#[cfg(test)]
#[path = "plan_laws.rs"]
mod laws;
