//! Which event leads to a look at which resource. Owns the index and the queue; batches run as tasks of their own.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use kube::Client;
use operator_runtime::{
    apply::Applier,
    batches::{BATCH_DEADLINE, Batches, drain},
    entity::Operator,
    kafka,
    program::Parts,
    server::{Gate, Health},
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    apply,
    batch::{Context, Item, Report},
    grants::Grants,
    index::Index,
    kubernetes::{Kubernetes, Projector},
    left_watch::LeftWatch,
    losses::Losses,
    message::Message,
    metrics::TopicMetrics,
    plan::{self, Claim, Intent},
    queue::Queue,
    replicas,
    resource::TopicResource,
    settings::Settings,
    startup_check, strays,
    topic::ResourceRef,
    watches,
};

mod held;
mod outcomes;

use held::Held;
use outcomes::{Deletion, Outcome};

/// Resources in one step of the timer's look at everything: one or two requests per step, and bounded memory.
const SWEEP: usize = 2000;
/// The loop goes round at least this often, as a sign of life.
const PULSE: Duration = Duration::from_secs(10);

/// Starts the watches and the controller; everything ends with the shutdown. What runs has begun when this returns.
///
/// # Errors
/// When a metric cannot be registered.
pub fn start(settings: Settings, parts: &Parts) -> prometheus::Result<Operator> {
    let controller = Controller::new(settings, parts)?;
    let admin = controller.context.admin.clone();
    let projector = controller.context.kubernetes.projector().clone();
    let work = controller.run(parts.client.clone(), projector, parts.shutdown.clone());
    Ok(Operator::run("KafkaTopics", admin, work))
}

struct Controller {
    context: Arc<Context>,
    settings: Settings,
    index: Index,
    queue: Queue,
    /// What was told of resources in a batch.
    held: HashMap<ResourceRef, Held>,
    /// Resources that got their finalizer a moment ago, and when it was seen first.
    finalized: HashMap<ResourceRef, Instant>,
    in_batch: HashSet<ResourceRef>,
    /// Resources that are there and cannot be read. What is known of them stays in the index, so that no other resource takes
    /// their topics over, and is not worked on.
    unreadable: HashSet<ResourceRef>,
    /// Those of them of which no more is known than their names and their topics.
    never_read: HashSet<ResourceRef>,
    /// Looks at single resources and at Kafka, beside the batches.
    tasks: JoinSet<Outcome>,
    batches: Batches<Item, Report>,
    /// What the timer's look at everything has still to come to, and the part of it that is under way.
    sweep: VecDeque<ResourceRef>,
    sweeps: Batches<Item, Report>,
    /// Topics of resources that are gone.
    deletions: Batches<Deletion, Report>,
    /// When throttle rates of brokers may be removed, if any are left; not before all changes have ended.
    rates_due: Option<Instant>,
    clearing_rates: bool,
    next_sweep: Instant,
    cluster_goes_away: bool,
    grants: Grants,
    losses: Losses,
    kafka_lost: Option<Instant>,
    gate: Gate,
    health: Health,
    shutdown: CancellationToken,
}

impl Controller {
    fn new(settings: Settings, parts: &Parts) -> prometheus::Result<Self> {
        let Parts { client, metrics, health, shutdown } = parts;
        let topic_metrics = TopicMetrics::new(metrics, &settings)?;
        let admin = kafka::connect(client, settings.kafka.clone(), metrics, shutdown);
        let projector = Projector::new(
            &settings.namespace,
            settings.guests.iter().map(|g| g.namespace.clone()),
            settings.selector.clone(),
        );
        let context = Arc::new(Context {
            kubernetes: Kubernetes::new(client.clone(), projector.clone(), topic_metrics.clone()),
            admin: admin.clone(),
            plan: settings.plan.clone(),
            throttle: settings.throttle,
            metrics: topic_metrics,
            deleted: Mutex::default(),
        });
        let grants = Grants::new(settings.guests.clone(), settings.cluster());
        let rates_due = settings.throttle.map(|_| Instant::now());
        Ok(Self {
            gate: health.gate("the first look at all KafkaTopics"),
            health: health.clone(),
            context,
            index: Index::default(),
            queue: Queue::default(),
            held: HashMap::new(),
            finalized: HashMap::new(),
            in_batch: HashSet::new(),
            unreadable: HashSet::new(),
            never_read: HashSet::new(),
            tasks: JoinSet::new(),
            batches: Batches::new(settings.batches, BATCH_DEADLINE),
            sweep: VecDeque::new(),
            sweeps: Batches::new(1, BATCH_DEADLINE),
            deletions: Batches::new(usize::MAX, BATCH_DEADLINE),
            // An earlier process may have left rates.
            rates_due,
            clearing_rates: false,
            next_sweep: Instant::now(),
            cluster_goes_away: false,
            grants,
            losses: Losses::default(),
            kafka_lost: None,
            shutdown: shutdown.clone(),
            settings,
        })
    }

