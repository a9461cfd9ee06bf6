//! What other people's jars do in a cluster that asks for them: quotas, tiered storage, OAuth, and metrics of Kafka's own reporters.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use api::Kafka;
use e2e::Scenario;
use e2e::outside::Outside;
use e2e::tokens::TokenIssuer;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::{CLUSTER, POD};

const TOPIC: &str = "archived";
/// Records of the client, 1.5 MB, and bytes that producers may send in a second, where the plug-in looks at ten of them.
const RECORDS: &str = "60000";
const PRODUCE: u64 = 100_000;
/// Where the plug-in for tiered storage puts segments.
const REMOTE: &str = "/mnt/remote";

/// The quotas of Strimzi's plug-in.
pub(crate) fn quotas() -> Value {
    json!({"type": "strimzi", "producerByteRate": PRODUCE})
}

/// What a cluster asks for when the jars are there.
pub(crate) fn wishes(image: &str, issuer: &TokenIssuer) -> Value {
    let login = format!(
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
         unsecuredLoginStringClaim_sub=\"unused\" oauth.valid.issuer.uri=\"{0}\" oauth.jwks.endpoint.uri=\"{0}/jwks\";",
        issuer.url()
    );
    json!({
        "image": image,
        "listeners": [
            {"name": "plain", "port": 9092, "type": "internal", "tls": false},
            {"name": "tokens", "port": 9094, "type": "nodeport", "tls": false,
             "configuration": {"preferredNodePortAddressType": "InternalIP"},
             "authentication": {"type": "custom", "sasl": true, "listenerConfig": {
                "sasl.enabled.mechanisms": "OAUTHBEARER",
                "oauthbearer.sasl.server.callback.handler.class":
                    "io.strimzi.kafka.oauth.server.JaasServerOauthValidatorCallbackHandler",
                "oauthbearer.sasl.jaas.config": login}}},
        ],
        "config": {
            "rlmm.config.remote.log.metadata.topic.replication.factor": 1,
            "rlmm.config.remote.log.metadata.topic.num.partitions": 1,
            "remote.log.manager.task.interval.ms": 500,
        },
        "tieredStorage": {"type": "custom", "remoteStorageManager": {
            "className": "org.apache.kafka.server.log.remote.storage.LocalTieredStorage",
            "classPath": "/opt/tiered-storage/*",
            "config": {"dir": REMOTE}}},
        "template": {
            "pod": {"volumes": [{"name": "remote", "emptyDir": {}}]},
            "kafkaContainer": {"volumeMounts": [{"name": "remote", "mountPath": REMOTE}]},
        },
    })
}

/// A client with a token produces and consumes, the quota holds it back, and what it wrote is moved.
pub(crate) fn work<'a>(
    scenario: &'a Scenario,
    kafka: &'a Kafka,
    issuer: &'a TokenIssuer,
) -> BoxFuture<'a, Result<()>> {
    // On the heap: what the stages wait for is large.
    Box::pin(use_jars(scenario, kafka, issuer))
}

async fn use_jars(scenario: &Scenario, kafka: &Kafka, issuer: &TokenIssuer) -> Result<()> {
    let topic = ["--topic", TOPIC, "--partitions", "1", "--config", "remote.storage.enable=true"];
    let arguments = [&["--bootstrap-server", "localhost:9092", "--create"], &topic[..]].concat();
    let segments = ["--config", "segment.ms=1000"];
    let class = "org.apache.kafka.tools.TopicCommand";
    scenario.tool(POD, class, &[&arguments[..], &segments[..]].concat()).await?;

    scenario.stage("plug-ins: a client with a signed token is let in, and one with a forged token is not");
    let client = Outside::of(scenario, CLUSTER).await?;
    let folder = tempfile::tempdir()?;
    let file = |name: &str, token: String| -> Result<String> {
        let path = folder.path().join(name);
        std::fs::write(&path, token)?;
        Ok(path.display().to_string())
    };
    let own = file("own", issuer.token("service-of-a-team")?)?;
    let forged = file("forged", issuer.forged("service-of-a-team")?)?;
    let listeners = kafka.status.iter().flat_map(|status| status.listeners.iter().flatten());
    let mut of_tokens = listeners.filter(|listener| listener.name.as_deref() == Some("tokens"));
    let address = of_tokens.next().and_then(|listener| listener.bootstrap_servers.clone());
    let address = &address.context("the status has no address of the listener for tokens")?;
    client.run(address, TOPIC, false, &["--token", &forged, "expect-stranger"]).await?;
    let said = client.run(address, TOPIC, false, &["--token", &own, "produce", RECORDS]).await?;
    client.run(address, TOPIC, false, &["--token", &own, "consume", RECORDS, "--group", "readers"]).await?;

    scenario.stage("plug-ins: the producer was held back, and its segments are moved");
    let pause = said.split_once("a broker asked for: ").and_then(|(_, rest)| rest.split_once(" ms"));
    let pause: u64 = pause.context("the client says nothing of a pause")?.0.parse()?;
    ensure!(pause > 0, "nobody held the producer back: {said}");
    // A record that comes later begins another segment.
    client.run(address, TOPIC, false, &["--token", &own, "produce", "1"]).await?;
    until_moved(scenario).await
}

/// Waits for a segment of the topic in the remote storage.
async fn until_moved(scenario: &Scenario) -> Result<()> {
    let begun = Instant::now();
    loop {
        let list = format!("ls -R {REMOTE}");
        let listed =
            scenario.kubectl(&["exec", POD, "--container", "kafka", "--", "bash", "-c", &list]).await?;
        let is_segment = |line: &str| line.ends_with(".log");
        if listed.contains(TOPIC) && listed.lines().any(is_segment) {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_mins(1) {
            bail!("no segment is moved: {listed}");
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Metrics of Kafka's own registries, by the reporter of Strimzi.
pub(crate) fn reporter() -> Value {
    json!({"metricsConfig": {"type": "strimziMetricsReporter", "valueFrom": null,
        "values": {"allowList": [REPORTED]}}})
}

/// The metric that the reporter tells.
pub(crate) const REPORTED: &str = "kafka_server_kafkaserver_brokerstate";
