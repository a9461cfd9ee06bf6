//! A broker whose disk hangs: it takes connections, sends heartbeats, and answers nothing.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Scenario, is_pod_ready};
use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use super::{
    MINUTE, claim_storage, create_topic, kafka, pool, produce, record_counts, says, until_kafka,
    until_pod_ready,
};

/// The pod that leads the partition.
const POD: &str = "s-h-1";
/// The folder of the partition there.
const FOLDER: &str = "/var/lib/kafka/data-0/kafka-log1/orders-0";
/// How long it may take until the node is restarted: five minutes of silence, and the time until the next look.
const RESTART: Duration = Duration::from_mins(9);

/// A command of the shell in the container of Kafka.
async fn run(scenario: &Scenario, command: &str) -> Result<()> {
    scenario.kubectl(&["exec", POD, "--container", "kafka", "--", "bash", "-c", command]).await.map(drop)
}

/// The only thread for requests waits for a disk: nobody can write to the broker, read from it or follow it. It is restarted by itself with
/// that as the reason, another one leads, and the producer that has waited all the time loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_answers_nothing_is_restarted_and_every_record_is_kept() -> Result<()> {
    let scenario = Scenario::new("e2e-faults-silence").await?;
    scenario.stage("three nodes with one thread for requests each");
    let pool = pool("s", "h", 3, &["controller", "broker"], &claim_storage(true));
    scenario.apply_value(&pool).await?;
    let mut resource = kafka("s", 3, &json!({}));
    resource["spec"]["kafka"]["config"]["num.io.threads"] = json!(1);
    resource["spec"]["kafka"]["config"]["log.segment.bytes"] = json!(1_048_576);
    scenario.apply_value(&resource).await?;
    scenario.until_ready("s", Duration::from_mins(8)).await?;
    create_topic(&scenario, "s-h-0", "orders", "1:2:0", &["min.insync.replicas=2"]).await?;
    produce(&scenario, "s-h-0", "orders", 5, 100_000).await?;

    scenario.stage("the disk hangs when the next segment begins: its first file is a pipe that nobody reads");
    let before = scenario.kafka_pods("s").await?;
    let pipes =
        format!("for offset in $(seq 6 80); do mkfifo {FOLDER}/$(printf %020d $offset).snapshot; done");
    run(&scenario, &pipes).await?;
    let hangs = async {
        let is_unready = |pod: Option<&Pod>| pod.is_some_and(|pod| !is_pod_ready(pod));
        scenario.until::<Pod>(POD, "a pod that is not ready", 3 * MINUTE, is_unready).await?;
        // The next start finds a disk that is in order.
        let remove = format!("for file in {FOLDER}/*.snapshot; do [[ ! -p $file ]] || rm $file; done");
        run(&scenario, &remove).await?;
        until_kafka(&scenario, "s", "the reason in the status", RESTART, |kafka| {
            says(kafka, "NotReady", &format!("{POD} is not ready: a listener of its Kafka takes connections"))
        })
        .await?;
        let former = before.get(POD);
        let is_new = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.metadata.uid.as_ref() != former);
        scenario.until::<Pod>(POD, "another pod", RESTART, is_new).await?;
        until_pod_ready(&scenario, POD, former).await?;
        scenario.until_ready("s", 4 * MINUTE).await?;
        Ok::<_, anyhow::Error>(())
    };
    let (written, ()) = tokio::try_join!(produce(&scenario, "s-h-0", "orders", 60, 100_000), hangs)?;
    ensure!(written.values().sum::<i64>() == 60, "{written:?}");

    scenario.stage("the event has the reason, no other node was restarted, and every record is there");
    let reasons = ["get", "events", "--field-selector", "reason=PodUnresponsive", "-o", "name"];
    ensure!(scenario.kubectl(&reasons).await?.lines().count() == 1, "one event");
    let now = scenario.kafka_pods("s").await?;
    for pod in ["s-h-0", "s-h-2"] {
        ensure!(now.get(pod) == before.get(pod), "{pod} was restarted");
    }
    for pod in now.keys() {
        let kept = record_counts(&scenario, pod, "orders").await?;
        ensure!(kept == written, "{written:?} became {kept:?}");
    }
    scenario.remove().await
}