    async fn run(mut self, client: Client, projector: Projector, shutdown: CancellationToken) {
        let (sender, mut messages) = mpsc::unbounded_channel();
        if !watches::start(&self.settings, &client, projector, sender, &shutdown).await {
            return;
        }
        while let Ok(message) = messages.try_recv() {
            self.take_in(message);
        }
        if !self.settings.skip_review {
            let mut admin = self.context.admin.clone();
            let shutdown = shutdown.clone();
            self.tasks.spawn(async move {
                shutdown.run_until_cancelled(startup_check::warn_of_topic_creation(&mut admin)).await;
                Outcome::Quiet
            });
        }
        let search = self.search(&client);
        let (context, stop) = (self.context.clone(), shutdown.clone());
        self.tasks.spawn(async move {
            stop.run_until_cancelled(Box::pin(strays::follow(&context, &search))).await;
            Outcome::Quiet
        });
        let all: Vec<ResourceRef> = self.index.references().cloned().collect();
        tracing::info!(resources = all.len(), namespace = %self.settings.namespace, selector = %self.settings.selector, "looking after KafkaTopics");
        for reference in all {
            self.queue.push(reference);
        }
        self.next_sweep = Instant::now() + self.settings.interval;
        let mut opened = false;
        // Not before the lists are there: a restart would not bring them sooner.
        let heartbeat = self.health.heartbeat("the controller of KafkaTopics");
        loop {
            heartbeat.beat();
            self.queue.promote(Instant::now());
            self.begin_batches();
            self.clear_rates();
            if !opened && self.queue.is_empty() && !self.is_working() {
                opened = true;
                self.gate.open();
            }
            self.show();
            let wake_up = self.wake_up();
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(message) = messages.recv() => {
                    self.take_in(message);
                    while let Ok(message) = messages.try_recv() {
                        self.take_in(message);
                    }
                }
                ended = self.batches.ended() => self.batch_done(ended),
                ended = self.sweeps.ended() => self.batch_done(ended),
                ended = self.deletions.ended() => self.deletion_done(ended),
                Some(outcome) = self.tasks.join_next() => self.finish(outcome),
                () = tokio::time::sleep_until(wake_up.into()) => self.timer(),
            }
        }
        // Writes that have begun are brought to their end, so that no topic is left without its status.
        tokio::join!(
            self.batches.drain("topics"),
            self.sweeps.drain("topics"),
            self.deletions.drain("topics"),
            drain(&mut self.tasks, "topics"),
        );
    }

    fn search(&self, client: &Client) -> strays::Search {
        let guests = self.settings.guests.iter().map(|guest| guest.namespace.clone());
        strays::Search {
            applier: Applier::new(client.clone()),
            namespaces: std::iter::once(self.settings.namespace.clone()).chain(guests).collect(),
            selector: self.settings.selector.clone(),
            interval: self.settings.interval,
        }
    }

    fn take_in(&mut self, message: Message) {
        match message {
            Message::Seen(resource) if self.in_batch.contains(&resource.reference) => {
                self.hold_seen(resource);
            }
            Message::Gone { reference, told_finalizer } if self.in_batch.contains(&reference) => {
                self.hold_gone(&reference, told_finalizer);
            }
            Message::Seen(resource) => {
                let reference = resource.reference.clone();
                if self.never_read.remove(&reference) {
                    self.forget(&reference);
                }
                if self.index.get(&reference).is_some_and(|known| known.uid != resource.uid) {
                    // Made again: the resource that had the name before is gone.
                    self.take_in(Message::Gone { reference: reference.clone(), told_finalizer: false });
                }
                let changed = self.index.upsert(*resource);
                if changed.itself {
                    self.push(reference);
                }
                self.push_all(changed.others);
            }
            Message::Gone { reference, told_finalizer } => {
                let finalizer_is_new = self.finalizer_is_new(&reference);
                let (known, others) = self.index.remove(&reference);
                self.queue.succeeded(&reference);
                if let Some(known) = known {
                    self.left_watch(known, told_finalizer, finalizer_is_new, others);
                }
            }
            Message::Unreadable(found) => self.note_unreadable(*found),
            Message::NotUnreadable(reference) => {
                if self.never_read.remove(&reference) {
                    self.forget(&reference);
                }
                if self.unreadable.remove(&reference) && self.index.get(&reference).is_some() {
                    self.push(reference);
                }
            }
            Message::ClusterGoesAway(going) => {
                if going && !self.cluster_goes_away {
                    tracing::info!(
                        "the Kafka resource is being deleted: taking the finalizers off its topics"
                    );
                }
                if going != self.cluster_goes_away {
                    self.cluster_goes_away = going;
                    self.push_every(|_| true);
                }
            }
            Message::Grant { namespace, granted } => {
                if self.grants.set(&namespace, granted) {
                    self.push_every(|r| *r.namespace == *namespace);
                }
            }
        }
    }

    /// Takes in what is known of a resource that cannot be read, unless more was known of it before.
    fn note_unreadable(&mut self, found: TopicResource) {
        let reference = found.reference.clone();
        self.unreadable.insert(reference.clone());
        if self.index.get(&reference).is_none() || self.never_read.contains(&reference) {
            self.never_read.insert(reference);
            let changed = self.index.upsert(found);
            self.push_all(changed.others);
        }
    }

    /// Takes out of the index what is known of a resource without having read it.
    fn forget(&mut self, reference: &ResourceRef) {
        let (_, others) = self.index.remove(reference);
        self.push_all(others);
    }

    fn push(&mut self, reference: ResourceRef) {
        if !self.queue.push(reference) {
            self.context.metrics.reconcile.already_enqueued.inc();
        }
    }

    fn push_all(&mut self, references: Vec<ResourceRef>) {
        for reference in references {
            self.queue.push(reference);
        }
    }

    fn push_every(&mut self, which: impl Fn(&ResourceRef) -> bool) {
        let all: Vec<ResourceRef> = self.index.references().filter(|r| which(r)).cloned().collect();
        self.push_all(all);
    }

    /// A resource left the watch. When we did not take its finalizer off ourselves, it is looked up once more before
    /// anything is done: it may only have lost its labels.
    fn left_watch(
        &mut self,
        known: Arc<TopicResource>,
        told_finalizer: bool,
        finalizer_is_new: bool,
        others: Vec<ResourceRef>,
    ) {
        let owned = matches!(self.claim(&known), Claim::Owner { heir: None });
        let sole_owner = owned && others.is_empty();
        // What was seen of it last may be older than its finalizer.
        let looks = told_finalizer
            || plan::wants_lookup(&known, sole_owner, self.cluster_goes_away, &self.context.plan);
        self.push_all(others);
        if looks {
            self.look_up(LeftWatch::new(known, told_finalizer && finalizer_is_new));
        }
    }

    fn look_up(&mut self, left_watch: LeftWatch) {
        let (context, shutdown) = (self.context.clone(), self.shutdown.clone());
        self.tasks.spawn(async move {
            let found = shutdown.run_until_cancelled(left_watch.look_up(&context)).await;
            found.map_or(Outcome::Quiet, |found| Outcome::LookedUp { left_watch, found })
        });
    }

    fn claim(&self, resource: &TopicResource) -> Claim {
        self.index.claim(resource, |r| self.grants.counts(r))
    }

    fn intent(&self, resource: &TopicResource) -> Intent {
        let intent = match plan::intent(resource, &self.claim(resource), self.cluster_goes_away) {
            // It says that the topic shall exist. More is not known of it, and it holds up no deletion.
            Intent::HandOver(heir) if self.unreadable.contains(&heir) => Intent::Release,
            intent => intent,
        };
        self.grants.permitted(resource, intent)
    }

    fn item(&self, reference: &ResourceRef, topic: Arc<str>, now: Instant) -> Option<Item> {
        let resource = self.index.get(reference)?.clone();
        let intent = self.intent(&resource);
        Some(Item { intent, topic, failing: self.queue.failing(reference, now), resource })
    }

    fn begin_batches(&mut self) {
        if self.clearing_rates {
            // A batch may need the rates for moves that it starts.
            return;
        }
        let now = Instant::now();
        // Deletions take the place of batches: each is as many requests to Kafka.
        while self.batches.running() + self.deletions.running() < self.settings.batches {
            let (index, unreadable) = (&self.index, &self.unreadable);
            let readable = |r: &ResourceRef| index.get(r).filter(|_| !unreadable.contains(r));
            let taken = self.queue.take(self.settings.max_batch, |r| readable(r).map(|x| x.topic_key()));
            if taken.is_empty() {
                break;
            }
            let items = taken.into_iter().filter_map(|(r, topic)| self.item(&r, topic, now)).collect();
            self.begin(items, false);
        }
        if self.sweeps.has_room() && !self.sweep.is_empty() {
            let mut items = Vec::new();
            while items.len() < SWEEP {
                let Some(reference) = self.sweep.pop_front() else { break };
                // What waits or is worked on is looked at anyway.
                let Some(topic) = self.index.get(&reference).map(|r| r.topic_key()) else { continue };
                if self.queue.waits(&reference)
                    || self.in_batch.contains(&reference)
                    || self.unreadable.contains(&reference)
                {
                    continue;
                }
                if !self.queue.begin(topic.clone()) {
                    // Another resource for the same topic is looked at: this one comes after it.
                    self.queue.push(reference);
                    continue;
                }
                items.extend(self.item(&reference, topic, now));
            }
            if !items.is_empty() {
                self.begin(items, true);
            }
        }
    }

    /// When throttle rates are to be removed; none while replicas are being moved or about to be: the end of the move asks again.
    fn rates_due(&self) -> Option<Instant> {
        let sweeps = self.sweeps.running() > 0;
        let busy = self.is_working() || sweeps || self.clearing_rates || self.index.a_change_runs();
        self.rates_due.filter(|_| !busy)
    }

    fn clear_rates(&mut self) {
        if self.rates_due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        self.rates_due = None;
        self.clearing_rates = true;
        let context = self.context.clone();
        self.tasks.spawn(async move { Outcome::RatesCleared(replicas::clear_rates(&context).await) });
    }

    fn begin(&mut self, items: Vec<Item>, periodic: bool) {
        self.in_batch.extend(items.iter().map(|i| i.resource.reference.clone()));
        let context = self.context.clone();
        let batches = if periodic { &mut self.sweeps } else { &mut self.batches };
        batches.begin(items, move |items| {
            let context = context.clone();
            async move { apply::run(&context, items, periodic).await }
        });
    }

    /// Whether changes are being worked on.
    fn is_working(&self) -> bool {
        self.batches.running() + self.deletions.running() > 0
    }

    fn wake_up(&self) -> Instant {
        let pulse = Instant::now() + PULSE;
        let due = self.queue.next_due().unwrap_or(pulse);
        let rates = self.rates_due().unwrap_or(pulse);
        pulse.min(due).min(self.next_sweep).min(rates)
    }

    fn timer(&mut self) {
        self.forget_finalizers();
        let now = Instant::now();
        if now >= self.next_sweep && self.sweep.is_empty() && self.sweeps.has_room() {
            self.next_sweep = now + self.settings.interval;
            self.context.metrics.reconcile.periodical.inc();
            self.sweep = self.index.references().cloned().collect();
        } else if now >= self.next_sweep {
            // The last one is not through yet.
            self.next_sweep = now + Duration::from_secs(1);
        }
    }

    fn show(&self) {
        let metrics = &self.context.metrics;
        metrics.reconcile.resources.set(self.index.len() as f64);
        metrics.reconcile.paused.set(self.index.paused() as f64);
        metrics.max_queue_size.set(self.queue.largest() as f64);
    }
}

#[cfg(test)]
#[path = "controller_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "controller/left_watch_tests.rs"]
mod left_watch_tests;
