//! KafkaConnectors of one Connect cluster, in a real worker.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::{KafkaConnect, KafkaConnector, ports};
use connect_client::model::State;
use connect_client::{Connect, ConnectConfig, ConnectError, NewConnector, TargetState};
use kube::Api;
use kube::api::PostParams;
use serde_json::json;
use test_support::kafka::connect::TEST_CLASS;
use test_support::{ConnectWorker, KafkaNode, KafkaOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::operator::Operator;
use crate::report::{median, number, progress, row};
use crate::world::{self, World};
use crate::{bare, single};

/// The Connect cluster, which the label of all resources names.
const CLUSTER: &str = "my";

/// One connector of so many runs; the others are stopped.
const RUNNING: usize = 10;

/// Rounds over settled connectors that are looked at, and the time between two.
const ROUNDS: usize = 3;
const INTERVAL: Duration = Duration::from_secs(10);

/// Single connectors of the bare client, one after another.
const SINGLE: usize = 11;

/// Measures and prints.
pub(crate) async fn run(binary: &Path, count: usize) -> anyhow::Result<()> {
    progress("connectors: starting an API server, Kafka and Kafka Connect");
    let kafka =
        KafkaNode::start(KafkaOptions { tls: false, authorizer: false, ..KafkaOptions::default() }).await?;
    let (limit, fastest) = bare_calls(&kafka, count).await?;
    let world = World::start().await?;
    let worker = ConnectWorker::start(&kafka, "operator").await?;
    let (proxy, requests) = counting_proxy(worker.address()).await?;
    let connects: Api<KafkaConnect> = world.api();
    connects.create(&PostParams::default(), &connect()?).await.context("create the KafkaConnect")?;
    let connectors: Api<KafkaConnector> = world.api();
    let all: Vec<KafkaConnector> =
        (0..count).map(|at| connector(&name(at), at % RUNNING == 0)).collect::<anyhow::Result<_>>()?;
    world::create_all(&connectors, all).await?;

    progress(format!("{count} connectors"));
    let variables = [
        ("KUBECONFIG", world.kubeconfig.display().to_string()),
        ("STRIMZI_NAMESPACE", world.namespace.clone()),
        ("KASTELLAN_OPERATOR_IMAGE", "kastellan/operator:bench".to_owned()),
        ("STRIMZI_LEADER_ELECTION_ENABLED", "false".to_owned()),
        ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", INTERVAL.as_millis().to_string()),
        ("KASTELLAN_CONNECT_ADDRESSES", format!("*={proxy}")),
    ];
    let port = u16::try_from(ports::CLUSTER_OPERATOR_HTTP)?;
    let mut operator = Operator::start(binary, port, &variables)?;
    let took = operator.until_ready(&connectors, count, is_ready).await?;
    let usage = operator.usage()?;
    row(
        format!("{count} connectors, nine of ten stopped, until Ready, s"),
        number(took, 1),
        number(2.0 * limit, 1),
    );
    row("  times the bare REST calls", number(took / limit, 2), "2");
    row("  requests to Kafka Connect", take(&requests).len(), 2 * count);
    row("  CPU s", number(usage.cpu, 1), "-");
    row("  MB resident at most", number(usage.peak, 1), "-");

    progress("settled rounds");
    tokio::time::sleep(INTERVAL * 12).await;
    let (before, writes) = (operator.usage()?, world.writes(&["kafkaconnectors", "configmaps"]).await?);
    take(&requests);
    tokio::time::sleep(INTERVAL * u32::try_from(ROUNDS)?).await;
    let seen = take(&requests);
    let lists = seen.iter().filter(|request| request.starts_with("GET /connectors?")).count();
    let topics = seen.iter().filter(|request| request.contains("/topics")).count();
    let of_round = |of: usize| number(of as f64 / ROUNDS as f64, 1);
    row("a settled round: lists of connectors", of_round(lists), "1");
    row("  connectors asked for their topics", of_round(topics), count / 10);
    row("  other requests", of_round(seen.len() - lists - topics), "0");
    row("  writes", number(world.writes(&["kafkaconnectors", "configmaps"]).await? - writes, 0), "0");
    row("  CPU ms", number((operator.usage()?.cpu - before.cpu) * 1000.0 / ROUNDS as f64, 0), "-");

    progress("single connectors");
    let one = single::median_ms(&connectors, |name| connector(name, true), is_ready).await?;
    row(
        format!("one new connector among {count}, from creation to Ready, ms (median)"),
        number(one, 0),
        number(fastest + 1000.0, 0),
    );
    row("  a bare client, from POST to RUNNING, ms (median)", number(fastest, 0), "-");
    Ok(())
}

/// The limit: what a bare client takes for the same connectors, in seconds; and for a single one among them, in milliseconds.
async fn bare_calls(kafka: &KafkaNode, count: usize) -> anyhow::Result<(f64, f64)> {
    progress("the same work as bare REST calls");
    let worker = ConnectWorker::start(kafka, "bare").await?;
    let connect = Connect::new(ConnectConfig::new(worker.address()).with_deadline(Duration::from_mins(2)));
    let begun = Instant::now();
    bare::each(count, |at| make(&connect, name(at), at % RUNNING == 0)).await?;
    let settled = |state: &State| matches!(state, State::Running | State::Stopped);
    loop {
        let all = connect.connectors().await?;
        if all.values().filter(|one| settled(&one.status.connector.state)).count() == count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let took = begun.elapsed().as_secs_f64();
    row(format!("{count} connectors as bare REST calls, s"), number(took, 1), "-");
    let mut times = Vec::new();
    for at in 0..SINGLE {
        let (name, begun) = (format!("single-{at}"), Instant::now());
        make(&connect, name.clone(), true).await?;
        while !connect.status(&name).await.is_ok_and(|status| status.connector.state == State::Running) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((took, median(times)))
}

/// Makes a connector, as soon as the worker takes it.
async fn make(connect: &Connect, name: String, runs: bool) -> anyhow::Result<()> {
    let config: BTreeMap<String, String> =
        [("connector.class", TEST_CLASS), ("tasks.max", "1"), ("name", &name)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
    let initial_state = if runs { TargetState::Running } else { TargetState::Stopped };
    loop {
        match connect.create(&NewConnector { name: &name, config: &config, initial_state }).await {
            Err(ConnectError::Rebalancing { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return other.context("create a connector"),
        }
    }
}

fn name(at: usize) -> String {
    format!("connector-{at}")
}

fn connect() -> anyhow::Result<KafkaConnect> {
    let connect = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
        "metadata": {"name": CLUSTER, "annotations": {"strimzi.io/use-connector-resources": "true"}},
        "spec": {"replicas": 1, "bootstrapServers": "k:9092", "groupId": "operator", "configStorageTopic": "c",
            "statusStorageTopic": "s", "offsetStorageTopic": "o"},
    });
    serde_json::from_value(connect).context("make a KafkaConnect")
}

fn connector(name: &str, runs: bool) -> anyhow::Result<KafkaConnector> {
    let connector = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
        "metadata": {"name": name, "labels": world::labels()},
        "spec": {"class": TEST_CLASS, "tasksMax": 1, "config": {}, "state": if runs { "running" } else { "stopped" }},
    });
    serde_json::from_value(connector).context("make a KafkaConnector")
}

fn is_ready(connector: &KafkaConnector) -> bool {
    let conditions = connector.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.is("Ready"))
}

type Requests = Arc<Mutex<Vec<String>>>;

fn take(requests: &Requests) -> Vec<String> {
    std::mem::take(&mut requests.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Stands between the operator and the worker, and notes the first line of each request.
async fn counting_proxy(worker: String) -> anyhow::Result<(String, Requests)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.context("bind a port")?;
    let address = listener.local_addr().context("ask for the port")?.to_string();
    let requests = Requests::default();
    let noting = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass_on(client, worker.clone(), Arc::clone(&noting)));
        }
    });
    Ok((address, requests))
}

async fn pass_on(client: TcpStream, worker: String, requests: Requests) -> std::io::Result<()> {
    let (mut from_worker, mut to_worker) = TcpStream::connect(worker).await?.into_split();
    let (mut from_client, mut to_client) = client.into_split();
    let answers = tokio::spawn(async move { tokio::io::copy(&mut from_worker, &mut to_client).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        // A client asks for one thing after the other, so that a request begins with what is read.
        let text = String::from_utf8_lossy(&buffer[..read]);
        if let Some(line) = text.lines().next().and_then(|line| line.strip_suffix(" HTTP/1.1")) {
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
        }
        to_worker.write_all(&buffer[..read]).await?;
    }
    answers.abort();
    Ok(())
}
