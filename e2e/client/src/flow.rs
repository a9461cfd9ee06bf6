//! Writes and reads without an end while something happens to the cluster, and proves that nothing was lost: every record that Kafka
//! acknowledged is read, in the order in which it was written to its partition, and stands at one offset.

use std::io::BufRead;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, DefaultConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::places::{Acknowledged, Place, Places};
use crate::{Cli, base_config, number, report};

/// Time between two records.
const PACE: Duration = Duration::from_millis(20);
/// How long what was acknowledged may take to be read in the end.
const LAST_READS: Duration = Duration::from_mins(1);

/// Which of librdkafka's log lines are passed on: those about sequence numbers, and about new epochs of the producer.
const FACILITIES: [&str; 4] = ["ERRSEQ", "DUPSEQ", "UNKPID", "DRAIN"];

/// What Kafka acknowledged, or handed out, and how long it was silent.
#[derive(Debug, Default)]
struct Side {
    records: Acknowledged,
    last: Option<Instant>,
    longest_gap: Duration,
    problem: Option<String>,
}

impl Side {
    fn take(&mut self, place: Place, number: u64) {
        self.be_heard();
        if place.1 < 0 {
            self.records.unplaced.insert(number);
        } else if let Some(other) = self.records.places.insert(place, number).filter(|other| *other != number)
        {
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
struct Shared(Arc<(Mutex<Side>, Condvar)>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Side> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, place: Place, number: u64) {
        self.lock().take(place, number);
        self.0.1.notify_one();
    }

    /// Waits until the records are as wanted; how they are in the end.
    fn wait(&self, time: Duration, are_wanted: impl Fn(&Places) -> bool) -> Places {
        let goes_on = |side: &mut Side| !are_wanted(&side.records.places);
        let side = self.0.1.wait_timeout_while(self.lock(), time, goes_on);
        let (side, _) = side.unwrap_or_else(PoisonError::into_inner);
        side.records.places.clone()
    }
}

impl ClientContext for Shared {
    /// What becomes of sequence numbers explains what a broken order of records would leave open.
    fn log(&self, _: RDKafkaLogLevel, fac: &str, message: &str) {
        // A partition whose leader moves is drained each time.
        if FACILITIES.contains(&fac) && !message.contains("beginning partition drain") {
            eprintln!("{fac}: {message}");
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // A producer that has lost its place among the records of a partition says so here.
        if let KafkaError::Global(code) = error
            && code == RDKafkaErrorCode::Fatal
        {
            self.lock().complain(format!("the producer gave up: {reason}"));
        }
    }
}

impl ProducerContext for Shared {
    type DeliveryOpaque = Box<u64>;

    fn delivery(&self, result: &DeliveryResult<'_>, number: Self::DeliveryOpaque) {
        match result {
            Ok(message) => self.take((message.partition(), message.offset()), *number),
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
        .set("linger.ms", "5")
        // With the usual five under way, librdkafka once gave itself a new epoch while a leader moved, and a record stood there in both.
        .set("max.in.flight.requests.per.connection", "1")
        .set("debug", "eos")
        .set_log_level(RDKafkaLogLevel::Debug);
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
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {}
                    Err((error, _)) => return Err(error).context("cannot send"),
                }
            }
        }
        check(&written, &read)?;
    }
    producer
        .flush(give_up.saturating_duration_since(Instant::now()))
        .context("records were never acknowledged")?;
    let acknowledged = written.lock().records.clone();
    let seen = read.wait(LAST_READS, |seen| acknowledged.is_read(seen));
    let left = acknowledged.missing(&seen);
    if let Some(first) = left.first() {
        bail!("acknowledged and not read: {} records, {first} first", left.len());
    }
    drop(stop);
    reader.join().map_err(|_| anyhow::anyhow!("the consumer panicked"))??;
    check(&written, &read)?;
    let count = acknowledged.len();
    ensure!(count as u64 == sent, "{sent} records were sent, {count} acknowledged");
    acknowledged.compare(&read.lock().records.places)?;
    Ok(format!("{sent} records were acknowledged and read"))
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
        (side.records.len(), side.gap())
    };
    let (seen, unread) = {
        let mut side = read.lock();
        (side.records.len(), side.gap())
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
                    Some(number) => read.take(place, number),
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
