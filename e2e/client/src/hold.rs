//! Holds a connection to every broker that leads a partition of the topic, and tells which of them are lost.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::{Offset, Statistics, TopicPartitionList};

use crate::{Cli, base_config, report};

/// A broker, as librdkafka told of it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Connection {
    is_up: bool,
    /// How often librdkafka lost it since it knows the broker, which it forgets while the broker is gone.
    disconnects: i64,
    /// How often it was lost at all.
    lost: i64,
}

/// The brokers by id.
#[derive(Default)]
struct Brokers(BTreeMap<i32, Connection>);

impl Brokers {
    /// Takes in what librdkafka says now; a line for each broker of which something changed.
    fn update(&mut self, statistics: &Statistics) -> Vec<String> {
        let told: BTreeMap<i32, (bool, i64)> = statistics
            .brokers
            .values()
            // Addresses to begin with have no id; roles, such as that of a coordinator, have connections of their own.
            .filter(|broker| broker.nodeid >= 0 && broker.source != "logical")
            .map(|broker| (broker.nodeid, (broker.state == "UP", broker.disconnects.unwrap_or(0))))
            .collect();
        for id in told.keys() {
            self.0.entry(*id).or_default();
        }
        let mut lines = Vec::new();
        for (id, connection) in &mut self.0 {
            let before = connection.clone();
            connection.take(told.get(id).copied());
            if *connection != before {
                let state = if connection.is_up { "up" } else { "down" };
                lines.push(format!("broker {id}: {state}, lost {} times", connection.lost));
            }
        }
        lines
    }
}

impl Connection {
    fn take(&mut self, told: Option<(bool, i64)>) {
        let (is_up, disconnects) = told.unwrap_or((false, 0));
        if disconnects >= self.disconnects && told.is_some() {
            self.lost += disconnects - self.disconnects;
        } else {
            // librdkafka forgot the broker, and with it the connection.
            self.lost += disconnects + i64::from(self.is_up);
        }
        (self.is_up, self.disconnects) = (is_up, disconnects);
    }
}

/// Tells of connections.
#[derive(Default)]
struct Teller(Mutex<Brokers>);

impl ClientContext for Teller {
    fn stats(&self, statistics: Statistics) {
        let Ok(mut brokers) = self.0.lock() else { return };
        for line in brokers.update(&statistics) {
            report(&line);
        }
    }
}

impl ConsumerContext for Teller {}

/// Fetches from every partition until the standard input ends.
pub(crate) fn hold(cli: &Cli, give_up: Instant) -> Result<()> {
    let mut config = base_config(cli)?;
    config.set("group.id", "holding").set("enable.auto.commit", "false").set("statistics.interval.ms", "200");
    let consumer = BaseConsumer::from_config_and_context(&config, Teller::default());
    let consumer: BaseConsumer<Teller> = consumer.context("cannot make a consumer")?;
    let metadata = consumer.fetch_metadata(Some(cli.topic.as_str()), Duration::from_secs(30));
    let metadata = metadata.context("cannot ask for the topic")?;
    let mut partitions = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        partitions.add_partition_offset(&cli.topic, partition.id(), Offset::End)?;
    }
    if partitions.count() == 0 {
        bail!("the topic {} has no partitions", cli.topic);
    }
    consumer.assign(&partitions).context("cannot take the partitions")?;
    let is_over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&is_over);
    thread::spawn(move || {
        // What is written there means nothing: its end does.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        end.store(true, Ordering::Relaxed);
    });
    while !is_over.load(Ordering::Relaxed) {
        if Instant::now() > give_up {
            bail!("deadline passed");
        }
        match consumer.poll(Duration::from_millis(200)) {
            // Brokers that go and come are what this is about.
            None | Some(Ok(_) | Err(KafkaError::MessageConsumption(_))) => {}
            Some(Err(error)) => return Err(error).context("cannot consume"),
        }
    }
    Ok(())
}
