//! A manifest of Strimzi 0.34, applied as it was published: a cluster with ZooKeeper, Kafka 3.4 and a storage class `disk`.

mod node_ports;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::{Kafka, KafkaTopic, KafkaUser};
use e2e::{Scenario, has_condition, storage_class};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

const CLUSTER: &str = "my-cluster";
const MINUTE: Duration = Duration::from_mins(1);

/// The text that the exporter serves, fetched from within the pod of a broker.
async fn exported(scenario: &Scenario) -> Result<String> {
    let selector = format!("strimzi.io/name={CLUSTER}-kafka-exporter");
    let pods = scenario.api::<Pod>().list(&ListParams::default().labels(&selector)).await?;
    let address = pods.items.iter().find_map(|pod| pod.status.as_ref()?.pod_ip.clone());
    let address = address.context("the exporter has no address yet")?;
    let fetch =
        format!("exec 3<>/dev/tcp/{address}/9404; printf 'GET /metrics HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3");
    let pod = format!("{CLUSTER}-kafka-0");
    scenario.kubectl(&["exec", &pod, "--container", "kafka", "--", "bash", "-c", &fetch]).await
}

/// The records that a group is behind, as the exporter shows them.
fn lag(text: &str, group: &str) -> Option<i64> {
    let start = format!("kafka_consumergroup_lag_sum{{consumergroup=\"{group}\",topic=\"orders\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&start))?.trim().parse::<f64>().ok().map(|lag| lag as i64)
}

/// The same, as Kafka's own tool counts them.
async fn counted_lag(scenario: &Scenario, group: &str) -> Result<i64> {
    let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
    let arguments = ["--bootstrap-server", "localhost:9092", "--describe", "--group", group];
    let text = scenario.tool(&format!("{CLUSTER}-kafka-0"), class, &arguments).await?;
    let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let column =
        lines.find_map(|line| line.iter().position(|word| *word == "LAG")).context("no column LAG")?;
    lines
        .filter_map(|line| line.get(column).map(|word| (*word).to_owned()))
        .map(|word| word.parse::<i64>().with_context(|| format!("{word:?} is no lag")))
        .sum()
}

/// Waits until a request that may fail is answered with something.
async fn until<T>(what: &str, deadline: Duration, ask: impl AsyncFn() -> Result<Option<T>>) -> Result<T> {
    let asked = async {
        loop {
            if let Ok(Some(found)) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(deadline, asked).await.with_context(|| format!("{what} did not come in time"))
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn a_manifest_with_zookeeper_runs_as_it_was_written() -> Result<()> {
    let scenario = Scenario::new("e2e-as-written").await?;
    let classes = storage_class::like_the_default(&scenario, "disk").await?;

    scenario.stage("as written: the manifest of Strimzi 0.34, through v1beta2");
    scenario.apply(include_str!("../../../crates/test-support/as-written/kafka.yaml")).await?;
    let labels = json!({"strimzi.io/cluster": CLUSTER});
    scenario
        .apply_value(&json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "orders", "labels": labels}, "spec": {"partitions": 3}}))
        .await?;
    scenario
        .apply_value(&json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": "reader", "labels": labels}, "spec": {"authentication": {"type": "tls"}}}))
        .await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(5)).await?;
    let status = serde_json::to_value(&kafka.status)?;
    let said: Vec<&Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["type"] == "Warning")
        .collect();
    for part in ["3.4.0 is older", "spec.zookeeper", "inter.broker.protocol.version"] {
        let is_said = said.iter().any(|one| one["message"].as_str().is_some_and(|text| text.contains(part)));
        ensure!(is_said, "{part} is not in {said:#?}");
    }
    let pods = scenario.kafka_pods(CLUSTER).await?;
    ensure!(
        pods.keys().map(String::as_str).eq([
            "my-cluster-controller-1000",
            "my-cluster-kafka-0",
            "my-cluster-kafka-1"
        ]),
        "{pods:?}"
    );
    for claim in scenario.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?.items {
        let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref());
        ensure!(class == Some("disk"), "{} has the class {class:?}", claim.name_any());
    }

    scenario.stage("as written: another log level and an exporter, while it runs");
    let patch = json!({"spec": {"kafkaExporter": {}, "kafka": {
        "logging": {"type": "inline", "loggers": {"org.apache.kafka": "DEBUG"}}}}});
    scenario.api::<Kafka>().patch(CLUSTER, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(5)).await?;
    for pod in pods.keys() {
        // The kubelet looks at the ConfigMaps of a pod when the pod changes, or once in a good minute.
        scenario.kubectl(&["annotate", "pod", pod, "example.com/look=now"]).await?;
    }
    scenario
        .until::<KafkaTopic>("orders", "Ready", MINUTE, |topic| {
            topic.is_some_and(|topic| has_condition(topic.status.as_ref(), "Ready"))
        })
        .await?;
    scenario
        .until::<KafkaUser>("reader", "Ready", MINUTE, |user| {
            user.is_some_and(|user| has_condition(user.status.as_ref(), "Ready"))
        })
        .await?;

    scenario.stage("as written: producing over TLS, and a consumer that pauses");
    scenario.client(CLUSTER, "reader", 9093, &["produce", "1000"]).await?;
    let job = scenario
        .start_client(CLUSTER, "reader", 9093, &["consume", "1000", "--group", "halted", "--pause", "600"])
        .await?;
    scenario.until_log(&format!("job-name={job}"), "paused", MINUTE).await?;
    let caught_up = until("a lag of 0", MINUTE, async || {
        Ok(lag(&exported(&scenario).await?, "halted").filter(|lag| *lag == 0))
    });
    caught_up.await?;
    scenario.client(CLUSTER, "reader", 9093, &["produce", "700"]).await?;
    let behind = until("a lag", MINUTE, async || {
        Ok(lag(&exported(&scenario).await?, "halted").filter(|lag| *lag == 700))
    });
    behind.await?;
    ensure!(counted_lag(&scenario, "halted").await? == 700, "Kafka's own tool sees another lag");

    scenario.stage("as written: Kafka logs at the new level, and no pod was restarted for it");
    scenario
        .until_log(
            &format!("strimzi.io/cluster={CLUSTER},strimzi.io/broker-role=true"),
            " DEBUG [",
            Duration::from_mins(4),
        )
        .await?;
    ensure!(scenario.kafka_pods(CLUSTER).await? == pods, "no pod may restart");
    if e2e::is_beside_cluster() {
        // On the heap: what the stages wait for is large.
        Box::pin(node_ports::lead_to_the_brokers(&scenario, &pods)).await?;
    }
    scenario.remove().await?;
    classes.delete("disk", &DeleteParams::default()).await?;
    Ok(())
}
