//! Jars of other people: what a user sees while they are missing, how they come, and that each does its work: a real Prometheus scrapes the
//! pods, quotas hold producers back, segments move to a remote storage, tokens are checked. And a log level that changes while Kafka runs.

mod plug_ins;

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use api::{Kafka, KafkaNodePool};
use e2e::tokens::TokenIssuer;
use e2e::{Scenario, is_ready};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::api::{LogParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLUSTER: &str = "watched";
const POD: &str = "watched-dual-0";
/// Where Prometheus looks: a port of the pod, by its number.
const PORT: u16 = 9404;
/// A metric that only the rules of the test make.
const METRIC: &str = "kastellan_test_broker_state";

/// The jars that are not there without the right image.
const JARS: [&str; 2] = ["io.prometheus.jmx:jmx_prometheus_javaagent", "io.strimzi:kafka-quotas-plugin"];

/// What a status says of missing jars.
fn missing(status: Option<&impl serde::Serialize>) -> String {
    let status = status.and_then(|status| serde_json::to_value(status).ok()).unwrap_or_default();
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let of_jars = conditions.iter().filter(|one| one["reason"] == "PlugInMissing");
    of_jars.filter_map(|one| one["message"].as_str()).collect::<Vec<_>>().join(" ")
}

/// Whether a status names all the jars that are not there.
fn misses_the_jars(status: Option<&impl serde::Serialize>) -> bool {
    let said = missing(status);
    JARS.iter().all(|jar| said.contains(jar))
}

fn manifest() -> Value {
    json!([
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules"}, "data": {"rules.yaml":
            format!("rules:\n- pattern: kafka.server<type=KafkaServer, name=BrokerState><>Value\n  name: {METRIC}\n")}},
        {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
         "metadata": {"name": "dual", "labels": {"strimzi.io/cluster": CLUSTER}},
         "spec": {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "ephemeral"},
                  "jvmOptions": {"-Xmx": "256m"}, "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}}}},
        {"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": CLUSTER}, "spec": {"kafka": {
            "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}],
            "config": {"offsets.topic.replication.factor": 1, "default.replication.factor": 1, "min.insync.replicas": 1},
            "quotas": plug_ins::quotas(),
            "metricsConfig": {"type": "jmxPrometheusExporter",
                "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "rules.yaml"}}}}}},
    ])
}

async fn change(scenario: &Scenario, kafka: Value) -> Result<()> {
    let patch = json!({"spec": {"kafka": kafka}});
    scenario.api::<Kafka>().patch(CLUSTER, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

/// The address of the pod.
async fn address(scenario: &Scenario) -> Result<String> {
    let pod = scenario.api::<Pod>().get(POD).await?;
    pod.status.and_then(|status| status.pod_ip).context("the pod has no address")
}

/// A GET request over plain HTTP; the body of a good answer.
async fn get(address: &str, path: &str) -> Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        if !head.contains(" 200 ") {
            bail!("{path}: {head}");
        }
        Ok(body.to_owned())
    };
    tokio::time::timeout(Duration::from_secs(10), ask).await.with_context(|| format!("{address} hangs"))?
}

/// Asks again and again until the answer is as wanted.
async fn until_answer(
    what: &str,
    address: &str,
    path: &str,
    accept: impl Fn(&str) -> bool,
) -> Result<String> {
    let begun = Instant::now();
    loop {
        let answer = get(address, path).await;
        match answer {
            Ok(text) if accept(&text) => return Ok(text),
            other if begun.elapsed() > Duration::from_mins(6) => bail!("{what} did not come: {other:?}"),
            _ => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn prometheus_scrapes_the_pods_and_a_log_level_changes_without_a_restart() -> Result<()> {
    let image = std::env::var("KASTELLAN_KAFKA_WITH_JARS_IMAGE")
        .context("KASTELLAN_KAFKA_WITH_JARS_IMAGE is not set: run `make e2e`")?;
    let scenario = Scenario::new("e2e-metrics").await?;
    let minutes = Duration::from_mins(8);

    scenario
        .stage("a cluster with metricsConfig and quotas on Kafka's own image: it serves, and says which jars it lacks");
    for object in manifest().as_array().context("a list")? {
        scenario.apply_value(object).await?;
    }
    scenario.until_ready(CLUSTER, minutes).await?;
    let pool = |pool: Option<&KafkaNodePool>| pool.is_some_and(|pool| misses_the_jars(pool.status.as_ref()));
    scenario.until::<KafkaNodePool>("dual", "the missing jars", Duration::from_mins(1), pool).await?;
    let kafka = |kafka: Option<&Kafka>| kafka.is_some_and(|kafka| misses_the_jars(kafka.status.as_ref()));
    scenario.until::<Kafka>(CLUSTER, "the missing jars", Duration::from_mins(1), kafka).await?;

    scenario.stage("an image with the jars, tiered storage and a listener for tokens: the warnings go");
    let issuer = TokenIssuer::start(address(&scenario).await?.parse()?).await?;
    change(&scenario, plug_ins::wishes(&image, &issuer)).await?;
    let has_all = |kafka: Option<&Kafka>| {
        is_ready(kafka) && kafka.is_some_and(|kafka| missing(kafka.status.as_ref()).is_empty())
    };
    let kafka = scenario.until::<Kafka>(CLUSTER, "no missing jar", minutes, has_all).await?;
    plug_ins::work(&scenario, &kafka.context("the Kafka resource is gone")?, &issuer).await?;
    let address = address(&scenario).await?;

    scenario.stage("a real Prometheus scrapes the pod");
    let folder = tempfile::tempdir()?;
    let port = TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let config = folder.path().join("prometheus.yml");
    let targets = format!(
        "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: kafka\n  static_configs:\n  - targets: ['{address}:{PORT}']\n"
    );
    std::fs::write(&config, targets)?;
    let own = format!("127.0.0.1:{port}");
    let mut prometheus = tokio::process::Command::new("prometheus")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address={own}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .context("prometheus does not start: install the package prometheus")?;
    let query = |name: &str| format!("/api/v1/query?query={name}");
    until_answer("a scrape", &own, &query("up"), |text| text.contains(r#","1"]"#)).await?;
    // 3: the broker runs.
    until_answer("the broker's state", &own, &query(METRIC), |text| text.contains(r#","3"]"#)).await?;

    scenario.stage("other rules and another log level: both count, and no pod restarts");
    let before = scenario.kafka_pods(CLUSTER).await?;
    let rules = "rules:\n- pattern: kafka.server<type=KafkaServer, name=BrokerState><>Value\n  name: kastellan_test_renamed\n";
    let patch = json!({"data": {"rules.yaml": rules}});
    scenario.api::<ConfigMap>().patch("rules", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    change(&scenario, json!({"logging": {"type": "inline", "loggers": {
        "rootLogger.level": "INFO", "logger.net.name": "org.apache.kafka.common.network", "logger.net.level": "TRACE"}}}))
    .await?;
    until_answer("the new rules", &own, &query("kastellan_test_renamed"), |text| text.contains(r#","3"]"#))
        .await?;
    let begun = Instant::now();
    let parameters =
        LogParams { container: Some("kafka".to_owned()), tail_lines: Some(200), ..LogParams::default() };
    while !scenario.api::<Pod>().logs(POD, &parameters).await?.contains(" TRACE ") {
        assert!(begun.elapsed() < Duration::from_mins(6), "the log level did not change");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    scenario.until_ready(CLUSTER, minutes).await?;
    assert_eq!(scenario.kafka_pods(CLUSTER).await?, before, "no pod may restart");
    prometheus.kill().await?;

    scenario.stage("plug-ins: metrics by Strimzi's reporter");
    change(&scenario, plug_ins::reporter()).await?;
    scenario.until::<Kafka>(CLUSTER, "no missing jar", minutes, has_all).await?;
    let address = format!("{}:{PORT}", self::address(&scenario).await?);
    let is_told = |text: &str| text.lines().any(|line| line.starts_with(plug_ins::REPORTED));
    let scrape = until_answer("a scrape of the reporter", &address, "/metrics", is_told).await?;
    ensure!(!scrape.contains("\nkafka_log_"), "only what is allowed is told: {scrape}");
    scenario.remove().await
}
