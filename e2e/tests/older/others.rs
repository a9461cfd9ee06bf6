//! What the same and other texts publish: listeners on node ports, a cluster without volumes, and krallistic's cluster after its conversion.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use api::{KafkaNodePool, KafkaTopic};
use e2e::outside::Outside;
use e2e::{Scenario, has_condition};
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::api::ListParams;
use kubectl_kafka::convert::{self, Resource};
use serde_json::{Value, json};

use super::{CLUSTER, MINUTE};

/// The node port of the published listener.
const NODE_PORT: &str = "32094";
const RECORDS: &str = "200";

/// What the first broker of the cluster tells clients.
async fn told(scenario: &Scenario) -> Result<String> {
    let map = scenario.api::<ConfigMap>().get(&format!("{CLUSTER}-kafka-0")).await?;
    let file = map.data.and_then(|mut data| data.remove("server.config")).context("no configuration")?;
    let line = file.lines().find_map(|line| line.strip_prefix("advertised.listeners=")).context("no line")?;
    Ok(line.to_owned())
}

/// The cluster of the text gets the listener that the text gives it: first with the address of its author, then without.
pub(super) fn node_ports(scenario: &Scenario) -> BoxFuture<'_, Result<()>> {
    // On the heap: what the stages wait for is large.
    Box::pin(use_node_ports(scenario))
}

async fn use_node_ports(scenario: &Scenario) -> Result<()> {
    scenario
        .stage("as written: a listener on node ports, of which one broker tells an address of the author's");
    scenario
        .apply(include_str!("../../../crates/test-support/as-written/kafka-nodeport-advertised.yaml"))
        .await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let advertised = told(scenario).await?;
    ensure!(advertised.contains("EXTERNAL-9094://47.100.168.xxx:"), "{advertised}");

    scenario.stage("as written: the listener on node ports, used from outside of the pods");
    scenario.apply(include_str!("../../../crates/test-support/as-written/kafka-nodeport.yaml")).await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(4)).await?;
    let listeners = kafka.status.iter().flat_map(|status| status.listeners.iter().flatten());
    let mut external = listeners.filter(|listener| listener.name.as_deref() == Some("external"));
    let address = external.next().and_then(|listener| listener.bootstrap_servers.clone());
    let address = address.context("the status has no address of the listener")?;
    ensure!(address.ends_with(&format!(":{NODE_PORT}")), "{address}");
    let client = Outside::of(scenario, CLUSTER).await?;
    client.knows_machines(scenario).await?;
    let topic = "through-node-ports";
    client.run(&address, topic, false, &["produce", RECORDS]).await?;
    client.run(&address, topic, false, &["consume", RECORDS, "--group", topic]).await?;
    Ok(())
}

/// A pool of a converted cluster, with little processor and memory: this machine is small.
fn small(pool: &KafkaNodePool) -> Result<Value> {
    let mut pool = serde_json::to_value(pool)?;
    pool["spec"]["resources"] =
        json!({"requests": {"cpu": "20m", "memory": "256Mi"}, "limits": {"memory": "768Mi"}});
    pool["spec"]["jvmOptions"] =
        json!({"-Xms": "256m", "-Xmx": "256m", "-XX": {"UseSerialGC": "true", "TieredStopAtLevel": "1"}});
    Ok(pool)
}

async fn pods(scenario: &Scenario, cluster: &str) -> Result<Vec<String>> {
    Ok(scenario.kafka_pods(cluster).await?.into_keys().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_other_texts_and_operators_run() -> Result<()> {
    let scenario = Scenario::new("e2e-of-others").await?;
    scenario.stage("of others: a cluster of Strimzi 0.38 without volumes");
    scenario
        .apply(include_str!("../../../crates/test-support/as-written/kafka-ephemeral-single.yaml"))
        .await?;
    scenario.until_ready("my-cluster", Duration::from_mins(4)).await?;
    let expected = ["controller-1000", "controller-1001", "controller-1002", "kafka-0"]
        .map(|name| format!("my-cluster-{name}"));
    ensure!(pods(&scenario, "my-cluster").await? == expected, "{:?}", pods(&scenario, "my-cluster").await?);
    let claims = scenario.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?.items;
    ensure!(claims.is_empty(), "{claims:?}");
    scenario.kubectl(&["delete", "kafkas.kafka.strimzi.io", "my-cluster"]).await?;
    // Its memory is free before the next cluster starts.
    let selector = "strimzi.io/cluster=my-cluster";
    scenario.kubectl(&["wait", "pods", "--selector", selector, "--for=delete", "--timeout=2m"]).await?;

    scenario.stage("of others: krallistic's cluster, converted");
    let text = include_str!("../../../crates/kubectl-kafka/tests/inputs/krallistic.yaml");
    let conversion = convert::convert(text)?;
    ensure!(!conversion.has_failed(), "{}", convert::summary(&conversion));
    for resource in conversion.resources() {
        let value = match resource {
            Resource::Kafka(kafka) => serde_json::to_value(kafka)?,
            Resource::Pool(pool) => small(pool)?,
            Resource::Topic(topic) => serde_json::to_value(topic)?,
            Resource::User(user) => serde_json::to_value(user)?,
        };
        scenario.apply_value(&value).await?;
    }
    let cluster = "test-cluster-1";
    scenario.until_ready(cluster, Duration::from_mins(4)).await?;
    let expected =
        ["broker-0", "broker-1", "broker-2", "controller-1000", "controller-1001", "controller-1002"]
            .map(|name| format!("{cluster}-{name}"));
    ensure!(pods(&scenario, cluster).await? == expected, "{:?}", pods(&scenario, cluster).await?);
    for topic in ["test1", "test2"] {
        let is_ready = |topic: Option<&KafkaTopic>| {
            topic.is_some_and(|topic| has_condition(topic.status.as_ref(), "Ready"))
        };
        scenario.until::<KafkaTopic>(topic, "Ready", MINUTE, is_ready).await?;
    }
    scenario.remove().await
}
