//! Kafka clusters whose pods are ready and whose Kafka answers: what it takes until all are Ready, what the operator holds
//! then, and what one periodic pass over all of them costs.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use api::{Kafka, KafkaNodePool, names};
use futures::{StreamExt, pin_mut};
use kube::{
    Api, ResourceExt,
    runtime::{WatchStreamExt, watcher},
};
use test_support::PodReadyStandIn;

use crate::{
    bare, clusters,
    hosts::Hosts,
    kafka_stand_in::KafkaStandIn,
    operator::{Operator, Usage},
    report::{number, progress, row},
    world::{self, World},
};

/// How long anything may take before the bench gives up.
const DEADLINE: Duration = Duration::from_mins(10);
/// Between two looks at the metrics while a pass is measured: seldom, since each is answered in the operator's own time.
const LOOK: Duration = Duration::from_millis(500);
/// Passes that the timer brought.
const PERIODICAL: &str = "strimzi_reconciliations_periodical_total{kind=\"Kafka\"}";
/// All passes.
const DONE: &str = "strimzi_reconciliations_total{kind=\"Kafka\"}";
/// Resources that the operator reads or writes, without those that the API server itself reads and writes on its own.
const RESOURCES: &[&str] = &[
    "clusterrolebindings",
    "deployments",
    "events",
    "kafkanodepools",
    "kafkas",
    "kafkatopics",
    "networkpolicies",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "pods",
    "rolebindings",
    "roles",
    "secrets",
    "serviceaccounts",
    "storageclasses",
    "strimzipodsets",
];

/// The limits that figures are printed beside.
pub(crate) struct Limits {
    pub resident: &'static str,
    pub peak: &'static str,
    pub pass: &'static str,
}

/// What is there already.
pub(crate) struct Begun<'a> {
    pub world: &'a World,
    pub binary: &'a Path,
    pub variables: &'a [(&'static str, String)],
    pub hosts: &'a Hosts,
    pub count: usize,
}

/// The names of all nodes of so many clusters.
pub(crate) fn host_names(namespace: &str, count: usize) -> Vec<String> {
    let of = |at: usize| {
        let cluster = clusters::name(at);
        let bootstrap = names::service_dns(&names::bootstrap_service(&cluster), namespace);
        let pods = (0..clusters::NODES).map(move |id| {
            let pod = names::pod(&cluster, &clusters::pool_name(at), i32::try_from(id).unwrap_or_default());
            names::pod_dns(&cluster, &pod, namespace)
        });
        pods.chain([bootstrap]).collect::<Vec<_>>()
    };
    (0..count).flat_map(of).collect()
}

