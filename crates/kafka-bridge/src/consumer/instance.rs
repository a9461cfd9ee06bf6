//! One consumer of a client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::{ClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use regex::Regex;
use serde_json::json;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::consumer::delivery::Delivery;
use crate::consumer::held::{Held, Reads};
use crate::consumer::told::Events;
use crate::error::ApiError;
use crate::format::Format;
use crate::http::wire::Wire;
use crate::kafka::options::offset_reset;
use crate::kafka::waiting::{Work, blocking};
use crate::prefetch::Share;
use crate::requests::{NewConsumer, Position, exclusive};

/// How long a seek may take.
const SEEK_PATIENCE: Duration = Duration::from_secs(10);

/// How long the end of a subscription may take.
const LEAVING_PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer that a client has just read may take to count as taken.
const SETTLING: Duration = Duration::from_millis(200);

/// The stack of a thread that waits until a consumer has left its group. Bytes.
const CLOSING_STACK: usize = 256 * 1024;

/// The consumer of the library.
pub(crate) type Native = BaseConsumer<Events>;

/// One consumer.
#[allow(missing_debug_implementations, reason = "the consumer of the library has none")]
pub(crate) struct Instance {
    /// Its group.
    pub group: String,
    /// Its name in the group.
    pub name: String,
    /// How it is shown records.
    pub format: Format,
    /// What it may hold.
    pub share: Share,
    /// Cancelled when it is to end.
    pub end: CancellationToken,
    /// Cancelled when it has left its group.
    pub gone: CancellationToken,
    /// One request for records at a time.
    pub turn: tokio::sync::Mutex<()>,
    events: Events,
    native: Arc<Native>,
    commits_by_itself: bool,
    stream: Mutex<Option<OpenStream>>,
    /// Held by the thread that changes what it reads.
    changing: Arc<Mutex<()>>,
    begun: Instant,
    last_used: AtomicU64,
    in_use: AtomicUsize,
}

/// A stream of events that is open.
struct OpenStream {
    end: CancellationToken,
    ended: CancellationToken,
}

/// Keeps a consumer from counting as unused.
#[allow(missing_debug_implementations, reason = "the instance has none")]
pub(crate) struct Use(Arc<Instance>);

impl Drop for Use {
    fn drop(&mut self) {
        self.0.touch();
        self.0.in_use.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Instance {
    /// Makes the consumer. Waits for the library, so not on a thread of the runtime.
    pub(crate) fn new(
        config: ClientConfig,
        group: &str,
        name: &str,
        new: &NewConsumer,
        share: Share,
    ) -> Result<Self, ApiError> {
        let config = configured(config, group, new, &share);
        let events = Events::default();
        let ready = Arc::clone(&events.ready);
        let made = Native::from_config_and_context(&config, events.clone());
        let mut native = made.map_err(|error| ApiError::kafka("make a consumer", &error))?;
        native.set_nonempty_callback(move || ready.notify_one());
        Ok(Self {
            group: group.to_owned(),
            name: name.to_owned(),
            format: new.format.unwrap_or(Format::Binary),
            share,
            end: CancellationToken::new(),
            gone: CancellationToken::new(),
            turn: tokio::sync::Mutex::default(),
            events,
            native: Arc::new(native),
            commits_by_itself: config.get("enable.auto.commit") != Some("false"),
            stream: Mutex::default(),
            changing: Arc::default(),
            begun: Instant::now(),
            last_used: AtomicU64::new(0),
            in_use: AtomicUsize::new(0),
        })
    }

    /// What is held for it. Hold the guard for a moment only.
    pub(crate) fn held(&self) -> MutexGuard<'_, Held> {
        self.events.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The consumer of the library.
    pub(crate) fn native(&self) -> &Native {
        &self.native
    }

    /// What tells that something waits in the library's queue.
    pub(crate) fn ready(&self) -> &Notify {
        &self.events.ready
    }

    /// What the library has told.
    pub(crate) fn events(&self) -> &Events {
        &self.events
    }

    /// Marks it as used until the answer is dropped.
    pub(crate) fn in_use(self: &Arc<Self>) -> Use {
        self.in_use.fetch_add(1, Ordering::AcqRel);
        self.touch();
        Use(Arc::clone(self))
    }

    fn touch(&self) {
        self.last_used.store(self.begun.elapsed().as_millis() as u64, Ordering::Release);
    }

    /// For how long nobody has used it.
    pub(crate) fn unused(&self) -> Duration {
        if self.in_use.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.last_used.load(Ordering::Acquire)))
    }

