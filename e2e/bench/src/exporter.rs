//! The exporter with many consumer groups: memory, and how long a scrape takes.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use test_support::{KafkaNode, KafkaOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::groups;
use crate::operator::Operator;
use crate::report::{number, progress, row};

const TOPIC: &str = "orders-of-the-whole-company";
/// Partitions of the topic, of which every group has committed an offset.
const PARTITIONS: i32 = 10;
/// Port of the exporter, below those that the system gives out.
const PORT: u16 = 18_404;
/// Between two collections. ms. As in an installation.
const INTERVAL_MS: u64 = 5_000;
/// Scrapes that are measured, and the time between two: several collections pass.
const SCRAPES: usize = 60;
const PAUSE: Duration = Duration::from_millis(500);
/// How long the exporter may take to show all groups for the first time.
const DEADLINE: Duration = Duration::from_mins(2);

/// Measures and prints.
pub(crate) async fn run(binary: &Path, count: usize) -> anyhow::Result<()> {
    progress("exporter: starting Kafka");
    let options = KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() };
    let node = KafkaNode::start(options.with_config("offsets.topic.num.partitions", "4")).await?;
    let admin = Admin::new(AdminConfig::brokers([node.bootstrap()]))?;
    let topic = NewTopic { partitions: Some(PARTITIONS), ..NewTopic::new(TOPIC) };
    for (name, made) in admin.create_topics(vec![topic], false).await? {
        made.with_context(|| format!("create the topic {name}"))?;
    }
    progress(format!("{count} groups"));
    let names: Vec<String> = (0..count).map(|index| format!("service-of-team-{index:04}")).collect();
    groups::commit(&node, TOPIC, PARTITIONS, &names).await?;
    let variables = [
        ("KAFKA_EXPORTER_KAFKA_SERVER", node.bootstrap()),
        ("KASTELLAN_EXPORTER_INTERVAL_MS", INTERVAL_MS.to_string()),
        ("KASTELLAN_EXPORTER_PORT", PORT.to_string()),
    ];
    let mut exporter = Operator::start(binary, PORT, &variables)?;
    until_all_are_shown(&mut exporter, count).await?;

    progress("scrapes");
    let (mut longest, mut resident, mut bytes) = (Duration::ZERO, 0.0_f64, 0);
    for _ in 0..SCRAPES {
        let began = Instant::now();
        let text = scrape().await?;
        longest = longest.max(began.elapsed());
        (resident, bytes) = (resident.max(exporter.usage()?.resident), text.len());
        ensure!(shown(&text) >= count * 10, "a scrape shows {} lags", shown(&text));
        tokio::time::sleep(PAUSE).await;
    }
    row(
        format!("kafka-exporter, {count} groups x {PARTITIONS} partitions, MB resident at most"),
        number(resident, 1),
        "20",
    );
    row("  the longest scrape, ms", number(longest.as_secs_f64() * 1000.0, 0), "200");
    row("  MB of a scrape", number(bytes as f64 / 1e6, 1), "-");
    exporter.check()
}

async fn until_all_are_shown(exporter: &mut Operator, count: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        exporter.check()?;
        let seen = scrape().await.map(|text| shown(&text)).unwrap_or_default();
        if seen >= count * 10 {
            return Ok(());
        }
        ensure!(began.elapsed() < DEADLINE, "{seen} lags are shown after {} s", DEADLINE.as_secs());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Partitions of groups whose lag a scrape shows.
fn shown(text: &str) -> usize {
    text.matches("\nkafka_consumergroup_lag{").count()
}

async fn scrape() -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).await.context("connect to the exporter")?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .context("ask the exporter")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.context("read the exporter's answer")?;
    Ok(text)
}
