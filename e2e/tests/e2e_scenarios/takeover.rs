//! What else users bring along: Strimzi's example with ephemeral storage, and clusters of other operators after `kubectl kafka convert`.

use std::time::Duration;

use anyhow::{Result, ensure};
use api::KafkaTopic;
use e2e::edge::Edge;
use e2e::outside::Outside;
use e2e::{Scenario, bootstrap_of, has_condition, storage_class};
use kube::api::DeleteParams;
use kubectl_kafka::convert;

const MINUTE: Duration = Duration::from_mins(1);

/// As a text with Strimzi 0.38 applies it.
const EPHEMERAL: &str = include_str!("../../../crates/test-support/as-written/kafka-ephemeral-single.yaml");
/// Of the README of krallistic's operator: three brokers, with a CPU for each.
const KRALLISTIC: &str = include_str!("../../../crates/kubectl-kafka/tests/inputs/krallistic.yaml");
/// Of the manual of a product that was made from koperator.
const PRODUCT: &str = include_str!("../../../crates/kubectl-kafka/tests/inputs/tenxcloud.yaml");
/// The shape of koperator's examples, with one node and its Envoy before it.
const KOPERATOR: &str = r"
apiVersion: kafka.banzaicloud.io/v1beta1
kind: KafkaCluster
metadata: {name: kafka}
spec:
  kRaft: true
  headlessServiceEnabled: true
  oneBrokerPerNode: false
  clusterImage: ghcr.io/banzaicloud/kafka:2.13-3.4.1
  readOnlyConfig: |
    auto.create.topics.enable=false
    cruise.control.metrics.topic.auto.create=true
  brokerConfigGroups:
    default:
      processRoles: [controller, broker]
      storageConfigs:
        - mountPath: /kafka-logs
          pvcSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
      resourceRequirements: {requests: {cpu: 50m, memory: 512Mi}, limits: {memory: 768Mi}}
      kafkaHeapOpts: -Xmx256M -Xms256M
      brokerAnnotations: {prometheus.io/scrape: 'true'}
  brokers:
    - {id: 0, brokerConfigGroup: default}
  rollingUpgradeConfig: {failureThreshold: 1}
  listenersConfig:
    internalListeners:
      - {type: plaintext, name: internal, containerPort: 29092, usedForInnerBrokerCommunication: true}
      - {type: plaintext, name: controller, containerPort: 29093, usedForControllerCommunication: true}
    externalListeners:
      - {type: plaintext, name: external, containerPort: 9094, externalStartingPort: 19090}
  cruiseControlConfig: {}
---
apiVersion: kafka.banzaicloud.io/v1alpha1
kind: KafkaTopic
metadata: {name: orders}
spec:
  clusterRef: {name: kafka}
  name: orders
  partitions: 1
  replicationFactor: 1
";

#[tokio::test(flavor = "multi_thread")]
async fn manifests_of_others_become_clusters_that_run() -> Result<()> {
    // On the heap: what they wait for is large. Side by side: they are small.
    tokio::try_join!(
        Box::pin(ephemeral()),
        Box::pin(of_krallistic()),
        Box::pin(of_a_product()),
        Box::pin(of_koperator()),
    )?;
    Ok(())
}

async fn ephemeral() -> Result<()> {
    let scenario = Scenario::new("e2e-ephemeral").await?;
    scenario.apply(EPHEMERAL).await?;
    runs(&scenario, "my-cluster", "plain", "test", 4).await?;
    scenario.remove().await
}

async fn of_krallistic() -> Result<()> {
    let scenario = Scenario::new("e2e-krallistic").await?;
    // What three brokers ask for is more than the machine of this test has.
    let manifest = KRALLISTIC.replace("brokerCount: 3", "brokerCount: 1").replace("cpu: \"1\"", "cpu: 100m");
    convert_and_apply(&scenario, &manifest).await?;
    until_topic(&scenario, "test1").await?;
    runs(&scenario, "test-cluster-1", "plain", "test1", 2).await?;
    scenario.remove().await
}

async fn of_a_product() -> Result<()> {
    let scenario = Scenario::new("e2e-product").await?;
    let class = "2-38";
    let classes = storage_class::like_the_default(&scenario, class).await?;
    convert_and_apply(&scenario, PRODUCT).await?;
    // Its manual makes this topic.
    runs(&scenario, "kafka-olm", "plaintext", "hxl001", 2).await?;
    scenario.remove().await?;
    classes.delete(class, &DeleteParams::default()).await?;
    Ok(())
}

async fn of_koperator() -> Result<()> {
    let scenario = Scenario::new("e2e-koperator").await?;
    let edge = Edge::start(&scenario.client, &scenario.namespace)?;
    convert_and_apply(&scenario, KOPERATOR).await?;
    until_topic(&scenario, "orders").await?;
    runs(&scenario, "kafka", "external", "orders", 1).await?;
    let told = scenario.told("kafka-default-0", "external").await?;
    ensure!(told.ends_with(":19090"), "the port that clients know is not told: {told}");
    drop(edge);
    scenario.remove().await
}

/// Applies what comes out of a manifest, as a user pipes it into kubectl.
async fn convert_and_apply(scenario: &Scenario, manifest: &str) -> Result<()> {
    // The namespace of the manifest is not that of the test.
    let here = format!("namespace: {}", scenario.namespace);
    let conversion = convert::convert(&manifest.replace("namespace: aaaa", &here))?;
    ensure!(!conversion.has_failed(), "{}", convert::summary(&conversion));
    scenario.apply(&convert::text(&conversion)?).await
}

async fn until_topic(scenario: &Scenario, name: &str) -> Result<()> {
    let is_there =
        |topic: Option<&KafkaTopic>| topic.is_some_and(|topic| has_condition(topic.status.as_ref(), "Ready"));
    scenario.until::<KafkaTopic>(name, "Ready", 8 * MINUTE, is_there).await?;
    Ok(())
}

/// The cluster has so many nodes and is ready, and a client outside of its pods writes records and reads them.
async fn runs(scenario: &Scenario, cluster: &str, listener: &str, topic: &str, nodes: usize) -> Result<()> {
    let kafka = scenario.until_ready(cluster, 8 * MINUTE).await?;
    scenario.stage(&format!("{}: {cluster} is ready", scenario.namespace));
    let pods = scenario.kafka_pods(cluster).await?;
    ensure!(pods.len() == nodes, "{pods:?}");
    let client = Outside::of(scenario, cluster).await?;
    client.knows_pods(scenario).await?;
    let address = bootstrap_of(&kafka, listener)?;
    client.run(&address, topic, false, &["produce", "10"]).await?;
    client.run(&address, topic, false, &["consume", "10", "--group", "readers"]).await?;
    Ok(())
}
