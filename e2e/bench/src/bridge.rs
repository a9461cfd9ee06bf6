//! The bridge: records for each second of the processor beside a bare producer, and memory with many consumers.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    producer::{FutureProducer, FutureRecord},
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use test_support::{KafkaNode, KafkaOptions};

use crate::{
    operator::{Operator, Usage},
    report::{number, progress, row},
};

const JSON: &str = "application/vnd.kafka.json.v2+json";
const KAFKA: &str = "application/vnd.kafka.v2+json";
/// Records of one request.
const BATCH: usize = 100;
/// Bytes of a value.
const VALUE: usize = 1_000;
/// Batches that are measured.
const BATCHES: usize = 3_000;
/// Consumers.
const CONSUMERS: usize = 500;
/// What all consumers together may prefetch. MB.
const PREFETCH_MB: usize = 128;
/// Ports of the bridge, below those that the system gives out.
const PORT: u16 = 18_380;
const MANAGEMENT_PORT: u16 = 18_381;

/// Measures and prints.
pub(crate) async fn run(binary: &Path) -> anyhow::Result<()> {
    progress("bridge: starting Kafka");
    let options = KafkaOptions { tls: false, authorizer: false, heap_mb: 512, ..KafkaOptions::default() };
    let node = KafkaNode::start(options.with_config("group.initial.rebalance.delay.ms", "0")).await?;

    progress("a bare producer");
    let bootstrap = node.bootstrap();
    let bare = on_one_core(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("make a runtime")?.block_on(bare(&bootstrap))
    })?;

    let folder = tempfile::tempdir().context("make a folder for the bridge")?;
    let file = folder.path().join("application.properties");
    let text = format!(
        "kafka.bootstrap.servers={}\nhttp.host=127.0.0.1\nhttp.port={PORT}\nhttp.management.port={MANAGEMENT_PORT}\n\
         kastellan.consumer.prefetch.bytes={}\n",
        node.bootstrap(),
        PREFETCH_MB << 20
    );
    std::fs::write(&file, text).context("write the configuration of the bridge")?;
    let mut command = Command::new(binary);
    command.arg("--config-file").arg(&file);
    let mut bridge = on_one_core(|| Operator::start_command(command, MANAGEMENT_PORT, &[]))?;
    bridge.until("strimzi_bridge_kafka_producer_count", 1.0).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    row("kafka-bridge, idle, MB resident", number(bridge.usage()?.resident, 1), "20");

    progress("records through the bridge");
    let (records, cpu) = through(&bridge)?;
    row(
        format!("bridge on one core, {BATCH} records of 1 KB per request, records per CPU s"),
        number(records / cpu, 0),
        "-",
    );
    row("  times those of a bare producer", number(records / cpu / bare, 2), "0.5");

    progress("consumers");
    let empty = consumers(&bridge, "empty")?;
    row(format!("  {CONSUMERS} consumers on an empty topic, MB resident"), number(empty.resident, 0), "300");
    let full = consumers(&bridge, "full")?;
    row(
        format!("  {CONSUMERS} on a full topic, prefetch {PREFETCH_MB} MB, MB resident"),
        number(full.resident, 0),
        number((PREFETCH_MB + 300) as f64, 0),
    );
    bridge.check()
}

/// Runs on one core, with every thread and process that begins there.
fn on_one_core<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    let pinned = || {
        let all = sched_getaffinity(None).context("ask for the cores")?;
        let first = (0..CpuSet::MAX_CPU).find(|core| all.is_set(*core)).context("there is no core")?;
        let mut one = CpuSet::new();
        one.set(first);
        sched_setaffinity(None, &one).context("stay on one core")?;
        work()
    };
    std::thread::scope(|scope| scope.spawn(pinned).join())
        .map_err(|_| anyhow::anyhow!("what runs on one core panicked"))?
}

/// Records for each second of this process's time.
async fn bare(bootstrap: &str) -> anyhow::Result<f64> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("acks", "all");
    let admin: AdminClient<DefaultClientContext> = config.create().context("make an admin client")?;
    let topic = NewTopic::new("bare", 1, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    for made in admin.create_topics([&topic], &options).await.context("make a topic")? {
        made.map_err(|(topic, code)| anyhow::anyhow!("topic {topic}: {code}"))?;
    }
    let producer: FutureProducer = config.create().context("make a producer")?;
    let value = vec![b'x'; VALUE + 2];
    let begun = own_cpu()?;
    for _ in 0..BATCHES {
        let mut sent = Vec::with_capacity(BATCH);
        for _ in 0..BATCH {
            let record = FutureRecord::<(), _>::to("bare").payload(&value);
            sent.push(producer.send_result(record).map_err(|(error, _)| error).context("send")?);
        }
        for report in sent {
            report.await?.map_err(|(error, _)| error).context("a record was not taken")?;
        }
    }
    Ok((BATCH * BATCHES) as f64 / (own_cpu()? - begun))
}

