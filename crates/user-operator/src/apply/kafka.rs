//! Writes to Kafka: the changes of a whole batch in few large requests.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::principals;
use kafka_admin::{
    AclBinding, AclFilter, Admin, AdminError, ErrorCode, KafkaError, QuotaEntity, QuotaName, ScramChange,
    ScramMechanism, in_halves,
};
use pki::Password;

use operator_runtime::refusal::Refusal;

use crate::plan::KafkaChanges;
use crate::snapshot::{Rule, SCRAM_ITERATIONS, Snapshot};

/// Changes of a batch, each with the place in the batch of the user it belongs to.
#[derive(Default)]
pub(super) struct Gathered {
    create: BTreeMap<AclBinding, usize>,
    delete: BTreeMap<AclBinding, usize>,
    quotas: BTreeMap<QuotaEntity, (usize, BTreeMap<String, Option<f64>>)>,
}

impl Gathered {
    /// Adds the rules and quotas that one user has under the names that count: `CN=<name>` or `<name>`.
    pub(super) fn add(&mut self, index: usize, changes: &KafkaChanges, counts: impl Fn(&str) -> bool) {
        let of_rule = |binding: &&AclBinding| counts(username_of(binding));
        self.create.extend(changes.create.iter().filter(of_rule).map(|binding| (binding.clone(), index)));
        self.delete.extend(changes.delete.iter().filter(of_rule).map(|binding| (binding.clone(), index)));
        for (entity, change) in &changes.quotas {
            if matches!(&entity.user, Some(QuotaName::Named(username)) if counts(username)) {
                self.quotas.insert(entity.clone(), (index, change.clone()));
            }
        }
    }
}

/// A password to tell Kafka, or to take from it.
pub(super) struct PasswordChange {
    /// Place in the batch.
    pub index: usize,
    /// The user's name.
    pub user: String,
    /// `None`: it is removed.
    pub password: Option<Password>,
}

/// What did not succeed.
#[derive(Default)]
pub(super) struct Failures {
    /// Place in the batch, and why.
    pub of_users: Vec<(usize, Refusal)>,
    /// Whether Kafka could not be asked at all.
    pub unanswered: bool,
}

impl Failures {
    fn refused(&mut self, index: usize, error: &KafkaError) {
        self.add(index, error.to_string());
    }

    /// There is no answer for this part of a request.
    fn left_out(&mut self, index: usize, what: &str, error: Option<&AdminError>) {
        let unsaid = || format!("Kafka did not answer for {what}");
        self.add(index, error.map_or_else(unsaid, ToString::to_string));
    }

    fn unanswered(&mut self, users: impl Iterator<Item = usize>, error: &AdminError) {
        self.unanswered |= error.kafka_error().is_none();
        for index in users {
            self.add(index, error.to_string());
        }
    }

    fn add(&mut self, index: usize, message: String) {
        self.of_users.push((index, Refusal { reason: reasons::KAFKA_ERROR, message, retry: true }));
    }
}

/// ACLs and quotas, in one request each, unless Kafka cannot read one of them.
pub(super) async fn write(admin: &Admin, snapshot: &Snapshot, gathered: Gathered) -> Failures {
    let mut failed = Failures::default();
    let Gathered { create, mut delete, quotas } = gathered;
    let created = in_halves(admin, create.keys().cloned().collect(), |rules| admin.create_acls(rules));
    let changes = quotas.iter().map(|(entity, (_, change))| (entity.clone(), change.clone())).collect();
    let altered = in_halves(admin, changes, |changes: Vec<_>| {
        admin.alter_client_quotas(changes.into_iter().collect(), false)
    });
    let (mut created, mut altered) = tokio::join!(created, altered);
    for (binding, index) in &create {
        match created.outcomes.remove(binding) {
            Some(Ok(())) => note_acl(snapshot, binding, true),
            Some(Err(error)) => failed.refused(*index, &error),
            None => failed.left_out(*index, "an ACL", created.failed.as_ref()),
        }
    }
    // Old rules go after the new ones are there, so that a change of rules interrupts no client.
    keep_old_rules(&mut delete, &failed);
    for (entity, (index, change)) in &quotas {
        match altered.outcomes.remove(entity) {
            Some(Ok(())) => note_quota(snapshot, entity, change),
            Some(Err(error)) => failed.refused(*index, &error),
            None => failed.left_out(*index, "a quota", altered.failed.as_ref()),
        }
    }
    let filters = delete.keys().map(AclFilter::from).collect();
    let mut deleted = in_halves(admin, filters, |filters| admin.delete_acls(filters)).await;
    for (binding, index) in &delete {
        match deleted.outcomes.remove(&AclFilter::from(binding)) {
            Some(Ok(_)) => note_acl(snapshot, binding, false),
            Some(Err(error)) => failed.refused(*index, &error),
            None => failed.left_out(*index, "an ACL", deleted.failed.as_ref()),
        }
    }
    failed.unanswered |= created.away || altered.away || deleted.away;
    failed
}

