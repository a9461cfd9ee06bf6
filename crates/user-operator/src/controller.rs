//! Which event leads to a look at which user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::cert_manager::IssuedCertificate;
use api::kinds;
use api::{Condition, KafkaUser, KafkaUserSpec};
use api::{labels, last_applied, principals};
use k8s_openapi::api::core::v1::Secret;
use operator_runtime::{
    apply::Applier,
    batches::{BATCH_DEADLINE, in_spite_of_faults},
    controller,
    entity::Operator,
    env::Namespaces,
    kafka as kafka_connection,
    program::Parts,
    queue::Queue,
    report,
    server::{Gate, Health},
    status::more_than_status_changed,
    watch::{Cache, Watch},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::apply::{Context, IN_FLIGHT};
use crate::certificate_view::CertificateView;
use crate::observe::Observer;
use crate::referenced_passwords::Passwords;
use crate::secret_store::SecretStore;
use crate::secret_view::SecretView;
use crate::settings::Settings;
use crate::{authority, snapshot, user};

/// How long a batch waits for more users: enough to gather a burst, too short to be noticed by one.
const LINGER: Duration = Duration::from_millis(15);
/// How long the first look waits for Kafka, before users are told that it cannot be reached.
const KAFKA_PATIENCE: Duration = Duration::from_secs(20);
/// Reading Kafka's side user by user takes at most one part in so many of the time.
const SLOWER: u32 = 10;
/// Pause between attempts to read Kafka's side for the first time.
const FIRST_READ_PAUSE: Duration = Duration::from_secs(1);

/// Starts the watches and the controller; everything ends with the shutdown. What runs has begun when this returns.
///
/// # Errors
/// None today; the topic operator's start can fail.
pub fn start(settings: Settings, parts: &Parts) -> prometheus::Result<Operator> {
    let Parts { client, metrics, health, shutdown } = parts;
    if !settings.ignored_properties.is_empty() {
        let keys = settings.ignored_properties.join(", ");
        tracing::warn!(%keys, "not supported in STRIMZI_KAFKA_ADMIN_CLIENT_CONFIGURATION, and ignored");
    }
    let namespaces = Namespaces::Some(vec![settings.namespace.clone()]);
    let users = Watch::<KafkaUser>::namespaced(client, &namespaces)
        .labels(settings.selector.to_query().as_deref())
        .within(&settings.limits)
        .start_trimmed(shutdown, |user| {
            user.metadata.managed_fields = None;
            last_applied::note::<KafkaUserSpec>(kinds::KAFKA_USER, &mut user.metadata);
        });
    let applier = Applier::new(client.clone());
    report::in_status::<KafkaUser, _>(&users, &applier, None, Condition::not_ready, shutdown);
    let prefix = settings.plan.secret_prefix.clone();
    let views = prefix.clone();
    let secrets = Watch::<Secret>::namespaced(client, &namespaces)
        .labels(Some(&secret_selector(&settings)))
        .within(&settings.limits)
        .start_weighed(
            shutdown,
            move |secret: Secret| Some(SecretView::of(&secret, &views)),
            |view| view.bytes().into(),
        );
    // Nothing waits for them: an installation may lack the kind for a while.
    let certificates = settings.plan.issuer.is_some().then(|| {
        Watch::<IssuedCertificate>::namespaced(client, &namespaces)
            .labels(Some(&secret_selector(&settings)))
            .within(&settings.limits)
            .optional()
            .start_weighed(
                shutdown,
                |certificate| Some(CertificateView::of(certificate)),
                |view| view.bytes.into(),
            )
    });
    let admin = kafka_connection::connect(client, settings.kafka.clone(), metrics, shutdown);
    let requests = Arc::new(Semaphore::new(IN_FLIGHT));
    let passwords = Passwords::follow(client, &settings, Arc::clone(&requests), shutdown);
    let observer = Observer {
        namespace: settings.namespace.clone(),
        selector: settings.selector.clone(),
        users: users.clone(),
        secrets: Arc::new(SecretStore::new(
            secrets.clone(),
            &settings.namespace,
            &prefix,
            settings.plan.issuer.is_some(),
        )),
        certificates: certificates.clone(),
        passwords: Arc::new(passwords),
        snapshot: Arc::default(),
        authority: authority::follow(client, &settings, shutdown),
        applier: Applier::new(client.clone()),
        requests: Arc::clone(&requests),
    };
    let context = Arc::new(Context::new(
        applier,
        admin.clone(),
        metrics.of_kind(kinds::KAFKA_USER, &namespaces, &settings.selector),
        observer,
        requests,
        settings,
    ));
    let controller = Controller {
        context,
        users,
        secrets,
        certificates,
        prefix,
        queue: Queue::with_backoff(Duration::from_millis(500), Duration::from_mins(1)),
        gate: health.gate("the list of KafkaUsers and their Secrets"),
        health: health.clone(),
        shutdown: shutdown.clone(),
    };
    Ok(Operator::run("KafkaUsers", admin, controller.run()))
}

/// The users' Secrets carry the labels of the users and their kind.
fn secret_selector(settings: &Settings) -> String {
    let kind = format!("{}=KafkaUser", labels::KIND);
    match settings.selector.to_query() {
        Some(query) => format!("{query},{kind}"),
        None => kind,
    }
}

struct Controller {
    context: Arc<Context>,
    users: Cache<KafkaUser>,
    secrets: Cache<SecretView>,
    certificates: Option<Cache<CertificateView>>,
    /// Put before the names of what users have.
    prefix: String,
    queue: Queue<String>,
    gate: Gate,
    health: Health,
    shutdown: CancellationToken,
}

impl Controller {
    async fn run(self) {
        let shutdown = self.shutdown.clone();
        if shutdown.run_until_cancelled(self.lists()).await.is_none() {
            return;
        }
        self.gate.open();
        let (context, queue, stop) = (Arc::clone(&self.context), self.queue.clone(), shutdown.clone());
        let reading = move || refresh(Arc::clone(&context), queue.clone(), stop.clone());
        let refresh = tokio::spawn(async move { in_spite_of_faults("reading Kafka's users", reading).await });
        if shutdown.run_until_cancelled(self.wait_for_kafka()).await.is_none() {
            return;
        }
        self.follow();
        let resync = tokio::spawn(self.resync());
        tracing::info!(users = self.users.len(), namespace = %self.context.settings.namespace, "looking after KafkaUsers");
        for name in self.context.observer.snapshot.names() {
            self.queue.add(name);
        }
        self.batches().await;
        let _ = tokio::join!(refresh, resync);
    }

    async fn lists(&self) {
        self.users.ready().await;
        self.secrets.ready().await;
        self.context.observer.passwords.ready().await;
        let mut authority = self.context.observer.authority.clone();
        // The sender ends with the process only.
        let _ = authority.wait_for(Option::is_some).await;
    }

    async fn wait_for_kafka(&self) {
        let begun = Instant::now();
        while !self.context.observer.snapshot.is_loaded() && begun.elapsed() < KAFKA_PATIENCE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn follow(&self) {
        let (enqueue, passwords) = (self.enqueue(), Arc::clone(&self.context.observer.passwords));
        self.users.on_change(move |event| {
            passwords.note(event);
            if more_than_status_changed(event) {
                enqueue(event.key().name.clone());
            }
        });
        let enqueue = self.enqueue();
        self.users.on_unreadable(move |key, unreadable| {
            if unreadable.is_none() {
                enqueue(key.name.clone());
            }
        });
        self.context.observer.passwords.on_change(self.enqueue());
        let (enqueue, secrets) = (self.enqueue(), Arc::clone(&self.context.observer.secrets));
        self.secrets.on_change(move |event| {
            if let Some(name) = secrets.changed(event) {
                enqueue(name);
            }
        });
        if let Some(certificates) = &self.certificates {
            let (enqueue, prefix) = (self.enqueue(), self.prefix.clone());
            certificates.on_change(move |event| {
                if let Some(name) = event.key().name.strip_prefix(prefix.as_str()) {
                    enqueue(name.to_owned());
                }
            });
        }
        let (queue, users) = (self.queue.clone(), self.users.clone());
        let mut authority = self.context.observer.authority.clone();
        let shutdown = self.shutdown.clone();
        authority.mark_unchanged();
        tokio::spawn(async move {
            while let Some(Ok(())) = shutdown.run_until_cancelled(authority.changed()).await {
                tracing::info!("the clients CA changed: looking at all users");
                for key in users.keys() {
                    queue.add(key.name);
                }
            }
        });
    }

    /// Asks for a look at a user, and counts the requests that were not needed.
    fn enqueue(&self) -> impl Fn(String) + Send + Sync + use<> {
        let (queue, already) = (self.queue.clone(), self.context.metrics.already_enqueued.clone());
        move |name| {
            if !queue.add(name) {
                already.inc();
            }
        }
    }

    fn resync(&self) -> impl Future<Output = ()> + Send + 'static {
        let (queue, users, context) = (self.queue.clone(), self.users.clone(), Arc::clone(&self.context));
        let shutdown = self.shutdown.clone();
        async move {
            let (metrics, interval) = (context.metrics.clone(), context.settings.interval);
            let periodical = metrics.periodical.clone();
            // Asked for once a round.
            let keys = move || {
                periodical.inc();
                let mut names = context.observer.snapshot.names();
                names.extend(users.keys().into_iter().map(|key| key.name));
                names.into_iter().collect::<Vec<String>>()
            };
            queue.resync_every(interval, Duration::ZERO, shutdown, keys, |_| {}).await;
        }
    }

    /// Takes users out of the queue and works on them, several batches at a time, until the shutdown.
    async fn batches(self) {
        let settings = &self.context.settings;
        let (users, metrics) = (self.users.clone(), self.context.metrics.clone());
        let batches = controller::Controller::new(kinds::KAFKA_USER, self.queue.clone())
            .concurrency(settings.batches)
            .gather(settings.max_batch, LINGER)
            .deadline(BATCH_DEADLINE)
            // Not before the lists are there: a restart would not bring them sooner.
            .heartbeat(self.health.heartbeat("the controller of KafkaUsers"))
            .each_round(move || {
                metrics.resources.set(users.len() as f64);
                metrics.paused.set(users.list_where(|_, user| user::is_paused(user)).len() as f64);
            });
        let context = Arc::clone(&self.context);
        let work = move |names| {
            let context = Arc::clone(&context);
            async move { context.run(names).await }
        };
        batches.run_batches(self.shutdown, work).await;
    }
}

/// Reads Kafka's side again and again, and has users looked at that are otherwise than they were.
async fn refresh(context: Arc<Context>, queue: Queue<String>, shutdown: CancellationToken) {
    let (mut complained, mut slow) = (false, false);
    let of_kafka = &context.observer.snapshot;
    // Under both names that a user may have.
    let usernames = || {
        let mut all = of_kafka.usernames();
        for key in context.observer.users.keys() {
            all.insert(principals::by_certificate(&key.name));
            all.insert(key.name);
        }
        all
    };
    let work = async {
        loop {
            let mut pause = if of_kafka.is_loaded() { context.settings.refresh } else { FIRST_READ_PAUSE };
            let admin = context.admin.borrow().clone();
            if let Some(admin) = admin {
                let begun = Instant::now();
                match snapshot::read(&admin, context.settings.plan.acls_supported, usernames).await {
                    Ok(reading) => {
                        if reading.user_by_user {
                            // So many requests must not be all that the brokers do.
                            pause = pause.max(begun.elapsed() * SLOWER);
                            if !std::mem::replace(&mut slow, true) {
                                tracing::warn!(
                                    "the ACLs are too many for one answer: they are read user by user, and those of users without a KafkaUser are not seen"
                                );
                            }
                        }
                        let first = !of_kafka.is_loaded();
                        let changed = of_kafka.replace(reading, begun);
                        context.kafka_answered();
                        complained = false;
                        if first {
                            for key in context.observer.users.keys() {
                                queue.add(key.name);
                            }
                        }
                        for name in changed {
                            queue.add(name);
                        }
                    }
                    Err(error) => {
                        context.kafka_failed();
                        if !complained {
                            complained = true;
                            tracing::warn!(%error, "cannot read users, ACLs and quotas from Kafka; trying again");
                        }
                    }
                }
            } else {
                context.kafka_failed();
            }
            tokio::time::sleep(pause).await;
        }
    };
    shutdown.run_until_cancelled(work).await;
}

#[cfg(test)]
mod tests {
    use operator_runtime::{env::Env, metrics::Metrics};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_list_that_takes_long_is_waited_for_and_is_no_reason_for_a_restart() {
        const SILENCE: Duration = Duration::from_millis(20);
        // It takes connections, and answers nothing.
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", server.local_addr().unwrap());
        let client = kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap();
        let health = Health::with_silence(SILENCE);
        let (metrics, shutdown) = (Metrics::new().unwrap(), CancellationToken::new());
        let parts = Parts { client, metrics, health: health.clone(), shutdown: shutdown.clone() };
        let settings = Settings::from_env(&Env::from_map([
            ("STRIMZI_NAMESPACE", "ns"),
            ("STRIMZI_CA_CERT_NAME", "ca"),
            ("STRIMZI_CA_KEY_NAME", "key"),
        ]))
        .unwrap();
        let operator = start(settings, &parts).unwrap();
        tokio::time::sleep(SILENCE * 10).await;
        assert_eq!(health.alive(), Ok(()));
        assert!(health.ready().is_err());
        shutdown.cancel();
        operator.ended().await;
    }
}
