//! The life of the quick-start cluster, told from outside: what a user does and sees.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use api::{Kafka, KafkaNodePool, KafkaTopic, KafkaUser};
use e2e::{Scenario, has_condition, is_pod_ready};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;

const CLUSTER: &str = "quickstart";
const RECORDS: &str = "10000";

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, reason = "one story")]
async fn the_quick_start_cluster_serves_heals_rolls_grows_and_goes() -> Result<()> {
    let scenario = Scenario::new("e2e-quickstart").await?;

    scenario.stage("applying examples/quickstart.yaml");
    scenario.apply(include_str!("../../../examples/quickstart.yaml")).await?;
    let kafka = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let status = kafka.status.context("no status")?;
    assert_eq!(status.kafka_version.as_deref(), Some("4.3.1"));
    assert!(status.cluster_id.is_some_and(|id| id.len() == 22));
    let names: Vec<_> =
        status.listeners.iter().flatten().filter_map(|listener| listener.name.clone()).collect();
    assert_eq!(names, ["plain", "tls", "scram"]);
    let minute = Duration::from_mins(1);
    scenario
        .until::<KafkaTopic>("orders", "Ready", minute, |topic| {
            topic.is_some_and(|topic| has_condition(topic.status.as_ref(), "Ready"))
        })
        .await?;
    for user in ["producer", "consumer"] {
        scenario
            .until::<KafkaUser>(user, "Ready", minute, |user| {
                user.is_some_and(|user| has_condition(user.status.as_ref(), "Ready"))
            })
            .await?;
    }

    scenario.stage("producing over TLS, consuming over SCRAM, and being refused");
    scenario.client(CLUSTER, "producer", 9093, &["produce", RECORDS]).await?;
    scenario.client(CLUSTER, "consumer", 9094, &["consume", RECORDS, "--group", "quickstart-a"]).await?;
    scenario.client(CLUSTER, "consumer", 9094, &["expect-denied"]).await?;

    scenario.stage("deleting a pod: it comes back, and so does what it stored");
    let before = scenario.kafka_pods(CLUSTER).await?;
    scenario.api::<Pod>().delete("quickstart-dual-1", &DeleteParams::default()).await?;
    scenario
        .until::<Pod>("quickstart-dual-1", "a new ready pod", Duration::from_mins(6), |pod| {
            pod.is_some_and(|pod| {
                is_pod_ready(pod) && pod.metadata.uid.as_ref() != before.get("quickstart-dual-1")
            })
        })
        .await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    scenario.client(CLUSTER, "consumer", 9094, &["consume", RECORDS, "--group", "quickstart-b"]).await?;

    scenario.stage("changing an option that Kafka changes at run time: no pod restarts");
    let before = scenario.kafka_pods(CLUSTER).await?;
    set_config(&scenario, "log.retention.ms", "3600000").await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    assert_eq!(scenario.kafka_pods(CLUSTER).await?, before, "no pod may restart");

    scenario.stage("an option that Kafka reads at start, a second disk and one more listener: every pod restarts in its turn");
    Box::pin(add_disk_and_listener(&scenario)).await?;
    for (pod, uid) in &before {
        scenario
            .until::<Pod>(pod, "a new ready pod", Duration::from_mins(8), |pod| {
                pod.is_some_and(|pod| is_pod_ready(pod) && pod.metadata.uid.as_ref() != Some(uid))
            })
            .await?;
    }
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    scenario.client(CLUSTER, "consumer", 9094, &["consume", RECORDS, "--group", "quickstart-c"]).await?;

    scenario.stage("the listener with authentication of one's own is reached, and Kafka uses both disks");
    let with_plain = ["--sasl-mechanism", "PLAIN", "consume", RECORDS, "--group", "quickstart-d"];
    scenario.client(CLUSTER, "by-hand", 9095, &with_plain).await?;
    scenario.client(CLUSTER, "by-hand", 9095, &["--sasl-mechanism", "PLAIN", "expect-denied"]).await?;
    until_both_disks_are_used(&scenario).await?;

    scenario.stage("scaling the pool from 3 to 4 nodes");
    let patch = json!({"spec": {"replicas": 4}});
    scenario.api::<KafkaNodePool>().patch("dual", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    scenario
        .until::<Pod>("quickstart-dual-3", "a ready pod", Duration::from_mins(6), |pod| {
            pod.is_some_and(is_pod_ready)
        })
        .await?;
    scenario
        .until::<KafkaNodePool>("dual", "four node ids", minute, |pool| {
            let ids = pool.and_then(|pool| pool.status.as_ref()?.node_ids.clone());
            ids == Some(vec![0, 1, 2, 3])
        })
        .await?;
    scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;

    scenario.stage("deleting the Kafka resource: all goes but the volumes");
    scenario.api::<Kafka>().delete(CLUSTER, &DeleteParams::default()).await?;
    for node in 0..4 {
        let name = format!("quickstart-dual-{node}");
        scenario.until::<Pod>(&name, "its end", Duration::from_mins(6), |pod| pod.is_none()).await?;
        scenario.until::<Secret>(&name, "its end", minute, |secret| secret.is_none()).await?;
    }
    let claims = scenario.api::<PersistentVolumeClaim>().list(&ListParams::default()).await?;
    assert_eq!(claims.items.len(), 8, "the volumes stay");
    scenario.stage("deleting the namespace: nothing holds it");
    scenario.remove().await
}

/// What only a restart brings, all at once: an option, a volume, and a listener whose users stand in its own configuration.
async fn add_disk_and_listener(scenario: &Scenario) -> Result<()> {
    let password = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "by-hand"},
        "stringData": {"password": "of-this-test"}});
    scenario.apply_value(&password).await?;
    // Rights of a user that proves by other means who it is.
    let rights = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
    "metadata": {"name": "by-hand", "labels": {"strimzi.io/cluster": CLUSTER}},
    "spec": {"authorization": {"type": "simple", "acls": [
        {"resource": {"type": "topic", "name": "orders"}, "operations": ["Describe", "Read"]},
        {"resource": {"type": "group", "name": "quickstart-", "patternType": "prefix"}, "operations": ["Read"]},
    ]}}});
    scenario.apply_value(&rights).await?;
    let pool = scenario.api::<KafkaNodePool>().get("dual").await?;
    let mut volumes = serde_json::to_value(&pool.spec.storage)?["volumes"].clone();
    let more = json!({"id": 1, "type": "persistent-claim", "size": "1Gi"});
    volumes.as_array_mut().context("the pool has no jbod storage")?.push(more);
    let jaas =
        "org.apache.kafka.common.security.plain.PlainLoginModule required user_by-hand=\"of-this-test\";";
    let listener = json!({"name": "own", "port": 9095, "type": "internal", "tls": true, "authentication": {
        "type": "custom", "sasl": true,
        "listenerConfig": {"sasl.enabled.mechanisms": "PLAIN", "plain.sasl.jaas.config": jaas}}});
    let kafka = scenario.api::<Kafka>().get(CLUSTER).await?;
    let mut listeners = serde_json::to_value(&kafka.spec.kafka.listeners)?;
    listeners.as_array_mut().context("the cluster has no listeners")?.push(listener);
    let parameters = PatchParams::default();
    let patch = json!({"spec": {"storage": {"volumes": volumes}}});
    scenario.api::<KafkaNodePool>().patch("dual", &parameters, &Patch::Merge(&patch)).await?;
    let patch = json!({"spec": {"kafka": {"listeners": listeners, "config": {"num.partitions": "2"}}}});
    scenario.api::<Kafka>().patch(CLUSTER, &parameters, &Patch::Merge(&patch)).await?;
    Ok(())
}

/// Waits for the file that Kafka writes into each log directory that it uses, the first time half a minute after its start.
async fn until_both_disks_are_used(scenario: &Scenario) -> Result<()> {
    let begun = Instant::now();
    for volume in ["data-0", "data-1"] {
        let file = format!("/var/lib/kafka/{volume}/kafka-log0/log-start-offset-checkpoint");
        let read = ["exec", "quickstart-dual-0", "--container", "kafka", "--", "cat", file.as_str()];
        while let Err(error) = scenario.kubectl(&read).await {
            if begun.elapsed() > Duration::from_mins(2) {
                return Err(error).context("Kafka does not use a disk");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    Ok(())
}

/// Sets one option of Kafka.
async fn set_config(scenario: &Scenario, name: &str, value: &str) -> Result<()> {
    let patch = json!({"spec": {"kafka": {"config": {name: value}}}});
    scenario.api::<Kafka>().patch(CLUSTER, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}