/// Leaves users their old rules who did not get the new ones.
fn keep_old_rules(delete: &mut BTreeMap<AclBinding, usize>, failed: &Failures) {
    let without: BTreeSet<usize> = failed.of_users.iter().map(|(index, _)| *index).collect();
    delete.retain(|_, index| !without.contains(index));
}

fn username_of(binding: &AclBinding) -> &str {
    principals::username(&binding.principal).unwrap_or(&binding.principal)
}

fn note_acl(snapshot: &Snapshot, binding: &AclBinding, present: bool) {
    snapshot.update(username_of(binding), |held| {
        let rule = Rule::of(binding);
        if present {
            held.rules.insert(rule);
        } else {
            held.rules.remove(&rule);
        }
    });
}

fn note_quota(snapshot: &Snapshot, entity: &QuotaEntity, change: &BTreeMap<String, Option<f64>>) {
    let Some(QuotaName::Named(username)) = &entity.user else { return };
    snapshot.update(username, |held| {
        for (key, value) in change {
            match value {
                Some(value) => held.quotas.insert(key.clone(), *value),
                None => held.quotas.remove(key),
            };
        }
    });
}

/// SCRAM credentials, in one request.
pub(super) async fn write_passwords(
    admin: &Admin,
    snapshot: &Snapshot,
    wanted: Vec<PasswordChange>,
) -> Failures {
    let mut failed = Failures::default();
    if wanted.is_empty() {
        return failed;
    }
    let mechanism = ScramMechanism::Sha512;
    let changes = wanted.iter().map(|change| match &change.password {
        None => ScramChange::Delete { user: change.user.clone(), mechanism },
        Some(password) => ScramChange::Upsert {
            user: change.user.clone(),
            mechanism,
            iterations: SCRAM_ITERATIONS,
            password: password.expose().to_owned(),
        },
    });
    // Without an answer it is not known which one Kafka has.
    for change in &wanted {
        snapshot.forget_password(&change.user);
    }
    let mut outcomes = match admin.alter_scram_credentials(changes.collect()).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            failed.unanswered(wanted.iter().map(|change| change.index), &error);
            return failed;
        }
    };
    for PasswordChange { index, user, password } in wanted {
        match outcomes.remove(&user) {
            Some(Ok(())) => snapshot.told(&user, password),
            // Removed already, by this request's first attempt or by another client.
            Some(Err(error)) if password.is_none() && error.code == ErrorCode::RESOURCE_NOT_FOUND => {
                snapshot.told(&user, None);
            }
            Some(Err(error)) => failed.refused(index, &error),
            None => failed.left_out(index, "a password", None),
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use kafka_admin::{AclOperation, AdminConfig, PatternType, Permission, ResourceType};

    use super::*;

    fn rule(user: &str) -> AclBinding {
        AclBinding {
            resource_type: ResourceType::Topic,
            resource_name: "t".into(),
            pattern: PatternType::Literal,
            principal: principals::of_user(&principals::by_certificate(user)),
            host: "*".to_owned(),
            operation: AclOperation::Read,
            permission: Permission::Allow,
        }
    }

    #[test]
    fn a_user_without_its_new_rules_keeps_the_old_ones() {
        let mut failed = Failures::default();
        failed.refused(0, &KafkaError::new(ErrorCode::NOT_CONTROLLER, ""));
        let mut delete = BTreeMap::from([(rule("a"), 0), (rule("b"), 1)]);
        keep_old_rules(&mut delete, &failed);
        assert_eq!(delete.into_keys().collect::<Vec<_>>(), [rule("b")]);
    }

    #[tokio::test]
    async fn a_password_that_kafka_did_not_answer_for_is_not_known_any_more() {
        let nowhere = AdminConfig::brokers(["127.0.0.1:1"]).with_request_timeout(Duration::from_millis(50));
        let (admin, snapshot) = (Admin::new(nowhere).unwrap(), Snapshot::default());
        snapshot.told("a", Some(Password::new("first")));
        let change =
            PasswordChange { index: 0, user: "a".to_owned(), password: Some(Password::new("second")) };
        let failed = write_passwords(&admin, &snapshot, vec![change]).await;
        assert!(failed.unanswered);
        // Going back to the first is a change too: Kafka may have the second.
        assert!(snapshot.password("a").is_none());
    }
}
