//! Many KafkaTopics, all new, over several brokers: what each costs must not depend on how many there are.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use api::{KafkaTopic, ports};
use kube::Api;
use test_support::{KafkaCluster, kafka::Roles};

use crate::{
    operator::Operator,
    report::{number, progress, row},
    topics,
    world::{self, World},
};

/// Broker processes. Each may hold about 12,000 partitions where a process may open 20,000 files.
const BROKERS: usize = 4;
const HOUR: Duration = Duration::from_hours(1);

/// Measures and prints. Each number of topics has an API server and brokers of its own, since both hold on to what they had.
pub(crate) async fn run(binary: &Path, counts: &[usize]) -> anyhow::Result<()> {
    let mut first = None;
    for count in counts {
        let limit = {
            let (world, kafka) = start().await?;
            topics::bare(&world, &kafka.bootstrap(), *count).await?
        };
        let (world, kafka) = start().await?;
        let namespace = world.other_namespace().await?;
        let cpu = new_topics(&world, &kafka, binary, &namespace, *count, limit).await?;
        match first {
            None => first = Some((count, cpu)),
            Some((few, before)) => row(format!("  times that of {few}"), number(cpu / before, 2), "1.2"),
        }
    }
    Ok(())
}

async fn start() -> anyhow::Result<(World, KafkaCluster)> {
    progress(format!("topics: starting an API server and {BROKERS} brokers"));
    Ok((World::of_stored_versions().await?, brokers().await?))
}

/// The processor time of the operator for each topic, ms.
async fn new_topics(
    world: &World,
    kafka: &KafkaCluster,
    binary: &Path,
    namespace: &str,
    count: usize,
    limit: f64,
) -> anyhow::Result<f64> {
    progress(format!("{count} new topics on {BROKERS} brokers"));
    let api: Api<KafkaTopic> = Api::namespaced(world.client.clone(), namespace);
    let all = (0..count).map(|at| topics::topic(&format!("{namespace}-{at}")));
    world::create_all(&api, all.collect::<anyhow::Result<_>>()?).await?;
    let variables = [
        ("KUBECONFIG", world.kubeconfig.display().to_string()),
        ("STRIMZI_NAMESPACE", namespace.to_owned()),
        ("STRIMZI_RESOURCE_LABELS", world::CLUSTER.to_owned()),
        ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap().join(",")),
        ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", HOUR.as_millis().to_string()),
    ];
    let port = u16::try_from(ports::TOPIC_OPERATOR_HTTP)?;
    let mut operator = Operator::start(binary, port, &variables)?;
    let took = operator.until_ready(&api, count, topics::is_ready).await?;
    let usage = operator.usage()?;
    let each = usage.cpu * 1000.0 / count as f64;
    row(format!("{count} topics, all new, on {BROKERS} brokers until Ready, s"), number(took, 1), "-");
    row("  times the bare calls", number(took / limit, 2), "-");
    row("  MB resident at most", number(usage.peak, 1), "120");
    row("  CPU ms for each", number(each, 3), "-");
    Ok(each)
}

/// One node that is controller too, and the other brokers.
async fn brokers() -> anyhow::Result<KafkaCluster> {
    let mut kafka = KafkaCluster::start(1, topics::plain()).await.context("start Kafka")?;
    for _ in 1..BROKERS {
        kafka.add(Roles::Broker).await.context("start a broker")?;
    }
    Ok(kafka)
}