impl Begun<'_> {
    /// Measures and prints; `operator` has made all pods.
    pub(crate) async fn measure(&self, mut operator: Operator, limits: &Limits) -> anyhow::Result<()> {
        progress(format!("{} clusters: their pods become ready and Kafka answers", self.count));
        let before = operator.usage()?;
        let began = Instant::now();
        let kafka = KafkaStandIn::start(self.world.client.clone(), self.world.namespace.clone()).await?;
        let pods = PodReadyStandIn::start(&self.world.client);
        self.until_all_ready(&mut operator).await?;
        let took = began.elapsed().as_secs_f64();
        let usage = operator.usage()?;
        let limit = self.bare().await?;
        row(format!("  from there until all {} clusters are Ready, s", self.count), number(took, 1), "-");
        row("    times the bare calls for the statuses", number(took / limit, 2), "-");
        row("    CPU s", number(usage.cpu - before.cpu, 1), "-");
        row("    MB resident", number(usage.resident, 1), limits.resident);
        row("    MB resident at most", number(usage.peak, 1), limits.peak);
        drop(operator);
        // It has nothing more to do, and its reads would count.
        drop(pods);
        self.pass(&kafka, limits).await
    }

    /// One pass of the timer over all clusters.
    async fn pass(&self, kafka: &KafkaStandIn, limits: &Limits) -> anyhow::Result<()> {
        let count = self.count as f64;
        let interval = Duration::from_millis(10_000 + 40 * self.count as u64);
        progress(format!("one periodic pass over {} clusters in {} s", self.count, interval.as_secs()));
        let mut variables = self.variables.to_vec();
        let wanted = "STRIMZI_FULL_RECONCILIATION_INTERVAL_MS";
        variables.retain(|(name, _)| *name != wanted);
        variables.push((wanted, interval.as_millis().to_string()));
        let mut operator =
            Operator::start_command(self.hosts.command(self.binary), clusters::PORT, &variables)?;
        // The start and one whole round are over, and with them whatever a first look has to do.
        until(&mut operator, PERIODICAL, count).await?;
        let (before, requests, passes) = self.now(&operator).await?;
        let asked = kafka.answered();
        // The lists and the statuses that are certain to have been counted.
        ensure!(requests.0 > 0.0 && requests.1 > 0.0, "the API server does not count requests as expected");
        let periodical = operator.metric(PERIODICAL).await;
        until(&mut operator, PERIODICAL, periodical + count).await?;
        let (after, now, all) = self.now(&operator).await?;
        let (writes, reads) = (now.0 - requests.0, now.1 - requests.1);
        row(
            format!("one periodic pass over {} clusters, one with rack, CPU s", self.count),
            number(after.cpu - before.cpu, 2),
            limits.pass,
        );
        row("  writes to Kubernetes", number(writes, 0), "0");
        row("  reads of Kubernetes besides the watches", number(reads, 0), "0");
        row(
            "  requests to Kafka for each cluster",
            number((kafka.answered() - asked) as f64 / count, 1),
            "-",
        );
        row("  passes for each cluster", number((all - passes) / count, 2), "1");
        row("  MB resident", number(after.resident, 1), limits.resident);
        Ok(())
    }

    /// What the process has used, the writes and reads that the API server has counted, and the passes so far.
    async fn now(&self, operator: &Operator) -> anyhow::Result<(Usage, (f64, f64), f64)> {
        let writes = self.world.writes(RESOURCES).await?;
        let reads = self.world.reads(RESOURCES).await?;
        Ok((operator.usage()?, (writes, reads), operator.metric(DONE).await))
    }

    /// Follows the Kafka resources until all are Ready.
    async fn until_all_ready(&self, operator: &mut Operator) -> anyhow::Result<()> {
        let kafkas: Api<Kafka> = self.world.api();
        let events = watcher(kafkas, watcher::Config::default()).default_backoff().applied_objects();
        pin_mut!(events);
        let (began, mut ready, mut reason) = (Instant::now(), BTreeSet::new(), String::new());
        while ready.len() < self.count {
            if began.elapsed() > DEADLINE {
                bail!(
                    "{} of {} clusters are Ready after {} s; {reason}",
                    ready.len(),
                    self.count,
                    DEADLINE.as_secs()
                );
            }
            let next = tokio::time::timeout(Duration::from_secs(1), events.next()).await;
            operator.check()?;
            let Ok(event) = next else { continue };
            let kafka =
                event.context("the watch of Kafka resources ended")?.context("watch Kafka resources")?;
            let conditions = kafka.status.as_ref().and_then(|status| status.conditions.as_deref());
            let conditions = conditions.unwrap_or_default();
            if conditions.iter().any(|condition| condition.is("Ready")) {
                ready.insert(kafka.name_any());
            } else {
                ready.remove(&kafka.name_any());
                reason = format!("{}: {conditions:?}", kafka.name_any());
            }
        }
        Ok(())
    }

    /// A status for each Kafka resource and each pool, in another namespace, by bare calls; how long that took, s.
    async fn bare(&self) -> anyhow::Result<f64> {
        progress("the statuses as bare calls");
        let namespace = self.world.other_namespace().await?;
        let kafkas: Api<Kafka> = Api::namespaced(self.world.client.clone(), &namespace);
        let pools: Api<KafkaNodePool> = Api::namespaced(self.world.client.clone(), &namespace);
        let all = (0..self.count).map(clusters::kafka).collect::<anyhow::Result<_>>()?;
        world::create_all(&kafkas, all).await?;
        world::create_all(&pools, (0..self.count).map(clusters::pool).collect::<anyhow::Result<_>>()?)
            .await?;
        let (kafkas, pools, status) = (&kafkas, &pools, &bare::ready_status());
        let began = Instant::now();
        bare::each(self.count, |at| async move {
            bare::patch_status(pools, &clusters::pool_name(at), status).await?;
            bare::patch_status(kafkas, &clusters::name(at), status).await
        })
        .await?;
        Ok(began.elapsed().as_secs_f64())
    }
}

/// Waits until a metric reaches a value.
async fn until(operator: &mut Operator, name: &str, value: f64) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        operator.check()?;
        let now = operator.metric(name).await;
        if now >= value {
            return Ok(());
        }
        if began.elapsed() > DEADLINE {
            bail!("{name} is {now} and not {value} after {} s", DEADLINE.as_secs());
        }
        tokio::time::sleep(LOOK).await;
    }
}
