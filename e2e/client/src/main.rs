//! A small Kafka client: produces numbered records, consumes and checks them, or shows that it may not.
//!
//! It runs in a pod with the Secrets of a KafkaUser mounted, as an application would, and talks through librdkafka:
//! a client that shares no code with the operators.

mod flow;
mod hold;
mod places;

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Statistics};
use tokio::sync::watch;

/// How long a token is shown before its file is read again.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

/// A Kafka client for the quick start and the end-to-end tests.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Bootstrap servers, for example quickstart-kafka-bootstrap:9093.
    #[arg(long, env = "BOOTSTRAP_SERVERS")]
    bootstrap: String,
    /// Name of the topic.
    #[arg(long, env = "TOPIC")]
    topic: String,
    /// Folder with the cluster's `ca.crt`; without it the connection is not encrypted.
    #[arg(long, env = "CLUSTER_CA")]
    cluster_ca: Option<PathBuf>,
    /// Folder with the user's Secret: `user.crt` and `user.key`, or `password`.
    #[arg(long, env = "USER_SECRET")]
    user_secret: Option<PathBuf>,
    /// Name of the user, for a password.
    #[arg(long, env = "USER_NAME")]
    user_name: Option<String>,
    /// How the password is shown to the broker.
    #[arg(long, default_value = "SCRAM-SHA-512")]
    sasl_mechanism: String,
    /// File with a signed token that is shown to the broker (OAUTHBEARER).
    #[arg(long, conflicts_with = "user_secret")]
    token: Option<PathBuf>,
    /// Give up after so many seconds.
    #[arg(long, default_value_t = 120)]
    deadline: u64,
    #[command(subcommand)]
    job: Job,
}

#[derive(Subcommand)]
enum Job {
    /// Produce records 0 to COUNT-1 with acks=all and wait for every acknowledgement; says for how long brokers told
    /// the client to pause, because it had used up a quota.
    Produce {
        /// How many records.
        count: u64,
    },
    /// Consume until records 0 to COUNT-1 have all been seen; complains about duplicates and disorder.
    Consume {
        /// How many records.
        count: u64,
        /// Consumer group.
        #[arg(long, default_value = "quickstart-demo")]
        group: String,
        /// Commit what was consumed, then stay in the group for so many seconds without consuming anything.
        #[arg(long)]
        pause: Option<u64>,
    },
    /// Hold a connection to each broker that leads a partition, and say of each whether it is up and how often it was lost, until
    /// the standard input ends.
    Hold,
    /// Produce and consume until the standard input ends: every acknowledged record has to be read, in order and at one offset. For
    /// each line that comes there, say what the longest silence was since the line before.
    Flow,
    /// Succeed when Kafka refuses this user to produce to the topic.
    ExpectDenied,
    /// Succeed when Kafka does not take this user for who it says it is.
    ExpectStranger,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let deadline = Duration::from_secs(cli.deadline);
    let started = Instant::now();
    let what = match &cli.job {
        Job::Produce { count } => {
            let pause =
                tokio::time::timeout(deadline, produce(&cli, *count)).await.context("deadline passed")??;
            format!("produced {count} records (longest pause that a broker asked for: {pause} ms)")
        }
        Job::Consume { count, group, pause } => {
            let consumer = consume(&cli, *count, group, started + deadline)?;
            if let Some(seconds) = pause {
                stay(&consumer, Duration::from_secs(*seconds))?;
            }
            format!("consumed {count} records")
        }
        Job::Hold => {
            hold::hold(&cli, started + deadline)?;
            "held connections".to_owned()
        }
        Job::Flow => flow::flow(&cli, started + deadline)?,
        Job::ExpectDenied => {
            tokio::time::timeout(deadline, expect_denied(&cli)).await.context("deadline passed")??;
            "was refused, as it should be".to_owned()
        }
        Job::ExpectStranger => {
            tokio::time::timeout(deadline, expect_stranger(&cli)).await.context("deadline passed")??;
            "was not let in, as it should be".to_owned()
        }
    };
    report(&format!("{what} in {:.1} s", started.elapsed().as_secs_f64()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result is what this program is run for")]
fn report(line: &str) {
    println!("{line}");
}

/// The part of the configuration that producers and consumers share.
fn base_config(cli: &Cli) -> Result<ClientConfig> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &cli.bootstrap);
    if cli.token.is_some() {
        let protocol = if cli.cluster_ca.is_some() { "sasl_ssl" } else { "sasl_plaintext" };
        config.set("security.protocol", protocol).set("sasl.mechanism", "OAUTHBEARER");
    }
    let Some(ca) = &cli.cluster_ca else { return Ok(config) };
    config.set("ssl.ca.location", text(&ca.join("ca.crt"))?);
    if cli.token.is_some() {
        return Ok(config);
    }
    let Some(secret) = &cli.user_secret else {
        config.set("security.protocol", "ssl");
        return Ok(config);
    };
    let password = secret.join("password");
    if password.exists() {
        let name = cli.user_name.as_deref().context("--user-name is needed with a password")?;
        config.set("security.protocol", "sasl_ssl");
        config.set("sasl.mechanism", &cli.sasl_mechanism);
        config.set("sasl.username", name);
        config.set("sasl.password", std::fs::read_to_string(&password).context("cannot read the password")?);
    } else {
        config.set("security.protocol", "ssl");
        config.set("ssl.certificate.location", text(&secret.join("user.crt"))?);
        config.set("ssl.key.location", text(&secret.join("user.key"))?);
    }
    Ok(config)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))
}

