//! Carries plans out, for many users at once: Secrets and statuses concurrently, Kafka's side in few large requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::conditions::reasons;
use api::{KafkaUser, annotations};
use futures::StreamExt;
use futures::stream;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kafka_admin::{
    AclBinding, AclFilter, Admin, AdminError, KafkaError, QuotaEntity, QuotaName, ScramChange, ScramMechanism,
};
use kube::api::{Patch, PatchParams, PropagationPolicy};
use kube::{Api, ResourceExt};
use operator_runtime::apply::{Applier, FIELD_MANAGER, REQUEST_DEADLINE};
use operator_runtime::clock;
use operator_runtime::metrics::ReconcileMetrics;
use operator_runtime::watch::{Cache, Event, ObjectRef};
use pki::Password;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::authority::{ClientsCa, Current};
use crate::controller::{is_ignored, user_of_secret};
use crate::credentials::{self, Data, Order};
use crate::kafka::{Rule, Snapshot};
use crate::plan::{self, KafkaChanges, Observed, Plan, Problem, SecretStep};
use crate::secret::{ALL_KEYS, Metadata, SecretView, owner_reference};
use crate::settings::Settings;
use crate::status;

/// Requests to Kubernetes in flight, over all batches.
const IN_FLIGHT: usize = 32;
/// Keys made at the same time: each takes a processor.
const KEYS_AT_ONCE: usize = 2;
/// Rounds of SCRAM-SHA-512: Kafka's least, and Strimzi's number.
const SCRAM_ITERATIONS: i32 = 4096;
/// A Kafka that is away for less is not worth a word in the status.
const KAFKA_AWAY: Duration = Duration::from_secs(30);

/// What batches share.
pub struct Context {
    /// The settings.
    pub settings: Settings,
    /// Kafka's side.
    pub snapshot: Snapshot,
    /// The connection to Kafka, once there is one.
    pub admin: watch::Receiver<Option<Admin>>,
    /// The clients CA.
    pub authority: watch::Receiver<Option<Current>>,
    /// Metrics of KafkaUsers.
    pub metrics: ReconcileMetrics,
    /// The KafkaUsers.
    pub users: Cache<KafkaUser>,
    secrets: Cache<SecretView>,
    /// Own writes that the watch did not tell of yet.
    written: Mutex<HashMap<String, Arc<SecretView>>>,
    /// Passwords that Kafka is known to have. Not known after a start: then each is told once.
    acknowledged: Mutex<HashMap<String, Password>>,
    kafka_lost: Mutex<Option<Instant>>,
    applier: Applier,
    requests: Semaphore,
    keys: Semaphore,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("namespace", &self.settings.namespace).finish_non_exhaustive()
    }
}

/// One user of a batch, on its way.
struct Item {
    name: String,
    user: Option<Arc<KafkaUser>>,
    secret: Option<Arc<SecretView>>,
    plan: Plan,
    problem: Option<Problem>,
    /// The password to tell Kafka.
    password: Option<Password>,
    paused: bool,
}

