//! Carries plans out, for many users at once: Secrets and statuses concurrently, Kafka's side in few large requests.

mod certificate_writer;
mod kafka;
mod secret_writer;

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use api::KafkaUser;
use api::conditions::reasons;
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use kafka_admin::Admin;
use kube::ResourceExt;
use operator_runtime::apply::Applier;
use operator_runtime::clock;
use operator_runtime::controller::Outcome;
use operator_runtime::metrics::ReconcileMetrics;
use operator_runtime::refusal::Refusal;
use operator_runtime::watch::ObjectRef;
use pki::Password;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};

use crate::apply::certificate_writer::CertificateWriter;
use crate::apply::kafka::{Failures, Gathered, PasswordChange};
use crate::apply::secret_writer::{SecretWriter, Target};
use crate::issuance::CertificateStep;
use crate::observe::{Observed, Observer, Whereabouts};
use crate::ownership;
use crate::plan::{self, Plan};
use crate::secret_step::SecretStep;
use crate::secret_view::SecretView;
use crate::settings::Settings;
use crate::status;

/// Users observed at the same time: most of it is lookups.
const OBSERVED_AT_ONCE: usize = 16;
/// Requests to Kubernetes in flight, over all batches.
pub(crate) const IN_FLIGHT: usize = 32;
/// From so many users with one and the same problem on, the log tells of them together.
const TOLD_TOGETHER: usize = 4;

/// What batches share.
pub(crate) struct Context {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The connection to Kafka, once there is one.
    pub admin: watch::Receiver<Option<Admin>>,
    /// Metrics of KafkaUsers.
    pub metrics: ReconcileMetrics,
    /// What is seen.
    pub observer: Observer,
    secrets: SecretWriter,
    certificates: CertificateWriter,
    kafka_lost: Mutex<Option<Instant>>,
    /// Users whose last written status names a problem; the watch may not show it yet.
    complained: Mutex<HashSet<String>>,
    applier: Applier,
    requests: Arc<Semaphore>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("namespace", &self.settings.namespace).finish_non_exhaustive()
    }
}

/// One user of a batch, on its way.
struct Item {
    name: String,
    observed: Observed,
    plan: Plan,
    /// What happened, beside what the plan knows.
    troubles: Vec<Refusal>,
    /// Whether the Secret was not written as planned.
    secret_failed: bool,
    /// A password that was made or taken over in this pass.
    password: Option<Password>,
    paused: bool,
}

impl Item {
    fn fail(&mut self, problem: Refusal) {
        self.troubles.push(problem);
    }

    fn fail_secret(&mut self, problem: Refusal) {
        self.secret_failed = true;
        self.fail(problem);
    }

    fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.plan.refusals.iter().chain(&self.troubles)
    }

    fn problem(&self) -> Option<Refusal> {
        Refusal::joined(self.refusals())
    }

    /// The name under which the user works once its Secret is written; `None`: it needs nothing that is not there yet.
    fn coming_name(&self) -> Option<String> {
        let user = self.observed.user.as_deref()?;
        let waits = matches!(
            self.plan.secret,
            SecretStep::Issue { .. } | SecretStep::Take | SecretStep::Password(_) | SecretStep::Refresh
        );
        waits.then(|| crate::user::username(user))
    }
}

impl Context {
    /// Puts together what batches share.
    pub(crate) fn new(
        applier: Applier,
        admin: watch::Receiver<Option<Admin>>,
        metrics: ReconcileMetrics,
        observer: Observer,
        requests: Arc<Semaphore>,
        settings: Settings,
    ) -> Self {
        let settings = Arc::new(settings);
        let secrets = SecretWriter::new(
            Arc::clone(&settings),
            applier.clone(),
            observer.authority.clone(),
            Arc::clone(&observer.secrets),
            Arc::clone(&requests),
        );
        let certificates =
            CertificateWriter::new(applier.clone(), Arc::clone(&observer.secrets), Arc::clone(&requests));
        let (kafka_lost, complained) = (Mutex::default(), Mutex::default());
        Self {
            settings,
            admin,
            metrics,
            observer,
            secrets,
            certificates,
            kafka_lost,
            complained,
            applier,
            requests,
        }
    }

