//! Writes and reads without an end while something happens to the cluster, and proves that nothing was lost: every record that Kafka
//! acknowledged is read, in the order in which it was written to its partition, and stands at one offset.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::{Cli, base_config, number, report};

/// Time between two records.
const PACE: Duration = Duration::from_millis(20);
/// How long what was acknowledged may take to be read in the end.
const LAST_READS: Duration = Duration::from_mins(1);

/// Of what librdkafka says: errors of sequence numbers, and new epochs of the producer.
const FACILITIES: [&str; 4] = ["ERRSEQ", "DUPSEQ", "UNKPID", "DRAIN"];

/// Where records stand: number by partition and offset.
type Places = BTreeMap<(i32, i64), u64>;

/// What Kafka acknowledged, or handed out, and how long it was silent.
#[derive(Debug, Default)]
struct Side {
    places: Places,
    /// Records of which Kafka said that it had them already, and not where.
    unplaced: BTreeSet<u64>,
    last: Option<Instant>,
    longest_gap: Duration,
    problem: Option<String>,
}

impl Side {
    fn take(&mut self, place: (i32, i64), number: u64) {
        self.be_heard();
        if place.1 < 0 {
            self.unplaced.insert(number);
        } else if let Some(other) = self.places.insert(place, number).filter(|other| *other != number) {
            let (partition, offset) = place;
            self.complain(format!(
                "partition {partition} offset {offset} is record {other} and record {number}"
            ));
        }
    }

    /// The silence ends now.
    fn be_heard(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.longest_gap = self.longest_gap.max(now.duration_since(last));
        }
    }

    /// The longest silence since the last look, the present one included.
    fn gap(&mut self) -> Duration {
        self.be_heard();
        std::mem::take(&mut self.longest_gap)
    }

    fn complain(&mut self, problem: String) {
        self.problem.get_or_insert(problem);
    }
}

/// What threads share of a side.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Side>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Side> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Shared {
    /// What becomes of sequence numbers explains what a broken order of records would leave open.
    fn log(&self, _: RDKafkaLogLevel, fac: &str, message: &str) {
        if FACILITIES.contains(&fac) {
            eprintln!("{fac}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // A producer that has lost its place among the records of a partition says so here.
        if let KafkaError::Global(code) = error
            && code == rdkafka::error::RDKafkaErrorCode::Fatal
        {
            self.lock().complain(format!("the producer gave up: {reason}"));
        }
    }
}

impl ProducerContext for Shared {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Self::DeliveryOpaque) {
        match result {
            Ok(message) => self.lock().take((message.partition(), message.offset()), *number),
            Err((error, _)) => self.lock().complain(format!("record {number} was not taken: {error}")),
        }
    }
}

/// Writes and reads until the standard input ends. For each line that comes there it says how long the longest silence was since the
/// one before: of acknowledgements, and of records that were read.
pub(crate) fn flow(cli: &Cli, give_up: Instant) -> Result<String> {
    let (written, read) = (Shared::default(), Shared::default());
    let mut config = base_config(cli)?;
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", "2147483647")
        .set("linger.ms", "5");
    let producer: ThreadedProducer<Shared> =
        ThreadedProducer::from_config_and_context(&config, written.clone())
            .context("cannot make a producer")?;
    let partitions = partitions(cli, &producer)?;
    let (stop, stopped) = mpsc::channel();
    let reader = {
        let (consumer, read) = (consumer(cli, partitions)?, read.clone());
        thread::spawn(move || consume(&consumer, &read, &stopped))
    };
    let lines = lines();
    let mut sent: u64 = 0;
    let mut due = Instant::now();
    loop {
        ensure!(Instant::now() < give_up, "deadline passed");
        match lines.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(stage) => tell(&stage, &written, &read),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                due = Instant::now() + PACE;
                let partition = i32::try_from(sent % u64::try_from(partitions)?)?;
                let value = format!("record {sent}");
                let record = BaseRecord::<(), str, _>::with_opaque_to(&cli.topic, Box::new(sent));
                match producer.send(record.partition(partition).payload(&value)) {
                    Ok(()) => sent += 1,
                    // As much as it keeps waits already: the same record is sent later.
                    Err((KafkaError::MessageProduction(rdkafka::error::RDKafkaErrorCode::QueueFull), _)) => {}
                    Err((error, _)) => return Err(error).context("cannot send"),
                }
            }
        }
        check(&written, &read)?;
    }
    producer
        .flush(give_up.saturating_duration_since(Instant::now()))
        .context("records were never acknowledged")?;
    let (acknowledged, unplaced) = {
        let side = written.lock();
        (side.places.clone(), side.unplaced.clone())
    };
    let last = Instant::now() + LAST_READS;
    loop {
        let left = missing(&acknowledged, &unplaced, &read.lock().places);
        let Some(first) = left.first() else { break };
        ensure!(Instant::now() < last, "acknowledged and not read: {} records, {first} first", left.len());
        thread::sleep(Duration::from_millis(100));
    }
    drop(stop);
    reader.join().map_err(|_| anyhow::anyhow!("the consumer panicked"))??;
    check(&written, &read)?;
    let count = acknowledged.len() + unplaced.len();
    ensure!(count as u64 == sent, "{sent} records were sent, {count} acknowledged");
    compare(&acknowledged, &read.lock().places)?;
    Ok(format!("{sent} records were acknowledged and read"))
}

