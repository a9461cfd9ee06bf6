//! KafkaBridge as a user has it: records go in and out over HTTP through its Service, while it reaches Kafka with TLS and a
//! password; Prometheus finds its figures; and no record is lost, and no request refused, while its pods are replaced.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use api::KafkaBridge;
use e2e::{Scenario, has_condition, is_pod_ready};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

/// A user with a password, and the bridge that has it. Records are compressed with zstd on their way.
pub(crate) const MANIFEST: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: web, labels: {strimzi.io/cluster: shop}}
spec: {authentication: {type: scram-sha-512}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaBridge
metadata: {name: web}
spec:
  replicas: 1
  bootstrapServers: shop-kafka-bootstrap:9094
  tls: {trustedCertificates: [{secretName: shop-cluster-ca-cert, pattern: "*.crt"}]}
  authentication: {type: scram-sha-512, username: web, passwordSecret: {secretName: web, password: password}}
  http: {port: 8080}
  metricsConfig: {type: strimziMetricsReporter}
  producer: {config: {compression.type: zstd}}
  consumer: {config: {auto.offset.reset: earliest}}
  resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {memory: 128Mi}}
"#;

const JSON: &str = "application/vnd.kafka.json.v2+json";
const KAFKA: &str = "application/vnd.kafka.v2+json";
const MINUTES: Duration = Duration::from_mins(6);

/// Sends a request to a port of the Service; the body of the answer, which has to be one of success.
async fn ask(
    scenario: &Scenario,
    method: &str,
    port: u16,
    path: &str,
    body: Option<(&str, Value)>,
) -> Result<String> {
    let service =
        format!("/api/v1/namespaces/{}/services/web-bridge-service:{port}/proxy", scenario.namespace);
    let (media_type, bytes) = match body {
        Some((media_type, body)) => (media_type, body.to_string().into_bytes()),
        None => (KAFKA, Vec::new()),
    };
    let accept = if path.contains("/records") { JSON } else { "*/*" };
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{service}{path}"))
        .header("Content-Type", media_type)
        .header("Accept", accept)
        .body(bytes)?;
    let answered = tokio::time::timeout(Duration::from_secs(30), scenario.client.request_text(request)).await;
    answered.context("no answer within 30 s")?.with_context(|| format!("{method} {path}"))
}

async fn send(scenario: &Scenario, values: &[u32]) -> Result<()> {
    let records: Vec<Value> = values.iter().map(|value| json!({"value": value})).collect();
    let answer =
        ask(scenario, "POST", 8080, "/topics/letters", Some((JSON, json!({"records": records})))).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    let offsets = answer["offsets"].as_array().context("no offsets")?;
    ensure!(
        offsets.len() == values.len() && offsets.iter().all(|one| one["offset"].is_u64()),
        "Kafka does not have {values:?}: {answer}"
    );
    Ok(())
}

/// Reads the topic as a new group until so many records have come.
async fn read(scenario: &Scenario, group: &str, count: usize) -> Result<Vec<u64>> {
    let new = json!({"name": "reader", "format": "json"});
    ask(scenario, "POST", 8080, &format!("/consumers/{group}"), Some((KAFKA, new))).await?;
    let consumer = format!("/consumers/{group}/instances/reader");
    let topics = json!({"topics": ["letters"]});
    ask(scenario, "POST", 8080, &format!("{consumer}/subscription"), Some((KAFKA, topics))).await?;
    let mut seen = Vec::new();
    let began = Instant::now();
    while seen.len() < count {
        ensure!(began.elapsed() < MINUTES, "only {} of {count} records came: {seen:?}", seen.len());
        let records = ask(scenario, "GET", 8080, &format!("{consumer}/records?timeout=3000"), None).await?;
        let records: Vec<Value> = serde_json::from_str(&records)?;
        seen.extend(records.iter().filter_map(|record| record["value"].as_u64()));
    }
    ask(scenario, "DELETE", 8080, &consumer, None).await?;
    Ok(seen)
}

fn ready(bridge: Option<&KafkaBridge>) -> bool {
    bridge.is_some_and(|bridge| {
        let status = bridge.status.as_ref();
        has_condition(status, "Ready")
            && status.and_then(|status| status.observed_generation) == bridge.metadata.generation
    })
}

async fn pods(scenario: &Scenario) -> Result<Vec<Pod>> {
    let of_bridge = ListParams::default().labels("strimzi.io/name=web-bridge");
    Ok(scenario.api::<Pod>().list(&of_bridge).await?.items)
}

/// Everything, beside a Kafka `shop` that is ready.
pub(crate) async fn records_go_in_and_out_and_a_roll_loses_none(scenario: &Scenario) -> Result<()> {
    scenario.apply(MANIFEST).await?;
    let bridge = scenario.until("web", "Ready", MINUTES, ready).await?.context("no resource")?;
    scenario.stage("the bridge is ready");
    let url = bridge.status.and_then(|status| status.url).context("no address")?;
    assert_eq!(url, format!("http://web-bridge-service.{}.svc:8080", scenario.namespace));
    let topic = json!({"topic_name": "letters", "partitions_count": 3});
    ask(scenario, "POST", 8080, "/admin/topics", Some((KAFKA, topic))).await?;
    send(scenario, &[0, 1, 2]).await?;
    let mut first = read(scenario, "before", 3).await?;
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
    let figures = ask(scenario, "GET", 8081, "/metrics", None).await?;
    let sent = "strimzi_bridge_kafka_producer_record_send_total{topic=\"letters\"} 3";
    assert!(figures.lines().any(|line| line == sent), "{figures}");

    let before: BTreeSet<String> = pods(scenario).await?.iter().filter_map(ResourceExt::uid).collect();
    let over = AtomicBool::new(false);
    let sending = async {
        let mut next = 3;
        while !over.load(Ordering::Acquire) {
            send(scenario, &[next, next + 1]).await?;
            next += 2;
        }
        Ok::<u32, anyhow::Error>(next)
    };
    let rolling = async {
        let other = json!({"spec": {"producer": {"config": {"linger.ms": 1}}}});
        let bridges = scenario.api::<KafkaBridge>();
        bridges.patch("web", &PatchParams::default(), &Patch::Merge(&other)).await?;
        let began = Instant::now();
        loop {
            let now = pods(scenario).await?;
            let is_another =
                |pod: &Pod| pod.uid().is_some_and(|uid| !before.contains(&uid)) && is_pod_ready(pod);
            if !now.is_empty() && now.iter().all(is_another) {
                break;
            }
            ensure!(began.elapsed() < MINUTES, "the pods are not replaced: {now:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        over.store(true, Ordering::Release);
        Ok::<(), anyhow::Error>(())
    };
    let (count, ()) = tokio::try_join!(sending, rolling)?;
    scenario.stage(&format!("the bridge's pod is another one; {count} records were sent meanwhile"));
    let mut all = read(scenario, "after", count as usize).await?;
    all.sort_unstable();
    assert_eq!(all, (0..u64::from(count)).collect::<Vec<_>>(), "each record is there once");
    Ok(())
}