    /// Kafka answered.
    pub(crate) fn kafka_answered(&self) {
        *self.kafka_lost.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Kafka did not answer.
    pub(crate) fn kafka_failed(&self) {
        let mut lost = self.kafka_lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.get_or_insert_with(Instant::now);
    }

    /// Brings users to where their resources say. What is wrong with one is told here, and in its status.
    pub(crate) async fn run(&self, names: Vec<String>) -> Vec<(String, Result<Outcome, Infallible>)> {
        let begun = Instant::now();
        let now = clock::now();
        // A user whose resource cannot be read stays as it is: what the resource asks for is not known.
        let (unreadable, names): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| self.observer.is_unreadable(name));
        let observed = stream::iter(names).map(|name| self.plan(name, now)).buffered(OBSERVED_AT_ONCE);
        let mut items: Vec<Item> = observed.collect().await;
        self.write(&mut items, now).await;
        let statuses: Vec<_> = items.iter_mut().map(|item| self.write_status(item, now)).collect();
        stream::iter(statuses).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
        log_problems(&items);
        let mut results: Vec<_> = unreadable.into_iter().map(|name| (name, Ok(Outcome::Done))).collect();
        for item in items {
            self.metrics.reconciliations.inc();
            self.metrics.observe(begun.elapsed());
            let problem = item.problem();
            let counter = if problem.is_none() { &self.metrics.successful } else { &self.metrics.failed };
            counter.inc();
            let again = problem.is_some_and(|problem| problem.retry);
            results.push((item.name, Ok(if again { Outcome::Retry } else { Outcome::Done })));
        }
        results
    }

    async fn plan(&self, name: String, now: Timestamp) -> Item {
        let observed = self.observer.observe(&name).await;
        let settings = &self.settings.plan;
        let plan = if let Some(user) = &observed.user {
            plan::plan(user, &observed, settings, now)
        } else {
            let gone = plan::plan_absent(&name, &observed, settings, &Whereabouts::Gone);
            if gone.is_empty() {
                gone
            } else {
                let resource = self.observer.whereabouts(&name).await;
                plan::plan_absent(&name, &observed, settings, &resource)
            }
        };
        let paused = observed.user.as_ref().is_some_and(|user| crate::user::is_paused(user));
        Item { name, observed, plan, troubles: Vec::new(), secret_failed: false, password: None, paused }
    }

    async fn write(&self, items: &mut [Item], now: Timestamp) {
        let admin = self.admin.borrow().clone();
        // Kafka's side is gathered first, so that it can be written while Secrets are made.
        let coming: Vec<Option<String>> = items.iter().map(Item::coming_name).collect();
        let mut gathered = Gathered::default();
        for (index, (item, coming)) in items.iter().zip(&coming).enumerate() {
            // Until a user can log in under its new name, it works under the old one.
            let now = |name: &str| coming.as_ref().is_none_or(|coming| coming == name);
            gathered.add(index, &item.plan.kafka, now);
        }
        let secrets: Vec<_> = items
            .iter_mut()
            .filter(|item| {
                item.plan.secret != SecretStep::Keep || item.plan.certificate != CertificateStep::Keep
            })
            .map(|item| self.write_secret(item, now))
            .collect();
        let secrets = stream::iter(secrets).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>();
        let (Some(admin), true) = (&admin, self.observer.snapshot.is_loaded()) else {
            // The Secrets are made all the same; Kafka's side follows.
            secrets.await;
            self.kafka_failed();
            for item in items.iter_mut().filter(|item| !item.paused) {
                item.fail(Refusal {
                    reason: reasons::KAFKA_ERROR,
                    message: "Kafka cannot be reached; trying again".to_owned(),
                    retry: true,
                });
            }
            return;
        };
        let rules = kafka::write(admin, &self.observer.snapshot, gathered);
        let failed = tokio::join!(secrets, rules).1;
        self.fail(items, failed);
        let mut old_names = Gathered::default();
        for (index, (item, coming)) in items.iter().zip(&coming).enumerate() {
            if let (Some(coming), true) = (coming, item.troubles.is_empty()) {
                old_names.add(index, &item.plan.kafka, |name| name != coming);
            }
        }
        let failed = kafka::write(admin, &self.observer.snapshot, old_names).await;
        self.fail(items, failed);
        // Planned before Kafka was read for the first time: there was nothing to tell it yet.
        for item in items.iter_mut().filter(|item| !item.paused && item.observed.kafka.is_none()) {
            item.fail(Refusal {
                reason: reasons::CREATING,
                message: "what Kafka has was not read yet; trying again".to_owned(),
                retry: true,
            });
        }
        let passwords = password_changes(items);
        let failed = kafka::write_passwords(admin, &self.observer.snapshot, passwords).await;
        self.fail(items, failed);
    }

    fn fail(&self, items: &mut [Item], failed: Failures) {
        if failed.unanswered {
            self.kafka_failed();
        }
        for (index, problem) in failed.of_users {
            if let Some(item) = items.get_mut(index) {
                item.fail(problem);
            }
        }
    }