    /// Calls the library on a thread that may wait.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Native) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let native = Arc::clone(&self.native);
        blocking(Work::Consumers, move || call(&native)).await
    }

    /// As well, one such call at a time.
    pub(crate) async fn changing<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Native) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let changing = Arc::clone(&self.changing);
        self.blocking(move |native| {
            let _one = changing.lock().unwrap_or_else(PoisonError::into_inner);
            call(native)
        })
        .await
    }

    /// Subscribes to topics; earlier ones are replaced.
    pub(crate) async fn subscribe(
        &self,
        topics: Vec<String>,
        pattern: Option<Regex>,
    ) -> Result<(), ApiError> {
        {
            let mut held = self.held();
            let agrees = match (&held.reads, &pattern) {
                (Reads::Nothing, _) => true,
                (Reads::Topics(_), pattern) => pattern.is_none(),
                (Reads::Pattern(..), pattern) => pattern.is_some(),
                (Reads::Assigned, _) => false,
            };
            if !agrees {
                return Err(exclusive());
            }
            held.reads = match pattern {
                Some(pattern) => Reads::Pattern(pattern, topics.clone()),
                None if topics.is_empty() => Reads::Nothing,
                None => Reads::Topics(topics.clone()),
            };
        }
        self.follow(topics).await
    }

    /// Other topics match its pattern now. Nothing happens if it reads something else meanwhile.
    pub(crate) async fn match_again(&self, topics: Vec<String>, pattern: &Regex) -> Result<(), ApiError> {
        match &mut self.held().reads {
            Reads::Pattern(now, matched) if now.as_str() == pattern.as_str() => topics.clone_into(matched),
            _ => return Ok(()),
        }
        self.follow(topics).await
    }

    async fn follow(&self, topics: Vec<String>) -> Result<(), ApiError> {
        let subscribed = self.changing(move |native| {
            if topics.is_empty() {
                native.unsubscribe();
                return Ok(());
            }
            let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
            native.subscribe(&topics)
        });
        subscribed.await?.map_err(|error| ApiError::kafka("subscribe", &error))
    }

    /// Takes no partitions any more.
    pub(crate) async fn unsubscribe(&self) -> Result<(), ApiError> {
        self.done().await;
        let is_assigned = matches!(self.held().reads, Reads::Assigned);
        let done = self.changing(move |native| {
            if is_assigned {
                return native.unassign();
            }
            native.unsubscribe();
            // The library leaves the group when it is asked for records: others get the partitions at once.
            let until = Instant::now() + LEAVING_PATIENCE;
            while native.assignment()?.count() > 0 && Instant::now() < until {
                drop(native.poll(Duration::from_millis(50)));
            }
            Ok(())
        });
        done.await?.map_err(|error| ApiError::kafka("unsubscribe", &error))?;
        let mut held = self.held();
        held.reads = Reads::Nothing;
        held.forget_all();
        Ok(())
    }

    /// Takes these partitions.
    pub(crate) async fn assign(&self, partitions: &[Position]) -> Result<(), ApiError> {
        self.done().await;
        {
            let mut held = self.held();
            if !matches!(held.reads, Reads::Nothing | Reads::Assigned) {
                return Err(exclusive());
            }
            held.reads = if partitions.is_empty() { Reads::Nothing } else { Reads::Assigned };
            held.forget_all();
        }
        self.events.begin_anew();
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for one in partitions {
            list.add_partition(&one.topic, one.partition);
        }
        let assigned = self.changing(move |native| native.assign(&list)).await?;
        assigned.map_err(|error| ApiError::kafka("assign partitions", &error))
    }

    /// What it has subscribed to and what it was given, as the API shows it.
    pub(crate) async fn subscription(&self) -> Result<Vec<u8>, ApiError> {
        let assigned = self.assignment().await?;
        let topics = match &self.held().reads {
            Reads::Topics(topics) | Reads::Pattern(_, topics) => topics.clone(),
            Reads::Nothing | Reads::Assigned => Vec::new(),
        };
        let mut by_topic: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for element in assigned.elements() {
            by_topic.entry(element.topic().to_owned()).or_default().push(element.partition());
        }
        let partitions: Vec<BTreeMap<String, Vec<i32>>> =
            by_topic.into_iter().map(|one| BTreeMap::from([one])).collect();
        Ok(json!({"topics": topics, "partitions": partitions}).to_string().into_bytes())
    }

    async fn assignment(&self) -> Result<TopicPartitionList, ApiError> {
        let assigned = self.blocking(Native::assignment).await?;
        assigned.map_err(|error| ApiError::kafka("list assigned partitions", &error))
    }

    /// Goes on elsewhere; each place has its own offset, or all have one that Kafka knows.
    pub(crate) async fn seek(&self, places: &[Position], everywhere: Option<Offset>) -> Result<(), ApiError> {
        if places.is_empty() {
            return Ok(());
        }
        let assigned = self.assignment().await?;
        let mut list = TopicPartitionList::with_capacity(places.len());
        for place in places {
            if assigned.find_partition(&place.topic, place.partition).is_none() {
                return Err(ApiError::not_found(format!(
                    "No current assignment for partition {}-{}",
                    place.topic, place.partition
                )));
            }
            let offset = everywhere.unwrap_or(Offset::Offset(place.offset));
            list.add_partition_offset(&place.topic, place.partition, offset)
                .map_err(|error| ApiError::kafka("seek", &error))?;
        }
        // What was fetched before must not be handed out after it.
        let _turn = self.turn.lock().await;
        self.sought(list, everywhere.is_none()).await
    }

    /// Goes back to what was handed out and did not reach the client. Only for the request whose turn it is.
    pub(crate) async fn go_back(&self) -> Result<(), ApiError> {
        let places = self.held().to_go_back();
        if places.is_empty() {
            return Ok(());
        }
        let mut list = TopicPartitionList::with_capacity(places.len());
        for ((topic, partition), offset) in &places {
            list.add_partition_offset(topic, *partition, Offset::Offset(*offset))
                .map_err(|error| ApiError::kafka("go back", &error))?;
        }
        self.sought(list, true).await
    }

    /// Seeks; where the offsets are known, those before them count as handed out.
    async fn sought(&self, list: TopicPartitionList, is_known: bool) -> Result<(), ApiError> {
        let asked = list.clone();
        let sought = self.blocking(move |native| native.seek_partitions(list, SEEK_PATIENCE)).await?;
        let sought = sought.map_err(|error| ApiError::kafka("seek", &error))?;
        let mut failed = None;
        let mut held = self.held();
        for element in sought.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            if let Err(error) = element.error() {
                // What is held of it is still what comes next.
                let action = format!("seek in partition {partition} of topic {topic}");
                failed.get_or_insert_with(|| ApiError::kafka(&action, &error));
                continue;
            }
            held.went(topic, partition);
            let place = asked.find_partition(topic, partition).filter(|_| is_known);
            if let Some(Offset::Offset(offset)) = place.map(|place| place.offset()) {
                held.moved(topic, partition, offset);
            }
        }
        drop(held);
        failed.map_or(Ok(()), Err)
    }

    /// Commits offsets, or those of everything that was handed out.
    pub(crate) async fn commit(&self, places: Option<Vec<Position>>) -> Result<(), ApiError> {
        let list = match places {
            None => {
                self.settle().await;
                self.held().positions()
            }
            Some(places) => {
                let mut list = TopicPartitionList::with_capacity(places.len());
                for place in places {
                    list.add_partition_offset(&place.topic, place.partition, Offset::Offset(place.offset))
                        .map_err(|error| ApiError::kafka("commit offsets", &error))?;
                }
                list
            }
        };
        if list.count() == 0 {
            return Ok(());
        }
        let committed = self.blocking(move |native| native.commit(&list, CommitMode::Sync)).await?;
        committed.map_err(|error| ApiError::kafka("commit offsets", &error))
    }

    /// The records of an answer, on their way over a connection.
    pub(crate) fn delivery(&self, answer: u64, wire: Wire) -> Delivery {
        let events = &self.events;
        Delivery::new(Arc::clone(&events.held), Arc::clone(&events.settled), answer, wire)
    }

    fn stream(&self) -> MutexGuard<'_, Option<OpenStream>> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A stream begins: what tells it to end, and what it drops when it has ended.
    pub(crate) fn open_stream(&self) -> (CancellationToken, DropGuard) {
        let (end, ended) = (CancellationToken::new(), CancellationToken::new());
        let before = self.stream().replace(OpenStream { end: end.clone(), ended: ended.clone() });
        if let Some(before) = before {
            before.end.cancel();
        }
        (end, ended.drop_guard())
    }

    /// Ends the stream that is open. A client that comes back goes on behind what it has, even if its old connection is not known
    /// to be broken.
    pub(crate) async fn end_stream(&self) {
        let Some(open) = self.stream().take() else { return };
        open.end.cancel();
        let _ = tokio::time::timeout(SETTLING, open.ended.cancelled()).await;
    }

    /// Waits until the answer that the client has just read counts as taken: the system tells the client first.
    async fn settle(&self) {
        let settled = async {
            loop {
                let changed = self.events.settled.notified();
                if !self.held().is_under_way() {
                    return;
                }
                changed.await;
            }
        };
        let _ = tokio::time::timeout(SETTLING, settled).await;
    }

    /// The client is done with what it has taken.
    pub(crate) async fn done(&self) {
        self.settle().await;
        self.keep_positions();
    }

    /// What clients have taken counts as done: its offsets are committed with the next commit by itself.
    pub(crate) fn keep_positions(&self) {
        if !self.commits_by_itself {
            return;
        }
        let positions = self.held().positions();
        if positions.count() > 0 {
            // Of partitions that were taken away meanwhile the offsets are their new owner's.
            let _ = self.native.store_offsets(&positions);
        }
    }
}

