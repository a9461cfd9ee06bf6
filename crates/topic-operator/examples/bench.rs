//! What the topic operator needs for 6,000 topics: `bench PATH-OF-TOPIC-OPERATOR [OLD NEW]`.
//!
//! Starts a real API server and a real Kafka node, and the given binary as a process. Prints figures; judges nothing.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use api::KafkaTopic;
use futures::{StreamExt, TryStreamExt, stream};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use kube::{
    Api,
    api::{ListParams, PostParams},
    runtime::{WatchStreamExt, watcher},
};
use serde_json::json;
use test_support::{ApiServer, KafkaNode, KafkaOptions};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const NAMESPACE: &str = "bench-0";
const WRITERS: usize = 16;

fn topic(name: &str) -> KafkaTopic {
    serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": "my"}},
        "spec": {"partitions": 1, "replicas": 1, "config": {"retention.ms": 7_200_000, "segment.bytes": 1_073_741_824}},
    }))
    .unwrap()
}

fn is_ready(topic: &KafkaTopic) -> bool {
    let conditions = topic.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.is("Ready"))
}

/// Processor time in seconds and resident memory in MB of a process, as /proc tells.
fn usage(id: u32) -> (f64, f64) {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<f64>().ok()).sum();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap_or_default();
    let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or_default();
    (ticks / 100.0, kilobytes / 1024.0)
}

fn operator(binary: &str, kubeconfig: &Path, bootstrap: &str, interval: Duration) -> anyhow::Result<Child> {
    Command::new(binary)
        .env("KUBECONFIG", kubeconfig)
        .env("STRIMZI_NAMESPACE", NAMESPACE)
        .env("STRIMZI_RESOURCE_LABELS", "strimzi.io/cluster=my")
        .env("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", bootstrap)
        .env("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", interval.as_millis().to_string())
        .env("STRIMZI_LOG_LEVEL", "WARN")
        .stdout(Stdio::inherit())
        .spawn()
        .with_context(|| format!("start {binary}"))
}

async fn create(api: &Api<KafkaTopic>, names: &[String]) -> anyhow::Result<()> {
    stream::iter(names)
        .map(|name| async move { api.create(&PostParams::default(), &topic(name)).await.map(drop) })
        .buffer_unordered(WRITERS)
        .try_collect::<()>()
        .await
        .context("create KafkaTopics")
}

/// Successful reconciliations so far, as the operator's metrics tell: asking costs next to nothing, unlike a list.
async fn successful() -> usize {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", 8080)).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        std::io::Result::Ok(text)
    };
    let text = ask.await.unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with("strimzi_reconciliations_successful_total{"));
    line.and_then(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_default() as usize
}

async fn until_ready(api: &Api<KafkaTopic>, total: usize) -> anyhow::Result<Instant> {
    loop {
        while successful().await < total {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let reached = Instant::now();
        let list = api.list(&ListParams::default()).await?;
        if list.items.iter().filter(|t| is_ready(t)).count() >= total {
            return Ok(reached);
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let binary = arguments.next().context("name the topic-operator binary")?;
    let mut number = |default: usize| arguments.next().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (old, new) = (number(1000), number(5000));
    let server = ApiServer::start().await?;
    let crds: Vec<_> = api::crds::all()?.into_iter().map(|file| file.crd).collect();
    server.install_crds(&crds).await?;
    server.create_namespace("bench").await?;
    let kafka = KafkaNode::start(KafkaOptions { tls: false, ..KafkaOptions::default() }).await?;
    let client = server.client().await?;
    let topics: Api<KafkaTopic> = Api::namespaced(client, NAMESPACE);
    let kubeconfig = server.admin_kubeconfig_file()?;
    let hour = Duration::from_hours(1);

    let names: Vec<String> = (0..old + new).map(|i| format!("topic-{i}")).collect();
    create(&topics, &names[..old]).await?;
    let mut process = operator(&binary, &kubeconfig, &kafka.bootstrap(), hour)?;
    until_ready(&topics, old).await?;
    process.kill()?;
    process.wait()?;

    // The limit: the same work as bare calls, two writes for each resource and one topic.
    let admin = Admin::new(AdminConfig::brokers([kafka.bootstrap()]))?;
    let begun = Instant::now();
    let bare: Vec<NewTopic> = (0..500).map(|i| NewTopic::new(format!("bare-{i}"))).collect();
    admin.create_topics(bare, false).await?;
    println!("bare Kafka: {:.1} s for 5,000 topics (from 500)", begun.elapsed().as_secs_f64() * 10.0);

    create(&topics, &names[old..]).await?;
    let begun = Instant::now();
    let mut process = operator(&binary, &kubeconfig, &kafka.bootstrap(), hour)?;
    let took = (until_ready(&topics, old + new).await? - begun).as_secs_f64();
    let (cpu, memory) = usage(process.id());
    println!(
        "{} topics, {new} of them new: Ready after {took:.1} s, {cpu:.1} CPU s, {memory:.0} MB at most",
        old + new
    );

    let mut times = Vec::new();
    for i in 0..21 {
        let name = format!("single-{i}");
        let begun = Instant::now();
        topics.create(&PostParams::default(), &topic(&name)).await?;
        let events =
            watcher(topics.clone(), watcher::Config::default().fields(&format!("metadata.name={name}")));
        let mut seen = std::pin::pin!(events.applied_objects());
        while let Some(found) = seen.next().await {
            if is_ready(&found?) {
                break;
            }
        }
        times.push(begun.elapsed());
    }
    times.sort();
    println!("one new topic among {}: {} ms at the median", old + new, times[times.len() / 2].as_millis());
    process.kill()?;
    process.wait()?;

    let mut process = operator(&binary, &kubeconfig, &kafka.bootstrap(), Duration::from_secs(5))?;
    tokio::time::sleep(Duration::from_secs(8)).await;
    let (before, _) = usage(process.id());
    tokio::time::sleep(Duration::from_secs(20)).await;
    let (after, memory) = usage(process.id());
    println!(
        "a look at {} unchanged topics: {:.2} CPU s, {memory:.0} MB at most",
        old + new,
        (after - before) / 4.0
    );
    process.kill()?;
    process.wait()?;
    Ok(())
}
