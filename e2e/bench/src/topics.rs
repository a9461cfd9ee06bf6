//! KafkaTopics.

use std::{ops::Range, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use api::{KafkaTopic, ports};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use kube::Api;
use serde_json::json;
use test_support::{KafkaNode, KafkaOptions};

use crate::{
    bare, idle,
    operator::Operator,
    report::{number, progress, row},
    single,
    world::{self, World},
};

const HOUR: Duration = Duration::from_hours(1);

struct Bench<'a> {
    world: World,
    kafka: KafkaNode,
    binary: &'a Path,
}

/// Measures and prints.
pub(crate) async fn run(binary: &Path, old: usize, new: usize) -> anyhow::Result<()> {
    let total = old + new;
    progress("topics: starting an API server and Kafka");
    let world = World::start().await?;
    let limit = {
        let kafka = KafkaNode::start(plain()).await?;
        bare(&world, &[kafka.bootstrap()], new).await?
    };
    let bench = Bench { world, kafka: KafkaNode::start(plain()).await?, binary };
    let topics: Api<KafkaTopic> = bench.world.api();

    progress(format!("{old} topics"));
    world::create_all(&topics, many(0..old)?).await?;
    drop(bench.ready(&topics, old).await?);
    let few = bench.idle_memory(&topics, old).await?;

    progress(format!("{new} more topics"));
    world::create_all(&topics, many(old..total)?).await?;
    let (operator, took) = bench.ready(&topics, total).await?;
    let usage = operator.usage()?;
    drop(operator);
    row(format!("{total} topics, {new} of them new, until Ready, s (Strimzi: 162)"), number(took, 1), "16");
    row("  times the bare calls", number(took / limit, 2), "-");
    row("  CPU s (Strimzi: 107)", number(usage.cpu, 1), "6");
    row("  MB resident at most (Strimzi: 265)", number(usage.peak, 1), "40");

    let many = bench.idle_memory(&topics, total).await?;
    row("  KB for each idle topic", number((many - few) * 1024.0 / new as f64, 2), "3");

    progress("the timer's looks");
    let mut operator = bench.start(idle::INTERVAL)?;
    idle::measure(&bench.world, &mut operator, "topics", total, &["kafkatopics"]).await?;
    drop(operator);

    progress("single topics");
    let _operator = bench.ready(&topics, total).await?;
    let median = single::median_ms(&topics, topic, is_ready).await?;
    row(
        format!("one new topic among {total}, from creation to Ready, ms (median)"),
        number(median, 0),
        "150",
    );
    Ok(())
}

impl Bench<'_> {
    fn start(&self, interval: Duration) -> anyhow::Result<Operator> {
        let variables = [
            ("KUBECONFIG", self.world.kubeconfig.display().to_string()),
            ("STRIMZI_NAMESPACE", self.world.namespace.clone()),
            ("STRIMZI_RESOURCE_LABELS", world::CLUSTER.to_owned()),
            ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", self.kafka.bootstrap()),
            ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", interval.as_millis().to_string()),
        ];
        Operator::start(self.binary, ports::TOPIC_OPERATOR_HTTP as u16, &variables)
    }

    /// Starts the operator and waits until so many topics are Ready; how many seconds it took.
    async fn ready(&self, topics: &Api<KafkaTopic>, count: usize) -> anyhow::Result<(Operator, f64)> {
        let mut operator = self.start(HOUR)?;
        let took = operator.until_ready(topics, count, is_ready).await?;
        Ok((operator, took))
    }

    /// What an operator holds that found everything Ready, MB.
    async fn idle_memory(&self, topics: &Api<KafkaTopic>, count: usize) -> anyhow::Result<f64> {
        let (operator, _) = self.ready(topics, count).await?;
        Ok(operator.usage()?.resident)
    }
}

/// The limit: the topics, and a finalizer and a status for each.
pub(crate) async fn bare(world: &World, bootstrap: &[String], count: usize) -> anyhow::Result<f64> {
    progress("the same work as bare calls");
    let admin = Admin::new(AdminConfig::brokers(bootstrap.to_vec()))?;
    let namespace = world.other_namespace().await?;
    let api: Api<KafkaTopic> = Api::namespaced(world.client.clone(), &namespace);
    world::create_all(&api, many(0..count)?).await?;
    let create = async {
        let new = (0..count).map(|at| {
            let mut new = NewTopic::new(format!("{namespace}-{at}"));
            new.partitions = Some(1);
            new.replication_factor = Some(1);
            new.configs.insert("retention.ms".into(), "7200000".into());
            new.configs.insert("segment.bytes".into(), "1073741824".into());
            new
        });
        let outcomes = admin.create_topics(new.collect(), false).await?;
        ensure!(outcomes.values().all(Result::is_ok), "some topics were refused");
        Ok(())
    };
    let (api, status) = (&api, bare::ready_status());
    let (status, finalizer) =
        (&status, &json!({"metadata": {"finalizers": [api::annotations::FINALIZER_TOPIC_OPERATOR]}}));
    let write = bare::each(count, |at| async move {
        let topic = bare::patch(api, &name(at), finalizer).await?;
        bare::replace_status(&world.client, &topic, status).await
    });
    let (kafka, kubernetes, both) = bare::together(create, write).await?;
    row(format!("{count} topics as bare calls, s"), number(both, 1), "-");
    row("  of it Kafka, s", number(kafka, 1), "-");
    row("  of it (at the same time) Kubernetes, s", number(kubernetes, 1), "-");
    Ok(both)
}

/// A node for thousands of topics.
pub(crate) fn plain() -> KafkaOptions {
    // Thousands of topics need more than the heap of a small test.
    KafkaOptions { tls: false, heap_mb: 1024, ..KafkaOptions::default() }
}

fn name(at: usize) -> String {
    format!("topic-{at}")
}

fn many(range: Range<usize>) -> anyhow::Result<Vec<KafkaTopic>> {
    range.map(|at| topic(&name(at))).collect()
}

/// A topic of one partition.
pub(crate) fn topic(name: &str) -> anyhow::Result<KafkaTopic> {
    let topic = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": name, "labels": world::labels()},
        "spec": {
            "partitions": 1, "replicas": 1,
            "config": {"retention.ms": 7_200_000, "segment.bytes": 1_073_741_824},
        },
    });
    serde_json::from_value(topic).context("make a KafkaTopic")
}

/// Whether its status says so.
pub(crate) fn is_ready(topic: &KafkaTopic) -> bool {
    let conditions = topic.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.is("Ready"))
}