/// A consumer leaves its group when the last request that uses it is over. That waits for the library. What was handed out with
/// the last answer counts as done only where the client says so: a client that is gone may not have worked on it.
impl Drop for Instance {
    fn drop(&mut self) {
        let (native, gone) = (Arc::clone(&self.native), self.gone.clone());
        let close = move || {
            while Arc::strong_count(&native) > 1 {
                std::thread::sleep(Duration::from_millis(1));
            }
            drop(native);
            gone.cancel();
        };
        // A thread of its own: one that waits for a broker in vain keeps no request waiting. Where there is none to be had, the
        // closure is dropped, and the consumer with it.
        let _ = std::thread::Builder::new().stack_size(CLOSING_STACK).spawn(close);
    }
}

/// The configuration of one consumer.
fn configured(mut config: ClientConfig, group: &str, new: &NewConsumer, share: &Share) -> ClientConfig {
    config.set("group.id", group);
    if let Some(reset) = new.auto_offset_reset.as_deref().and_then(offset_reset) {
        config.set("auto.offset.reset", reset);
    }
    if let Some(isolation) = &new.isolation_level {
        config.set("isolation.level", isolation);
    }
    if let Some(commits) = new.enable_auto_commit {
        config.set("enable.auto.commit", commits.to_string());
    }
    if let Some(bytes) = new.fetch_min_bytes {
        config.set("fetch.min.bytes", bytes.to_string());
    }
    if let Some(timeout) = new.request_timeout {
        // A fetch that waits for records takes half a second: less would make each of them fail.
        config.set("socket.timeout.ms", timeout.clamp(2_000, 300_000).to_string());
    }
    // Only what a client was handed out may be committed.
    config.set("enable.auto.offset.store", "false");
    config.set("enable.metrics.push", "false");
    for (name, most) in [("fetch.max.bytes", share.fetch()), ("max.partition.fetch.bytes", share.fetch())] {
        let asked = config.get(name).and_then(|text| text.parse::<usize>().ok());
        config.set(name, asked.map_or(most, |asked| asked.min(most)).max(1000).to_string());
    }
    // The library raises the largest fetch to the largest message; a larger message comes all the same.
    config.set("message.max.bytes", share.fetch().max(1000).to_string());
    config.set("queued.max.messages.kbytes", (share.queue() / 1024).max(1).to_string());
    config.set("queued.min.messages", share.records().to_string());
    config
}
