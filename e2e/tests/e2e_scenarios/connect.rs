//! Kafka Connect as a user has it: workers become ready beside a real Kafka with TLS, know their plug-ins, and restart one by one
//! when the certificate that they prove themselves by is renewed. Beside it a bridge uses the same Kafka.

mod bridge;

use std::time::Duration;

use anyhow::{Context, Result};
use api::{KafkaConnect, KafkaUser};
use e2e::{Scenario, has_condition};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

const MANIFEST: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, labels: {strimzi.io/cluster: shop}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: ephemeral}
  jvmOptions: {"-Xmx": 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: shop}
spec:
  kafka:
    listeners:
      - {name: tls, port: 9093, type: internal, tls: true, authentication: {type: tls}}
      - {name: scram, port: 9094, type: internal, tls: true, authentication: {type: scram-sha-512}}
    config: {offsets.topic.replication.factor: 1, default.replication.factor: 1, min.insync.replicas: 1}
  entityOperator: {userOperator: {}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: pipes, labels: {strimzi.io/cluster: shop}}
spec: {authentication: {type: tls}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaConnect
metadata: {name: pipes}
spec:
  replicas: 1
  bootstrapServers: shop-kafka-bootstrap:9093
  groupId: pipes
  configStorageTopic: pipes-configs
  statusStorageTopic: pipes-statuses
  offsetStorageTopic: pipes-offsets
  tls: {trustedCertificates: [{secretName: shop-cluster-ca-cert, pattern: "*.crt"}]}
  authentication: {type: tls, certificateAndKey: {secretName: pipes, certificate: user.crt, key: user.key}}
  config:
    config.storage.replication.factor: 1
    offset.storage.replication.factor: 1
    status.storage.replication.factor: 1
  jvmOptions: {"-Xmx": 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
"#;

fn ready(connect: Option<&KafkaConnect>) -> bool {
    connect.is_some_and(|connect| {
        let status = connect.status.as_ref();
        has_condition(status, "Ready")
            && status.and_then(|status| status.observed_generation) == connect.metadata.generation
    })
}

#[tokio::test]
async fn workers_follow_the_renewal_of_their_certificate_and_a_bridge_loses_nothing() -> Result<()> {
    let scenario = Scenario::new("e2e-connect").await?;
    scenario.apply(MANIFEST).await?;
    scenario.until_ready("shop", Duration::from_mins(5)).await?;
    scenario.stage("Kafka is ready");
    let connect = workers_follow_their_certificate(&scenario);
    let bridge = bridge::records_go_in_and_out_and_a_roll_loses_none(&scenario);
    tokio::try_join!(connect, bridge)?;
    scenario.remove().await
}

async fn workers_follow_their_certificate(scenario: &Scenario) -> Result<()> {
    let minutes = Duration::from_mins(5);
    let connect = scenario.until("pipes", "Ready", minutes, ready).await?.context("no resource")?;
    scenario.stage("the worker is ready");
    let url = connect.status.and_then(|status| status.url).context("no address")?;
    assert_eq!(url, "http://pipes-connect-api.e2e-connect.svc:8083");
    let path = "/api/v1/namespaces/e2e-connect/services/pipes-connect-api:8083/proxy/connector-plugins";
    let plug_ins = scenario.kubectl(&["get", "--raw", path]).await?;
    assert!(plug_ins.contains("MirrorSourceConnector"), "{plug_ins}");

    let pods = scenario.api::<Pod>();
    let before = pods.get("pipes-connect-0").await?.uid();
    let renew = json!({"metadata": {"annotations": {"strimzi.io/force-renew": "true"}}});
    scenario.api::<Secret>().patch("pipes", &PatchParams::default(), &Patch::Merge(&renew)).await?;
    scenario
        .until::<Pod>("pipes-connect-0", "another pod", minutes, |pod| {
            pod.is_some_and(|pod| pod.uid() != before && e2e::is_pod_ready(pod))
        })
        .await?;
    scenario.until("pipes", "Ready again", minutes, ready).await?;
    scenario.api::<KafkaUser>().get("pipes").await?;
    Ok(())
}