/// What librdkafka tells this client and asks of it.
struct Talk {
    /// How often it told of its brokers, and the longest pause that one of them asked for, in ms.
    pauses: watch::Sender<(u64, i64)>,
    /// File with the token that is shown to brokers.
    token: Option<PathBuf>,
    /// Whether a broker did not take this client for who it says it is.
    is_stranger: watch::Sender<bool>,
}

impl Talk {
    /// What nobody listens to.
    fn of(cli: &Cli) -> Self {
        let (pauses, is_stranger) = (watch::channel((0, 0)).0, watch::channel(false).0);
        Self { pauses, token: cli.token.clone(), is_stranger }
    }
}

impl ClientContext for Talk {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn stats(&self, statistics: Statistics) {
        let pauses = statistics.brokers.values().filter_map(|broker| broker.throttle.as_ref());
        let longest = pauses.map(|window| window.max).max().unwrap_or(0);
        self.pauses.send_modify(|(reports, pause)| {
            *reports += 1;
            *pause = longest.max(*pause);
        });
    }

    fn error(&self, error: KafkaError, _: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            self.is_stranger.send_replace(true);
        }
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> std::result::Result<OAuthToken, Box<dyn Error>> {
        let file = self.token.as_ref().ok_or("--token is needed for OAUTHBEARER")?;
        let token = std::fs::read_to_string(file)?.trim().to_owned();
        // What the broker thinks of its end is what counts; librdkafka only asks again before it.
        let end = SystemTime::now().duration_since(UNIX_EPOCH)? + TOKEN_LIFE;
        let lifetime_ms = i64::try_from(end.as_millis())?;
        Ok(OAuthToken { token, principal_name: "client".to_owned(), lifetime_ms })
    }
}

impl ConsumerContext for Talk {}

/// An idempotent producer is refused before it sends anything, and reports that as a purged queue; one that is not is
/// told what it may not do.
fn producer(cli: &Cli, idempotent: bool, talk: Talk) -> Result<FutureProducer<Talk>> {
    let mut config = base_config(cli)?;
    config
        .set("acks", "all")
        .set("enable.idempotence", idempotent.to_string())
        .set("statistics.interval.ms", "200")
        // An idempotent producer sends again until the deadline of this program, neither twice nor in another order: a time-out of
        // its own, on a busy machine, would say nothing of the cluster.
        .set("message.timeout.ms", if idempotent { "0" } else { "60000" });
    FutureProducer::from_config_and_context(&config, talk).context("cannot make a producer")
}

/// Gives back the longest pause that a broker asked for, in ms.
async fn produce(cli: &Cli, count: u64) -> Result<i64> {
    let talk = Talk::of(cli);
    let mut pauses = talk.pauses.subscribe();
    let producer = producer(cli, true, talk)?;
    let mut pending = Vec::with_capacity(count as usize);
    for number in 0..count {
        let (key, value) = (number.to_string(), format!("record {number}"));
        pending.push(loop {
            match producer.send_result(FutureRecord::to(&cli.topic).key(&key).payload(&value)) {
                Ok(delivery) => break delivery,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err((error, _)) => return Err(error).context("cannot send"),
            }
        });
    }
    for delivery in pending {
        delivery.await?.map_err(|(error, _)| error).context("a record was not acknowledged")?;
    }
    // A report may be on its way; the one after it covers the last acknowledgement.
    let reports = pauses.borrow().0;
    let (_, pause) =
        *pauses.wait_for(|(now, _)| *now > reports + 1).await.context("librdkafka gives no statistics")?;
    Ok(pause)
}