/// Each acknowledged record is what stands at its offset, no record stands at two, and numbers rise within a partition.
fn compare(acknowledged: &Places, read: &Places) -> Result<()> {
    for (place, number) in acknowledged {
        let found = read.get(place);
        ensure!(
            found == Some(number),
            "record {number} was acknowledged at {place:?}, where {found:?} stands"
        );
    }
    let mut before: Option<((i32, i64), u64)> = None;
    let mut seen = BTreeMap::new();
    for (place, number) in read {
        if let Some(other) = seen.insert(number, place) {
            bail!("record {number} stands at {other:?} and at {place:?}");
        }
        if let Some((last, earlier)) = before
            && last.0 == place.0
            && earlier > *number
        {
            bail!("record {number} at {place:?} comes after record {earlier} at {last:?}");
        }
        before = Some((*place, *number));
    }
    Ok(())
}

/// Records that were acknowledged and not read.
fn missing(acknowledged: &Places, unplaced: &BTreeSet<u64>, read: &Places) -> BTreeSet<u64> {
    let placed =
        acknowledged.iter().filter(|(place, _)| !read.contains_key(place)).map(|(_, number)| *number);
    let seen: BTreeSet<u64> =
        if unplaced.is_empty() { BTreeSet::new() } else { read.values().copied().collect() };
    placed.chain(unplaced.difference(&seen).copied()).collect()
}

fn check(written: &Shared, read: &Shared) -> Result<()> {
    for side in [written, read] {
        if let Some(problem) = side.lock().problem.clone() {
            bail!(problem);
        }
    }
    Ok(())
}

fn tell(stage: &str, written: &Shared, read: &Shared) {
    let (acknowledged, silent) = {
        let mut side = written.lock();
        (side.places.len(), side.gap())
    };
    let (seen, unread) = {
        let mut side = read.lock();
        (side.places.len(), side.gap())
    };
    report(&format!(
        "{stage}: {acknowledged} acknowledged, longest gap {} ms; {seen} read, longest gap {} ms",
        silent.as_millis(),
        unread.as_millis()
    ));
}

/// Lines of the standard input; the channel ends with it.
fn lines() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// How many partitions the topic has.
fn partitions(cli: &Cli, producer: &ThreadedProducer<Shared>) -> Result<i32> {
    let metadata = producer.client().fetch_metadata(Some(&cli.topic), Duration::from_secs(30));
    let metadata = metadata.context("cannot ask for the topic")?;
    let count = metadata.topics().iter().map(|topic| topic.partitions().len()).sum::<usize>();
    ensure!(count > 0, "the topic {} has no partitions", cli.topic);
    Ok(i32::try_from(count)?)
}

fn consumer(cli: &Cli, partitions: i32) -> Result<BaseConsumer> {
    let mut config = base_config(cli)?;
    config.set("group.id", "flow").set("enable.auto.commit", "false");
    // Where a broker thinks that offsets went back, reading goes on there, and the comparison in the end tells.
    config.set("auto.offset.reset", "earliest");
    let consumer = BaseConsumer::from_config_and_context(&config, DefaultConsumerContext);
    let consumer = consumer.context("cannot make a consumer")?;
    let mut all = TopicPartitionList::new();
    for partition in 0..partitions {
        all.add_partition_offset(&cli.topic, partition, Offset::Beginning)?;
    }
    consumer.assign(&all).context("cannot take the partitions")?;
    Ok(consumer)
}

/// Reads until the channel ends.
fn consume(consumer: &BaseConsumer, read: &Shared, stopped: &Receiver<()>) -> Result<()> {
    while stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected) {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                let place = (message.partition(), message.offset());
                match number(message.payload()) {
                    Some(number) => read.lock().take(place, number),
                    None => read.lock().complain(format!("{place:?} is not one of ours")),
                }
            }
            // Brokers that go and come are what this is about.
            None | Some(Err(KafkaError::MessageConsumption(_))) => {}
            Some(Err(error)) => return Err(error).context("cannot consume"),
        }
    }
    Ok(())
}