impl Item {
    fn fail(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    fn may_write(&self) -> bool {
        self.problem.is_none() && !self.paused
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn kafka_problem(error: &KafkaError) -> Problem {
    Problem { reason: reasons::KAFKA_ERROR, message: error.to_string(), retry: true }
}

fn call_problem(error: &AdminError) -> Problem {
    Problem { reason: reasons::KAFKA_ERROR, message: error.to_string(), retry: true }
}

fn kubernetes_problem(message: impl Into<String>) -> Problem {
    Problem { reason: reasons::INTERNAL_ERROR, message: message.into(), retry: true }
}

impl Context {
    /// Puts together what batches share.
    pub fn new(
        applier: Applier,
        admin: watch::Receiver<Option<Admin>>,
        authority: watch::Receiver<Option<Current>>,
        metrics: ReconcileMetrics,
        users: Cache<KafkaUser>,
        secrets: Cache<SecretView>,
        settings: Settings,
    ) -> Self {
        Self {
            settings,
            snapshot: Snapshot::default(),
            admin,
            authority,
            metrics,
            users,
            secrets,
            written: Mutex::default(),
            acknowledged: Mutex::default(),
            kafka_lost: Mutex::default(),
            applier,
            requests: Semaphore::new(IN_FLIGHT),
            keys: Semaphore::new(KEYS_AT_ONCE),
        }
    }

    /// Kafka answered.
    pub fn kafka_answered(&self) {
        *lock(&self.kafka_lost) = None;
    }

    /// Kafka did not answer.
    pub fn kafka_failed(&self) {
        lock(&self.kafka_lost).get_or_insert_with(Instant::now);
    }

    /// Takes note of a change of a Secret; says whose it is, unless it is the operator's own write.
    pub fn secret_changed(&self, event: &Event<'_, SecretView>) -> Option<String> {
        let secret = &event.key().name;
        let name = user_of_secret(&self.settings, secret)?.to_owned();
        let mut written = lock(&self.written);
        match event {
            Event::Applied { new, .. } => {
                let own = written.get(&name).map(|view| view.version);
                if own.is_some_and(|own| new.version >= own) {
                    written.remove(&name);
                }
                if own.is_some_and(|own| new.version <= own) { None } else { Some(name) }
            }
            Event::Deleted { .. } => {
                written.remove(&name);
                Some(name)
            }
        }
    }

    fn secret_name(&self, user: &str) -> String {
        format!("{}{user}", self.settings.rules.secret_prefix)
    }

    fn key(&self, name: &str) -> ObjectRef {
        ObjectRef::new(self.settings.namespace.as_str(), name)
    }

    fn secret_of(&self, user: &str) -> Option<Arc<SecretView>> {
        let cached = self.secrets.get(&self.key(&self.secret_name(user)));
        let own = lock(&self.written).get(user).cloned();
        match (cached, own) {
            (Some(cached), Some(own)) => Some(if own.version > cached.version { own } else { cached }),
            (cached, own) => own.or(cached),
        }
    }

    /// Brings users to where their resources say; for each, whether it has to be tried again.
    pub async fn run(&self, names: Vec<String>) -> Vec<(String, bool)> {
        let begun = Instant::now();
        let now = clock::now();
        let mut items: Vec<Item> =
            stream::iter(names).map(|name| self.observe(name, now)).buffered(16).collect().await;
        self.write(&mut items, now).await;
        let mut statuses = Vec::new();
        for item in &mut items {
            statuses.push(self.write_status(item, now));
        }
        stream::iter(statuses).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
        let mut results = Vec::new();
        for item in items {
            self.metrics.reconciliations.inc();
            self.metrics.observe(begun.elapsed());
            match &item.problem {
                None => self.metrics.successful.inc(),
                Some(problem) => {
                    self.metrics.failed.inc();
                    tracing::warn!(user = %item.name, reason = problem.reason, problem = %problem.message, "the user is not as asked for");
                }
            }
            results.push((item.name, item.problem.is_some_and(|problem| problem.retry)));
        }
        results
    }

    async fn observe(&self, name: String, now: Timestamp) -> Item {
        let user = self.users.get(&self.key(&name)).filter(|user| user.metadata.deletion_timestamp.is_none());
        let secret = self.secret_of(&name);
        let kafka = self.snapshot.user(&name);
        let Some(user) = user else {
            let ignored = is_ignored(&self.settings, &name);
            let mut plan = Plan {
                secret: SecretStep::Keep,
                kafka: KafkaChanges::default(),
                problem: None,
                metadata: None,
            };
            if let (Some(kafka), false) = (&kafka, ignored) {
                plan.kafka = plan::plan_absent(&name, kafka);
            }
            let made_for_it = |view: &Arc<SecretView>| {
                view.is_of_users() && view.owner.as_ref().is_some_and(|(owner, _)| *owner == name)
            };
            if secret.as_ref().is_some_and(made_for_it) {
                plan.secret = SecretStep::Delete;
            }
            return Item { name, user: None, secret, plan, problem: None, password: None, paused: false };
        };
        let paused = status::is_paused(&user);
        let desired_password = if paused { None } else { self.desired_password(&user).await };
        let acknowledged = lock(&self.acknowledged).get(&name).cloned();
        let authority = match &*self.authority.borrow() {
            Some(Ok(ca)) => Some(Ok(ca.hash)),
            Some(Err(problem)) => Some(Err(problem.clone())),
            None => None,
        };
        let unreachable = kafka.is_none();
        let observed = Observed {
            secret: secret.as_deref(),
            kafka,
            authority,
            desired_password,
            acknowledged: acknowledged.as_ref(),
        };
        let plan = plan::plan(&user, &observed, &self.settings.rules, now);
        let mut item = Item {
            name,
            user: Some(user),
            secret,
            problem: plan.problem.clone(),
            plan,
            password: None,
            paused,
        };
        if unreachable && item.problem.is_none() && !paused {
            // The Secret is made all the same; Kafka's side follows.
            item.plan.kafka = KafkaChanges::default();
        }
        item
    }

    async fn desired_password(&self, user: &KafkaUser) -> Option<Result<Password, String>> {
        let reference = user.spec.authentication.as_ref()?.password.as_ref()?;
        let Some(reference) = &reference.value_from.secret_key_ref else {
            return Some(Err(
                "spec.authentication.password.valueFrom.secretKeyRef is missing: name the Secret and its key"
                    .into(),
            ));
        };
        let key = self.key(&reference.name);
        let _permit = self.requests.acquire().await;
        let found = match self.applier.get::<Secret>(&key).await {
            Ok(found) => found,
            Err(error) => return Some(Err(format!("the Secret with the password cannot be read: {error}"))),
        };
        let Some(secret) = found else {
            return Some(Err(format!("the Secret {} with the password does not exist", reference.name)));
        };
        let value = secret.data.unwrap_or_default().remove(&reference.key);
        let Some(value) = value.and_then(|bytes| String::from_utf8(bytes.0).ok()) else {
            return Some(Err(format!(
                "the Secret {} has no key {} with text",
                reference.name, reference.key
            )));
        };
        if value.is_empty() {
            return Some(Err(format!("the key {} of Secret {} is empty", reference.key, reference.name)));
        }
        Some(Ok(Password::new(value)))
    }

    async fn write(&self, items: &mut [Item], now: Timestamp) {
        let admin = self.admin.borrow().clone();
        let loaded = self.snapshot.is_loaded();
        // Kafka's side is gathered first, so that it can be written while Secrets are made.
        let mut gathered = Gathered::default();
        for (index, item) in items.iter().enumerate().filter(|(_, item)| item.may_write()) {
            gathered.add(index, &item.plan.kafka);
        }
        let mut secrets = Vec::new();
        for item in items.iter_mut() {
            if item.may_write() && item.plan.secret != SecretStep::Keep {
                secrets.push(self.write_secret(item, now));
            }
        }
        let (Some(admin), true) = (&admin, loaded) else {
            stream::iter(secrets).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>().await;
            self.kafka_failed();
            for item in items.iter_mut().filter(|item| !item.paused) {
                item.fail(Problem {
                    reason: reasons::KAFKA_ERROR,
                    message: "Kafka cannot be reached; trying again".to_owned(),
                    retry: true,
                });
            }
            return;
        };
        let secrets = stream::iter(secrets).buffer_unordered(IN_FLIGHT).collect::<Vec<()>>();
        let failed = tokio::join!(secrets, self.write_kafka(admin, gathered)).1;
        for (index, problem) in failed {
            if let Some(item) = items.get_mut(index) {
                item.fail(problem);
            }
        }
        self.write_passwords(admin, items).await;
    }

    async fn write_secret(&self, item: &mut Item, now: Timestamp) {
        let done = match &item.user {
            None => self.delete_secret(item).await,
            Some(user) => {
                let user = Arc::clone(user);
                match item.plan.secret.clone() {
                    SecretStep::Keep => Ok(()),
                    SecretStep::Delete => self.delete_secret(item).await,
                    SecretStep::Issue { validity_days, reasons } => {
                        let order = self.order(&item.name, validity_days);
                        let ca = self.authority.borrow().clone();
                        if item.secret.is_some() {
                            let why: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                            tracing::info!(user = %item.name, why = %why.join("; "), "issues a new certificate");
                        }
                        match ca {
                            Some(Ok(ca)) => match self.make(order, Some(ca), Data::new(), now).await {
                                Ok(data) => self.apply_secret(item, &user, data).await,
                                Err(problem) => Err(problem),
                            },
                            _ => Err(kubernetes_problem("the clients CA cannot be used")),
                        }
                    }
                    SecretStep::Refresh => self.refresh_secret(item, &user, now).await,
                    SecretStep::Password(password) => {
                        match password.map_or_else(|| pki::password(self.settings.password_length), Ok) {
                            Ok(password) => {
                                let data = credentials::password(&item.name, &password);
                                item.password = Some(password);
                                self.apply_secret(item, &user, data).await
                            }
                            Err(error) => Err(kubernetes_problem(error.to_string())),
                        }
                    }
                }
            }
        };
        if let Err(problem) = done {
            item.fail(problem);
        }
    }

    fn order(&self, user: &str, validity_days: u32) -> Order {
        Order {
            user: user.to_owned(),
            validity_days,
            algorithm: self.settings.algorithm,
            pkcs12: self.settings.rules.pkcs12,
        }
    }

    /// Makes a Secret's contents on a blocking thread: from the authority, or from what it has already.
    async fn make(
        &self,
        order: Order,
        ca: Option<Arc<ClientsCa>>,
        live: Data,
        now: Timestamp,
    ) -> Result<Data, Problem> {
        let _permit = self.keys.acquire().await;
        let made = tokio::task::spawn_blocking(move || match ca {
            Some(ca) => credentials::issue(&order, &ca, now),
            None => credentials::refresh(&order, &live),
        })
        .await;
        match made {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(error)) => Err(kubernetes_problem(error.to_string())),
            Err(_) => Err(kubernetes_problem("making the user's credentials was interrupted")),
        }
    }

    async fn refresh_secret(&self, item: &mut Item, user: &KafkaUser, now: Timestamp) -> Result<(), Problem> {
        let key = self.key(&self.secret_name(&item.name));
        let live = {
            let _permit = self.requests.acquire().await;
            self.applier.get::<Secret>(&key).await.map_err(|error| kubernetes_problem(error.to_string()))?
        };
        let Some(live) = live else {
            return Err(kubernetes_problem(format!("Secret {key} is gone; making it anew")));
        };
        let order = self.order(&item.name, self.settings.rules.validity_days);
        let data = self.make(order, None, live.data.unwrap_or_default(), now).await?;
        self.apply_secret(item, user, data).await
    }

    /// Writes a Secret, and takes out of it what an earlier kind of authentication or another tool left.
    async fn apply_secret(&self, item: &mut Item, user: &KafkaUser, data: Data) -> Result<(), Problem> {
        let name = self.secret_name(&item.name);
        let api: Api<Secret> = Api::namespaced(self.applier.client().clone(), &self.settings.namespace);
        let failed = |error: String| kubernetes_problem(format!("cannot write Secret {name}: {error}"));
        let _permit = self.requests.acquire().await;
        if item.secret.is_none() {
            // A user must not take over a Secret that was made for something else, such as the key of an authority.
            let found = within(api.get_metadata_opt(&name)).await.map_err(&failed)?;
            let foreign = |meta: &ObjectMeta| {
                let kind = meta.labels.as_ref().and_then(|all| all.get(api::labels::KIND));
                kind.is_none_or(|kind| kind != "KafkaUser")
            };
            if found.is_some_and(|found| foreign(&found.metadata)) {
                return Err(Problem {
                    reason: reasons::RESOURCE_CONFLICT,
                    message: format!(
                        "the Secret {name} exists and was not made for a KafkaUser: delete it, rename the user, or set STRIMZI_SECRET_PREFIX"
                    ),
                    retry: true,
                });
            }
        }
        let Metadata { labels, annotations } = item
            .plan
            .metadata
            .clone()
            .unwrap_or(Metadata { labels: BTreeMap::new(), annotations: BTreeMap::new() });
        let wanted_keys: Vec<String> = data.keys().cloned().collect();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                labels: Some(labels),
                annotations: (!annotations.is_empty()).then_some(annotations),
                owner_references: Some(vec![owner_reference(user)]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(data),
            ..Secret::default()
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let mut written = within(api.patch(&name, &params, &Patch::Apply(&secret))).await.map_err(&failed)?;
        let leftover = leftovers(&written, &wanted_keys);
        if let Some(patch) = leftover {
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            written = within(api.patch(&name, &params, &Patch::Merge(&patch))).await.map_err(&failed)?;
        }
        let view = SecretView::of(&written, &self.settings.rules.secret_prefix);
        // The watch may have told of it before the answer came: then there is nothing to remember.
        let known = self.secrets.get(&self.key(&name)).is_some_and(|cached| cached.version >= view.version);
        if !known {
            lock(&self.written).insert(item.name.clone(), Arc::new(view));
        }
        Ok(())
    }

    async fn delete_secret(&self, item: &Item) -> Result<(), Problem> {
        let Some(view) = &item.secret else { return Ok(()) };
        let key = self.key(&self.secret_name(&item.name));
        let _permit = self.requests.acquire().await;
        self.applier
            .delete::<Secret>(&key, Some(&view.uid), PropagationPolicy::Background)
            .await
            .map_err(|error| kubernetes_problem(error.to_string()))?;
        lock(&self.written).remove(&item.name);
        Ok(())
    }

    /// ACLs and quotas of a whole batch, in one request each. Says whose did not succeed.
    async fn write_kafka(&self, admin: &Admin, gathered: Gathered) -> Vec<(usize, Problem)> {
        let mut failed = Vec::new();
        let Gathered { create, delete, quotas } = gathered;
        let created = async {
            if create.is_empty() {
                Ok(BTreeMap::new())
            } else {
                admin.create_acls(create.keys().cloned()).await
            }
        };
        let altered = async {
            if quotas.is_empty() {
                return Ok(BTreeMap::new());
            }
            let changes =
                quotas.iter().map(|(entity, (_, change))| (entity.clone(), change.clone())).collect();
            admin.alter_client_quotas(changes, false).await
        };
        let (created, altered) = tokio::join!(created, altered);
        match created {
            Ok(mut outcomes) => {
                for (binding, index) in &create {
                    match outcomes.remove(binding) {
                        Some(Ok(())) => self.note_acl(binding, true),
                        Some(Err(error)) => failed.push((*index, kafka_problem(&error))),
                        None => failed.push((*index, kubernetes_problem("Kafka did not answer for an ACL"))),
                    }
                }
            }
            Err(error) => failed.extend(create.values().map(|index| (*index, call_problem(&error)))),
        }
        match altered {
            Ok(mut outcomes) => {
                for (entity, (index, change)) in &quotas {
                    match outcomes.remove(entity) {
                        Some(Ok(())) => self.note_quota(entity, change),
                        Some(Err(error)) => failed.push((*index, kafka_problem(&error))),
                        None => failed.push((*index, kubernetes_problem("Kafka did not answer for a quota"))),
                    }
                }
            }
            Err(error) => failed.extend(quotas.values().map(|(index, _)| (*index, call_problem(&error)))),
        }
        // Old rules go after the new ones are there, so that a change of rules interrupts nobody.
        if !delete.is_empty() {
            match admin.delete_acls(delete.keys().map(AclFilter::from)).await {
                Ok(mut outcomes) => {
                    for (binding, index) in &delete {
                        match outcomes.remove(&AclFilter::from(binding)) {
                            Some(Ok(_)) => self.note_acl(binding, false),
                            Some(Err(error)) => failed.push((*index, kafka_problem(&error))),
                            None => {
                                failed.push((*index, kubernetes_problem("Kafka did not answer for an ACL")));
                            }
                        }
                    }
                }
                Err(error) => failed.extend(delete.values().map(|index| (*index, call_problem(&error)))),
            }
        }
        failed
    }

    fn note_acl(&self, binding: &AclBinding, present: bool) {
        let username = binding.principal.strip_prefix("User:").unwrap_or(&binding.principal);
        self.snapshot.update(username, |held| {
            let rule = Rule::of(binding);
            if present {
                held.rules.insert(rule);
            } else {
                held.rules.remove(&rule);
            }
        });
    }

    fn note_quota(&self, entity: &QuotaEntity, change: &BTreeMap<String, Option<f64>>) {
        let Some(QuotaName::Named(username)) = &entity.user else { return };
        self.snapshot.update(username, |held| {
            for (key, value) in change {
                match value {
                    Some(value) => held.quotas.insert(key.clone(), *value),
                    None => held.quotas.remove(key),
                };
            }
        });
    }

    /// SCRAM credentials of a whole batch in one request.
    async fn write_passwords(&self, admin: &Admin, items: &mut [Item]) {
        let mut changes = Vec::new();
        let mut told = HashMap::new();
        for (index, item) in items.iter().enumerate().filter(|(_, item)| item.may_write()) {
            let mechanism = ScramMechanism::Sha512;
            if item.plan.kafka.delete_password {
                changes.push(ScramChange::Delete { user: item.name.clone(), mechanism });
                told.insert(item.name.clone(), (index, None));
            } else if item.plan.kafka.set_password {
                let known = item.secret.as_ref().and_then(|view| view.password.clone());
                let Some(password) = item.password.clone().or(known) else { continue };
                changes.push(ScramChange::Upsert {
                    user: item.name.clone(),
                    mechanism,
                    iterations: SCRAM_ITERATIONS,
                    password: password.expose().to_owned(),
                });
                told.insert(item.name.clone(), (index, Some(password)));
            }
        }
        if changes.is_empty() {
            return;
        }
        match admin.alter_scram_credentials(changes).await {
            Ok(mut outcomes) => {
                for (name, (index, password)) in told {
                    match outcomes.remove(&name) {
                        Some(Ok(())) => {
                            self.snapshot.update(&name, |held| held.scram = password.is_some());
                            let mut acknowledged = lock(&self.acknowledged);
                            match password {
                                Some(password) => acknowledged.insert(name, password),
                                None => acknowledged.remove(&name),
                            };
                        }
                        Some(Err(error)) => items[index].fail(kafka_problem(&error)),
                        None => items[index].fail(kubernetes_problem("Kafka did not answer for a password")),
                    }
                }
            }
            Err(error) => {
                for (index, _) in told.into_values() {
                    items[index].fail(call_problem(&error));
                }
            }
        }
    }

    async fn write_status(&self, item: &mut Item, now: Timestamp) {
        let Some(user) = &item.user else { return };
        if let Some(problem) = &item.problem {
            let away = (*lock(&self.kafka_lost)).is_none_or(|since| since.elapsed() >= KAFKA_AWAY);
            // What passes by itself within moments would only flicker in the status.
            if problem.retry && problem.reason == reasons::KAFKA_ERROR && !away {
                return;
            }
        }
        let wanted = status::of(user, &self.settings.rules.secret_prefix, item.problem.as_ref(), now);
        if user.status.as_ref() == Some(&wanted) {
            return;
        }
        let live: Option<Value> = user.status.as_ref().and_then(|status| serde_json::to_value(status).ok());
        let key = self.key(&item.name);
        let _permit = self.requests.acquire().await;
        if let Err(error) = self.applier.patch_status::<KafkaUser>(&key, live.as_ref(), &wanted).await {
            item.fail(kubernetes_problem(error.to_string()));
        }
    }
}

/// Changes of a batch, each with the user it belongs to.
#[derive(Default)]
struct Gathered {
    create: BTreeMap<AclBinding, usize>,
    delete: BTreeMap<AclBinding, usize>,
    quotas: BTreeMap<QuotaEntity, (usize, BTreeMap<String, Option<f64>>)>,
}

impl Gathered {
    fn add(&mut self, index: usize, changes: &KafkaChanges) {
        self.create.extend(changes.create.iter().map(|binding| (binding.clone(), index)));
        self.delete.extend(changes.delete.iter().map(|binding| (binding.clone(), index)));
        for (entity, change) in &changes.quotas {
            self.quotas.insert(entity.clone(), (index, change.clone()));
        }
    }
}

/// The patch that removes entries nobody wants any more, and the request for a new certificate that was fulfilled.
fn leftovers(secret: &Secret, wanted: &[String]) -> Option<Value> {
    let mut data = serde_json::Map::new();
    for key in ALL_KEYS {
        let present = secret.data.as_ref().is_some_and(|data| data.contains_key(key));
        if present && !wanted.iter().any(|name| name == key) {
            data.insert(key.to_owned(), Value::Null);
        }
    }
    let forced = secret.annotations().contains_key(annotations::FORCE_RENEW);
    match (data.is_empty(), forced) {
        (true, false) => None,
        (_, false) => Some(json!({ "data": data })),
        (_, true) => {
            Some(json!({ "metadata": { "annotations": { annotations::FORCE_RENEW: null } }, "data": data }))
        }
    }
}

async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<T, String> {
    match tokio::time::timeout(REQUEST_DEADLINE, request).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(kube::Error::Api(status))) => Err(format!("{} (HTTP {})", status.message, status.code)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer from the API server within {} s", REQUEST_DEADLINE.as_secs())),
    }
}