    async fn write_secret(&self, item: &mut Item, now: Timestamp) {
        if item.plan.certificate != CertificateStep::Keep {
            if let Err(problem) = self.write_certificate(item).await {
                return item.fail_secret(problem);
            }
            if item.plan.secret == SecretStep::Keep {
                return;
            }
        }
        if let (None, Some(user)) = (&item.observed.secret, item.observed.user.clone()) {
            match self.secrets.find(&user).await {
                Ok(None) => {}
                Ok(Some(found)) => self.plan_again(item, found, now),
                Err(problem) => return item.fail_secret(problem),
            }
            if item.plan.secret == SecretStep::Keep {
                return;
            }
        }
        let target = Target {
            name: &item.name,
            user: item.observed.user.as_deref(),
            live: item.observed.secret.as_deref(),
            plan: &item.plan,
        };
        match self.secrets.write(&target, now).await {
            Ok(password) => item.password = password,
            Err(problem) => item.fail_secret(problem),
        }
    }

    async fn write_certificate(&self, item: &Item) -> Result<(), Refusal> {
        // Before anything is made: the name may be that of a Secret of the cluster, or of another owner.
        if let (None, Some(user)) = (&item.observed.secret, &item.observed.user) {
            self.secrets.find(user).await?;
        }
        self.certificates.write(&item.name, &item.observed, &item.plan).await
    }

    /// Plans once more with a Secret that was found. What Kafka has is as it was seen before: its rules stay as gathered.
    fn plan_again(&self, item: &mut Item, found: Arc<SecretView>, now: Timestamp) {
        let Some(user) = item.observed.user.clone() else { return };
        item.observed.secret = Some(found);
        item.plan = plan::plan(&user, &item.observed, &self.settings.plan, now);
    }

    async fn write_status(&self, item: &mut Item, now: Timestamp) {
        let Some(user) = &item.observed.user else {
            self.complained().remove(&item.name);
            return;
        };
        let lost = *self.kafka_lost.lock().unwrap_or_else(PoisonError::into_inner);
        let away = lost.map(|since| since.elapsed());
        let problem = item.problem();
        if problem.is_some() && item.refusals().all(|problem| status::is_passing(problem, away)) {
            return;
        }
        let wanted = status::of(user, self.own_secret(user), problem.as_ref(), now);
        // What was written last says otherwise, whatever the watch shows.
        let corrects = problem.is_none() && self.complained().contains(&item.name);
        if user.status.as_ref() == Some(&wanted) && !corrects {
            return;
        }
        let seen = user.status.as_ref().filter(|_| !corrects);
        let live: Option<Value> = seen.and_then(|status| serde_json::to_value(status).ok());
        let key = ObjectRef::new(self.settings.namespace.as_str(), item.name.as_str());
        let _permit = self.requests.acquire().await;
        if problem.is_some() {
            // Also when no answer comes.
            self.complained().insert(item.name.clone());
        }
        if let Err(error) = self.applier.patch_status::<KafkaUser>(&key, live.as_ref(), &wanted).await {
            item.fail(Refusal { reason: reasons::INTERNAL_ERROR, message: error.to_string(), retry: true });
        } else if problem.is_none() {
            self.complained().remove(&item.name);
        }
    }

    /// The name of a user's Secret, when there is a Secret that is the user's.
    fn own_secret(&self, user: &KafkaUser) -> Option<String> {
        let name = ownership::secret_name(user, &self.settings.plan.secret_prefix)?;
        let view = self.observer.secrets.of(&user.name_any())?;
        let (_, owner) = view.owner.as_ref()?;
        (Some(owner) == user.metadata.uid.as_ref()).then_some(name)
    }

    fn complained(&self) -> MutexGuard<'_, HashSet<String>> {
        self.complained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passwords that Kafka has to be told, or has to lose. A user that keeps its resource keeps its login until its Secret is
/// as planned; what is wrong with its rights is no reason to wait.
fn password_changes(items: &[Item]) -> Vec<PasswordChange> {
    let mut changes = Vec::new();
    let ready = |item: &Item| item.observed.user.is_none() || !item.secret_failed;
    for (index, item) in items.iter().enumerate().filter(|(_, item)| ready(item)) {
        let user = item.name.clone();
        if item.plan.kafka.delete_password {
            changes.push(PasswordChange { index, user, password: None });
        } else if item.plan.kafka.set_password {
            let known = item.observed.secret.as_ref().and_then(|view| view.password.as_ref());
            if let Some(password) = item.password.as_ref().or(known) {
                changes.push(PasswordChange { index, user, password: Some(password.clone()) });
            }
        }
    }
    changes
}

/// Tells the log of users that are not as asked for; of many with the same problem in one line.
fn log_problems(items: &[Item]) {
    let mut problems: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for item in items {
        if let Some(problem) = item.problem() {
            problems.entry((problem.reason, problem.message)).or_default().push(&item.name);
        }
    }
    for ((reason, problem), users) in problems {
        if users.len() < TOLD_TOGETHER {
            for user in users {
                tracing::warn!(%user, %reason, %problem, "the user is not as asked for");
            }
        } else {
            tracing::warn!(users = users.len(), first = %users[0], %reason, %problem, "users are not as asked for");
        }
    }
}

#[cfg(test)]
#[path = "apply/tests.rs"]
mod tests;