fn consume(cli: &Cli, count: u64, group: &str, give_up: Instant) -> Result<BaseConsumer<Talk>> {
    let mut config = base_config(cli)?;
    config.set("group.id", group).set("auto.offset.reset", "earliest").set("enable.auto.commit", "false");
    let consumer = BaseConsumer::from_config_and_context(&config, Talk::of(cli));
    let consumer = consumer.context("cannot make a consumer")?;
    consumer.subscribe(&[&cli.topic]).context("cannot subscribe")?;
    let mut seen = BTreeSet::new();
    let mut newest: Vec<Option<u64>> = Vec::new();
    while (seen.len() as u64) < count {
        if Instant::now() > give_up {
            bail!("deadline passed after {} of {count} records", seen.len());
        }
        let message = match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => message,
            None
            | Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::BrokerTransportFailure,
            ))) => continue,
            // The group moves to another coordinator while this asks from where to read. The library leaves the partitions then
            // (https://github.com/confluentinc/librdkafka/issues/5586): another consumer reads from the beginning.
            Some(Err(KafkaError::MessageConsumption(
                RDKafkaErrorCode::NotCoordinator | RDKafkaErrorCode::CoordinatorNotAvailable,
            ))) => {
                drop(consumer);
                return consume(cli, count, group, give_up);
            }
            Some(Err(error)) => return Err(error).context("cannot consume"),
        };
        let number = number(message.payload()).with_context(|| {
            format!("partition {} offset {} is not one of ours", message.partition(), message.offset())
        })?;
        if !seen.insert(number) {
            bail!("record {number} came twice");
        }
        let partition = message.partition() as usize;
        if newest.len() <= partition {
            newest.resize(partition + 1, None);
        }
        if newest[partition].is_some_and(|last| last > number) {
            bail!("record {number} of partition {partition} came after a later one");
        }
        newest[partition] = Some(number);
    }
    if seen.last().is_some_and(|last| *last >= count) {
        bail!("a record beyond the {count} expected ones came");
    }
    Ok(consumer)
}

/// Commits the position, pauses every partition and stays a member of the group.
fn stay(consumer: &BaseConsumer<Talk>, time: Duration) -> Result<()> {
    consumer.pause(&consumer.assignment()?).context("cannot pause")?;
    consumer.commit_consumer_state(CommitMode::Sync).context("cannot commit")?;
    report("paused");
    let until = Instant::now() + time;
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => bail!("offset {} came while the partition was paused", message.offset()),
            Some(Err(error)) => return Err(error).context("cannot stay in the group"),
            None => {}
        }
    }
    Ok(())
}

/// The number in a record that `produce` wrote.
fn number(payload: Option<&[u8]>) -> Option<u64> {
    std::str::from_utf8(payload?).ok()?.strip_prefix("record ")?.parse().ok()
}

async fn expect_denied(cli: &Cli) -> Result<()> {
    let producer = producer(cli, false, Talk::of(cli))?;
    let record: FutureRecord<'_, str, str> = FutureRecord::to(&cli.topic).payload("never");
    match producer.send(record, Duration::from_secs(30)).await {
        Ok(_) => bail!("the record was accepted, but this user must not write to {}", cli.topic),
        Err((
            KafkaError::MessageProduction(
                RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed,
            ),
            _,
        )) => Ok(()),
        Err((error, _)) => Err(error).context("refused, but not for want of authorization"),
    }
}

async fn expect_stranger(cli: &Cli) -> Result<()> {
    let talk = Talk::of(cli);
    let mut is_stranger = talk.is_stranger.subscribe();
    let producer = producer(cli, false, talk)?;
    let record: FutureRecord<'_, str, str> = FutureRecord::to(&cli.topic).payload("never");
    tokio::select! {
        sent = producer.send(record, Duration::from_secs(30)) => match sent {
            Ok(_) => bail!("the record was accepted, but this user is a stranger"),
            Err((error, _)) => Err(error).context("refused, but not as a stranger"),
        },
        told = is_stranger.wait_for(|told| *told) => Ok(told.map(drop)?),
    }
}
