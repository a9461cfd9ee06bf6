//! The listeners on node ports that the author of the manifest gave the same cluster later.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use api::KafkaTopic;
use e2e::outside::Outside;
use e2e::{Scenario, bootstrap_of, has_condition};
use serde_json::json;

use super::{CLUSTER, MINUTE};

/// The host of broker 0, whose last letters its author made unreadable.
const HOST: &str = "47.100.168.xxx";
const BROKERS: [&str; 2] = ["my-cluster-kafka-0", "my-cluster-kafka-1"];
const RECORDS: &str = "200";

/// Both manifests, one after the other. `pods` are those of Kafka with their UIDs.
pub(super) async fn lead_to_the_brokers(scenario: &Scenario, pods: &BTreeMap<String, String>) -> Result<()> {
    scenario
        .stage("as written: a listener on node ports, with the port for the start that the manifest names");
    let client = Outside::of(scenario, CLUSTER).await?;
    client.knows_machines(scenario, &[]).await?;
    scenario.apply(include_str!("../../../../crates/test-support/as-written/kafka-nodeport.yaml")).await?;
    for pod in BROKERS {
        scenario.until_replaced(pod, pods.get(pod)).await?;
    }
    use_it(scenario, &client, "through-ports").await?;

    scenario.stage("as written: the host that the manifest gives broker 0, which alone restarts");
    let mut wanted = scenario.kafka_pods(CLUSTER).await?;
    scenario
        .apply(include_str!("../../../../crates/test-support/as-written/kafka-nodeport-advertised.yaml"))
        .await?;
    let former = wanted.remove(BROKERS[0]);
    let uid = scenario.until_replaced(BROKERS[0], former.as_ref()).await?;
    wanted.insert(BROKERS[0].to_owned(), uid);
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let told = scenario.told(BROKERS[0], "external").await?;
    ensure!(told.starts_with(HOST), "{told}");
    client.knows_machines(scenario, &[HOST]).await?;
    use_it(scenario, &client, "through-a-host").await?;
    let pods = scenario.kafka_pods(CLUSTER).await?;
    ensure!(pods == wanted, "one pod restarts, once: {wanted:?}, {pods:?}");
    Ok(())
}

/// Where clients begin.
async fn address(scenario: &Scenario) -> Result<String> {
    let address = bootstrap_of(&scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?, "external")?;
    ensure!(address.ends_with(":32094"), "{address}");
    Ok(address)
}

/// Writes and reads a topic of which each broker leads a part.
async fn use_it(scenario: &Scenario, client: &Outside, topic: &str) -> Result<()> {
    let labels = json!({"strimzi.io/cluster": CLUSTER});
    scenario
        .apply_value(&json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": topic, "labels": labels}, "spec": {"partitions": 4}}))
        .await?;
    let is_there =
        |topic: Option<&KafkaTopic>| topic.is_some_and(|topic| has_condition(topic.status.as_ref(), "Ready"));
    scenario.until::<KafkaTopic>(topic, "Ready", MINUTE, is_there).await?;
    let address = address(scenario).await?;
    client.run(&address, topic, false, &["produce", RECORDS]).await?;
    client.run(&address, topic, false, &["consume", RECORDS, "--group", topic]).await?;
    Ok(())
}