/// User and system time of this process, s.
fn own_cpu() -> anyhow::Result<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    ensure!(time.tv_sec >= 0, "the time of this process is not told");
    Ok(time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Records, and the bridge's processor time for them.
fn through(bridge: &Operator) -> anyhow::Result<(f64, f64)> {
    let mut client = Client::new()?;
    client.ask("POST", "/admin/topics", KAFKA, r#"{"topic_name":"full","partitions_count":1}"#)?;
    let value = "x".repeat(VALUE);
    let mut body = String::from("{\"records\":[");
    for index in 0..BATCH {
        let comma = if index > 0 { "," } else { "" };
        write!(body, "{comma}{{\"value\":\"{value}\"}}")?;
    }
    body.push_str("]}");
    client.ask("POST", "/topics/full", JSON, &body)?;
    let begun = bridge.usage()?.cpu;
    for _ in 0..BATCHES {
        let answer = client.ask("POST", "/topics/full", JSON, &body)?;
        ensure!(!answer.contains("error_code"), "a record was not taken: {answer}");
    }
    Ok(((BATCH * BATCHES) as f64, bridge.usage()?.cpu - begun))
}

/// Makes consumers, each in a group of its own, and looks at the memory when all have been asked for records. Then they end: the
/// bridge has so many at a time, and what they may prefetch is bounded for all together.
fn consumers(bridge: &Operator, topic: &str) -> anyhow::Result<Usage> {
    let mut client = Client::new()?;
    client
        .ask("POST", "/admin/topics", KAFKA, &format!(r#"{{"topic_name":"{topic}","partitions_count":1}}"#))
        .ok();
    let path = |number: usize| format!("/consumers/{topic}-{number}/instances/c");
    for number in 0..CONSUMERS {
        let json = r#"{"name":"c","auto.offset.reset":"earliest"}"#;
        client.ask("POST", &format!("/consumers/{topic}-{number}"), KAFKA, json)?;
        let topics = format!(r#"{{"topics":["{topic}"]}}"#);
        client.ask("POST", &format!("{}/subscription", path(number)), KAFKA, &topics)?;
    }
    let deadline = Instant::now() + Duration::from_mins(3);
    for number in 0..CONSUMERS {
        loop {
            client.ask("GET", &format!("{}/records?timeout=100", path(number)), KAFKA, "")?;
            let subscription = client.ask("GET", &format!("{}/subscription", path(number)), KAFKA, "")?;
            if subscription.contains("[0]") {
                break;
            }
            ensure!(Instant::now() < deadline, "a consumer gets no partition: {subscription}");
        }
    }
    // What they prefetch takes a moment to come.
    std::thread::sleep(Duration::from_secs(5));
    let usage = bridge.usage()?;
    for number in 0..CONSUMERS {
        client.ask("DELETE", &path(number), KAFKA, "")?;
    }
    Ok(usage)
}

/// One connection that stays open.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new() -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", PORT)).context("connect to the bridge")?;
        stream.set_nodelay(true).context("connect to the bridge")?;
        Ok(Self(BufReader::new(stream)))
    }

    /// The body of the answer; an error unless it is a good one.
    fn ask(&mut self, method: &str, path: &str, media_type: &str, body: &str) -> anyhow::Result<String> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: bridge\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let stream = self.0.get_mut();
        stream.write_all(head.as_bytes()).context("ask the bridge")?;
        stream.write_all(body.as_bytes()).context("ask the bridge")?;
        let (mut code, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).context("read the bridge's answer")?;
            let line = line.trim_end();
            if code.is_empty() {
                line.split(' ').nth(1).unwrap_or("nothing").clone_into(&mut code);
            } else if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().context("read the length of an answer")?;
            }
        }
        let mut answer = vec![0; length];
        self.0.read_exact(&mut answer).context("read the bridge's answer")?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if !code.starts_with('2') {
            bail!("{method} {path} is answered with {code}: {answer}");
        }
        Ok(answer)
    }
}
